"""A task or a model asked for -> the desk that answers; switches to another package without losing a question.

A desk, once handed out, stays as it is: who holds it goes on with the packages it was opened with.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from hilum.flows.predict import Desk

OpenDesk = Callable[[str, str | None], Desk]
Ready = Callable[[Sequence[Desk]], None]


class Desks:
    """Opened desks by what was asked for."""

    def __init__(self, opening: OpenDesk, ready: Ready, most: int = 32) -> None:
        """`opening` makes a desk for (task, model reference or None); at most `most` are kept open.

        ready: told all desks that will be open, before they are: opens what a first question would have to wait for.
        """
        self._opening = opening
        self._ready = ready
        self._most = most
        self._open: dict[tuple[str, str | None], Desk] = {}
        self._lock = threading.Lock()

    def desk(self, task: str = "auto", model: str | None = None) -> Desk:
        """Who answers.

        Raises:
            UnknownTask, UnknownModel: nothing answers to the name.
            PackageError: the package must not be used.
        """
        known = self._open.get((task, model))
        if known is not None:
            return known
        with self._lock:
            if (task, model) not in self._open:
                desk = self._opening(task, model)
                kept = dict(self._open)
                if len(kept) >= self._most:
                    kept.pop(next(key for key in kept if key != ("auto", None)))
                kept[task, model] = desk
                self._ready(list(kept.values()))
                self._open = kept
            return self._open[task, model]

    def switch(self) -> None:
        """Open anew, and only then put in place, every desk that is open: a champion may have changed."""
        with self._lock:
            fresh = {key: self._opening(*key) for key in self._open}
            self._ready(list(fresh.values()))
            self._open = fresh
