"""Long works as they stand on the disk -> what a page says of each: its state, how far it is, how long still."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from hilum.interfaces.http.orders import works_of
from hilum.jobs.works import Step, Work, Works
from hilum.parts import Parts
from hilum.settings import Settings

STATES = {
    "waiting": ("Waiting for its turn", "plain"),
    "running": ("Running", "plain"),
    "done": ("Done", "good"),
    "failed": ("Failed", "bad"),
    "stopped": ("Stopped", "warn"),
}
DEEP, MOST = 2, 300  # levels of folders below a root, and how many are offered
NEARLY = 0.9
PACKED = (".zip", ".npz", ".csv", ".parquet", ".h5")


@dataclass(frozen=True, slots=True)
class Shown:
    """One work. at: microseconds since 1970. share: of the present stage, in [0, 1]; None where nobody knows."""

    id: str
    title: str
    state: str
    words: str
    tone: str
    at: int
    took: str
    stage: str
    share: float | None
    left: str
    log: str

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state not in ("waiting", "running")


@dataclass(frozen=True, slots=True)
class Offered:
    """What may be asked for, as (what to ask for, how it is written). more: whether others lie there that are not."""

    choices: tuple[tuple[str, str], ...]
    more: bool = False


def shown(known: Works, work: Work) -> Shown:
    """A work as a page tells it."""
    steps = known.steps(work.id)
    last = steps[-1] if steps and not work.over else None
    words, tone = STATES[work.state]
    return Shown(
        id=work.id,
        title=work.title,
        state=work.state,
        words=words,
        tone=tone,
        at=round(work.at * 1e6),
        took=duration(work.ended - work.at) if work.ended else "",
        stage=_sentence(last.stage) if last else "",
        share=min(last.done / last.total, 1.0) if last and last.total else None,
        left=left(steps, time.time()) if last else "",
        log=known.said(work.id),
    )


def all_of(parts: Parts, kind: str) -> list[Shown]:
    """Every audit, or every training, newest first."""
    known = works_of(parts)
    return [shown(known, work) for work in known.all() if work.kind == kind]


def left(steps: tuple[Step, ...], now: float) -> str:
    """How long the present stage still takes at the pace it went so far; "" where that cannot be said."""
    last, first = steps[-1], _begun(steps)
    if not last.total or last.done <= first.done or last.at <= first.at:
        return ""
    seconds = (last.total - last.done) * (last.at - first.at) / (last.done - first.done) - (now - last.at)
    if seconds > 1:
        return f"about {duration(seconds)} left in this step"
    return "nearly done with this step" if last.done >= NEARLY * last.total else "slower than it was"


def _begun(steps: tuple[Step, ...]) -> Step:
    """The beginning of the present stage: of a work that was begun again not the one that a kill cut off."""
    first = steps[-1]
    for step in reversed(steps[:-1]):
        if step.stage != first.stage or step.done > first.done:
            break
        first = step
    return first


def duration(seconds: float) -> str:
    """Seconds in words."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def sources(settings: Settings) -> Offered:
    """The folders and packed data sets that lie below HILUM_DATA_ROOTS, and what is named there itself behind them.

    One whose name is no text is left out: no request could name it.
    """
    roots, found = settings.data_roots, []
    called = {root: str(root) if [one.name for one in roots].count(root.name) > 1 else root.name for root in roots}
    every = ((root, path) for root in roots for path in filter(_is_text, _in(root)))
    for root, path in islice(every, MOST + 1):
        name = path.relative_to(root).as_posix()
        if path == root:
            found.append((str(root), f"{called[root]} (the whole folder)"))
        else:
            found.append((str(path), f"{called[root]}/{name}") if len(roots) > 1 else (name, name))
    return Offered(tuple(found[:MOST]), more=len(found) > MOST)


def _in(root: Path) -> Iterator[Path]:
    """Whoever opens one data set names it itself: its folders alone are classes, and nothing to learn from."""
    some = False
    for path in _below(root, DEEP):
        some = True
        yield path
    if some:
        yield root


def _below(folder: Path, levels: int) -> Iterator[Path]:
    """Links are left out: whether they lead outside is for the one who opens them."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(filter(_offered, found), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        yield Path(entry.path)
        if levels > 1 and entry.is_dir():
            yield from _below(Path(entry.path), levels - 1)


def _offered(entry: os.DirEntry[str]) -> bool:
    """Chosen before they are put in order: a folder may hold a million images."""
    if entry.name.startswith(".") or entry.is_symlink():
        return False
    return entry.is_dir() or entry.name.lower().endswith(PACKED)


def _is_text(path: Path) -> bool:
    try:
        return bool(str(path).encode())
    except UnicodeEncodeError:  # bytes of another system's alphabet
        return False


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
