"""What is remembered of batches may be forgotten by another thread at any moment."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hilum.interfaces.web.batched import Batched


class _Forgotten(dict[Any, Any]):
    """Holds a batch when it is asked whether, and no more when it is asked for it."""

    def __contains__(self, key: object) -> bool:
        return True


def test_a_batch_forgotten_while_it_is_looked_up_is_asked_for_again() -> None:
    order: Any = SimpleNamespace(id="one", made=1, state="done")
    state = SimpleNamespace(order=order)
    known = Batched(SimpleNamespace(batches=SimpleNamespace(state=lambda _: state)))  # type: ignore[arg-type]
    known._ended = _Forgotten()
    assert known.state(order) is state
    assert known._ended.get(("one", 1)) is state
