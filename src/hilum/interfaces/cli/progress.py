"""Long work -> bars with the time left on stderr; plain lines where stderr is no terminal."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from hilum.errors import UsageError, printable_lines

TELL_SECONDS = 0.5  # between two lines of the progress file
SAY_SECONDS = 30.0  # between two lines of one stage where nobody looks at a terminal


class Bars:
    """A listener of the flows; use as a context manager. Where nobody looks at a terminal: lines, one or two a minute.

    file: where the progress is also written as JSON lines: stage, done, total, note, at (seconds since 1970).
    """

    def __init__(self, *, quiet: bool = False, file: Path | None = None) -> None:
        self._file = _opened(file) if file else None
        self._stage, self._told = "", 0.0
        self._total: int | None = None
        self._before = 0  # units that were done when the stage began
        self._began = self._said = time.monotonic()
        self._console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        self._bars: Progress | None = None
        if self._console.is_terminal and not quiet:
            self._bars = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),  # a folder may be called [raw]
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}", markup=False),
                console=self._console,
            )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()
        if self._file:
            self._file.close()
        sys.stderr.flush()

    def stage(self, title: str, total: int | None = None, done: int = 0) -> None:
        """Begin a new bar; the one before is finished."""
        self._stage, self._total, self._told = title, total, 0.0
        self._began = self._said = time.monotonic()
        self._before = done
        self._tell(done, total, "")
        if self._bars is None:
            self._console.print(title, markup=False)
            return
        self._finish()
        self._task = self._bars.add_task(title, total=total, completed=done, note="")

    def done(self, count: int, total: int | None = None, note: str = "") -> None:
        """Move the present bar."""
        if time.monotonic() - self._told >= TELL_SECONDS or count == total:
            self._tell(count, total, note)
        if self._bars is None:
            self._line(count, total or self._total, note)
        elif self._task is not None:
            if total is None:
                self._bars.update(self._task, completed=count, note=note)
            else:
                self._bars.update(self._task, completed=count, total=total, note=note)

    def reached(self, count: int, total: int | None = None, note: str = "") -> None:
        """Move the present bar, and write the line however soon it follows the last."""
        self._told = -math.inf
        self.done(count, total, note)

    def _line(self, count: int, total: int | None, note: str) -> None:
        now = time.monotonic()
        if now - self._said < SAY_SECONDS or not count:
            return
        self._said, took = now, now - self._began
        words = [f"{self._stage}: {count}", f"{_minutes(took)} so far"]
        if total:
            words[0] += f" of {total}"
        if total and count > self._before:
            words.append(f"about {_minutes(took * (total - count) / (count - self._before))} left")
        self._console.print("  " + ", ".join([*words, *([note] if note else [])]), markup=False)

    def say(self, text: str) -> None:
        """Print above the bar."""
        self._console.print(printable_lines(text), markup=False)

    def _tell(self, count: int, total: int | None, note: str) -> None:
        if self._file is None:
            return
        self._told = time.monotonic()
        said = {"at": round(time.time(), 3), "stage": self._stage, "done": count, "total": total, "note": note}
        self._file.write(json.dumps(said) + "\n")

    def _finish(self) -> None:
        if self._bars is None or self._task is None:
            return
        task = self._bars.tasks[-1]
        self._bars.update(self._task, completed=task.total or task.completed, total=task.total or task.completed)


def bars_on_a_terminal(file: Path | None, *, as_json: bool) -> Bars:
    """Bars only where somebody looks: what a nightly run writes on stderr is a fault."""
    return Bars(quiet=as_json or not sys.stderr.isatty(), file=file)


def _opened(file: Path) -> TextIO:
    try:
        return file.open("a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise UsageError(f"HILUM_PROGRESS_FILE={file}: cannot be written ({error.strerror})") from error


def _minutes(seconds: float) -> str:
    """1:02:03, or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
