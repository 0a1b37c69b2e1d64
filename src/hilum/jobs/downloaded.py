"""What is to be erased -> the data sets of Hugging Face that hold it gone, each whole; knows no record.

Its client keeps a file's bytes apart from the revisions that link to them, and opens what is left of a revision without
asking when the hub cannot be reached. A data set of which one file was taken would so be read as if it were whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from hilum.flows.erase import Found, Wanted
from hilum.jobs.learnt import CACHE, files_in, is_arrays, is_busy

HUB = "huggingface"  # below HILUM_HOME/cache
HALF = ".incomplete"  # what the client names a file that is on its way
GOING = ".going-"  # a data set that an erasure took away and did not end


class Downloaded:
    """Data sets as Hugging Face's client keeps them; whoever needs one again gets it again."""

    def __init__(self, home: Path, content: Callable[[bytes], str]) -> None:
        """`content`: what a received file is known by in the records."""
        self._folder, self._content = home / CACHE / HUB, content

    def erase(self, wanted: Wanted) -> Found:
        """Data sets that hold the very bytes, or arrays of many images, which cannot be told apart."""
        self._clear()
        if not wanted.going.any:
            return Found(0)
        still, removed = [], []
        for data_set in sorted(self._folder.glob("datasets--*")):
            busy, holds = self._looked(data_set, wanted.going.received)
            still += [f"{path}: half of a file that is on its way; erase again when it is done" for path in busy]
            if holds:
                removed.append(
                    f"{data_set}: a data set that holds the picture, or may; it is fetched again where needed"
                )
                with suppress(FileNotFoundError):  # another erasure was quicker
                    data_set.rename(data_set.with_name(f"{GOING}{data_set.name}"))  # as a whole: no part is left
        self._clear()
        return Found(len(removed), tuple(still), removed=tuple(removed))

    def sweep(self, older_than: float) -> int:
        """Nothing: what is fetched stays until it is deleted."""
        del older_than
        return 0

    def _looked(self, data_set: Path, received: frozenset[str]) -> tuple[list[Path], bool]:
        """Files that are on their way, and whether it may hold what is looked for; not where it was taken meanwhile."""
        try:
            busy = _halves(data_set)
            return busy, any(self._may_hold(path, received) for path in _files(data_set, set(busy)))
        except FileNotFoundError:
            if data_set.exists():
                raise
            return [], False

    def _may_hold(self, path: Path, received: frozenset[str]) -> bool:
        return is_arrays(path) or any(self._content(data) in received for data in files_in(path))

    def _clear(self) -> None:
        """All that was taken away is gone when this returns, whichever of two erasures took which file of it."""
        for left in self._folder.glob(f"{GOING}*"):
            while left.exists():
                with suppress(FileNotFoundError):
                    shutil.rmtree(left)


def _files(data_set: Path, busy: set[Path]) -> Iterator[Path]:
    """Every file once, halves that nobody writes to any more with them."""
    for path in sorted(data_set.rglob("*")):
        if path.is_file() and not path.is_symlink() and path not in busy:
            yield path


def _halves(data_set: Path) -> list[Path]:
    return [path for path in data_set.rglob(f"*{HALF}") if is_busy(path)]
