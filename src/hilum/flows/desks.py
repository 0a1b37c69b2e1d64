"""A task or a model asked for -> the desk that answers; switches to another package without losing a question.

A desk, once handed out, stays as it is: who holds it goes on with the packages it was opened with.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from hilum.errors import PackageError, UnknownTask, UsageError
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

    def opened(self, task: str = "auto", model: str | None = None) -> Desk | None:
        """Who answers, where nobody must wait until packages are opened."""
        return self._open.get((task, model))

    def desk(self, task: str = "auto", model: str | None = None) -> Desk:
        """Who answers; the first question to a package waits until it is opened, and it may be long until it can be.

        Raises:
            UnknownTask, UnknownModel: nothing answers to the name.
            UsageError: the model answers another task.
            PackageError: the package must not be used.
        """
        known = self.opened(task, model)
        if known is not None:
            return known
        with self._lock:
            if (task, model) not in self._open:
                self._open = self._with((task, model), self._opening(task, model))
            return self._open[task, model]

    def _with(self, key: tuple[str, str | None], desk: Desk) -> dict[tuple[str, str | None], Desk]:
        """The open desks with one more; packages that answer already are not opened again for another name of them."""
        known = {speaker for each in self._open.values() for speaker in each.speakers}
        kept = dict(self._open)
        if len(kept) >= self._most:
            kept.pop(next(key for key in kept if key != ("auto", None)))
        kept[key] = desk
        if not known.issuperset(desk.speakers):
            self._ready(list(kept.values()))
        return kept

    def moved(self) -> bool:
        """Whether a model that somebody named is another package by now, or none: name@latest after a training."""
        return any(self._moved(task, model, desk) for (task, model), desk in self._open.items())

    def _moved(self, task: str, model: str | None, desk: Desk) -> bool:
        try:
            return model is not None and self._opening(task, model).speakers != desk.speakers
        except (UsageError, PackageError):
            return True

    def switch(self) -> None:
        """Open anew, and only then put in place, every desk that is open: who is meant may have changed.

        A model that somebody named and that is not there any more, or must not be used, holds nobody up: it is let go;
        so is a task of a user's own for which nobody speaks any more.
        """
        with self._lock:
            fresh = {}
            for task, model in self._open:
                try:
                    desk = self._opening(task, model)
                    _ = model and desk.speakers[0].package  # what is wrong with it is raised here
                    fresh[task, model] = desk
                except UnknownTask:
                    continue
                except (UsageError, PackageError):
                    if model is None:
                        raise
            self._ready(list(fresh.values()))
            self._open = fresh
