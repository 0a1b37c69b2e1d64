"""What long work tells whoever waits: a stage, how much is done, how much there is; knows no terminal."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """Somebody who waits for long work."""

    def stage(self, title: str, total: int | None = None, done: int = 0) -> None:
        """A new stage begins; total: units of work, None where unknown. done: those that were done before."""

    def done(self, count: int, total: int | None = None, note: str = "") -> None:
        """`count` units of the present stage are done."""

    def reached(self, count: int, total: int | None = None, note: str = "") -> None:
        """The same, where what is noted is to be kept, however soon it follows the last."""

    def say(self, text: str) -> None:
        """A sentence that stays readable above the bar."""


class Silent:
    """Nobody waits."""

    def stage(self, title: str, total: int | None = None, done: int = 0) -> None:
        """Nothing."""

    def done(self, count: int, total: int | None = None, note: str = "") -> None:
        """Nothing."""

    def reached(self, count: int, total: int | None = None, note: str = "") -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""
