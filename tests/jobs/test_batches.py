"""A batch that takes its server along is begun a few times, and then no more; one that gets on is begun again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hilum.jobs.batches import Batches, Desk, answer_id
from hilum.jobs.inbox import Inbox, Order
from hilum.jobs.starts import MOST, Starts

BATCH = "0e4ac1a8-58b5-4d2f-9a55-0a6ac3f0c0de"


class Engine:
    """What runs batches, without running any."""

    current = True

    def __init__(self, *_: object) -> None:
        self.begun = list[str]()

    def begin(self, identity: str) -> None:
        self.begun.append(identity)

    def was_cancelled(self, _: str) -> bool:
        return False

    gave_up = was_cancelled

    def close(self) -> None:
        """Nothing."""


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inbox:
    """With one batch of three files, which runs."""
    monkeypatch.setattr("hilum.jobs.batches.import_module", lambda _: SimpleNamespace(Engine=Engine))
    made = Inbox(tmp_path, b"secret" * 8)
    order = Order(BATCH, "local", "auto", None, "balanced", None, keep=True, state="running")
    made.take(order, [(f"{i}.png", b"%d" % i) for i in range(3)])
    return made


def server_of(inbox: Inbox, answered: int) -> Batches:
    """A server that begins with so many files answered on record."""
    there = {answer_id(BATCH, i) for i in range(answered)}
    records: Any = SimpleNamespace(ready=lambda: True, many=lambda ids: {one: 0 for one in ids if one in there})
    nobody: Any = None
    return Batches(Desk(inbox, records, nobody, nobody), "")


def test_a_batch_that_takes_every_server_along_is_given_up_and_says_how_to_go_on(inbox: Inbox) -> None:
    """Nobody could stop it either: the server was down before it was asked."""
    assert [server_of(inbox, 1).resume() for _ in range(MOST)] == [1] * MOST
    last = server_of(inbox, 1)
    assert last.resume() == 0
    assert last._engine is None  # which would begin it
    order = inbox.order(BATCH)
    assert order.state == "failed"
    assert "fewer or smaller ones at a time" in order.fault


def test_a_batch_that_gets_on_between_two_kills_is_begun_again_each_time(inbox: Inbox) -> None:
    assert [server_of(inbox, done).resume() for done in (0, 1, 1, 1, 2, 2, 2, 3)] == [1] * 8


def test_a_batch_whose_server_leaves_in_good_order_or_waits_for_its_database_was_not_begun_in_vain(
    inbox: Inbox,
) -> None:
    for _ in range(2 * MOST):
        batches = server_of(inbox, 0)
        assert [batches.resume() for _ in range(2 * MOST)] == [1] * 2 * MOST
        assert inbox.order(BATCH).starts == Starts(1)
        batches.close()
        assert inbox.order(BATCH).starts == Starts()
