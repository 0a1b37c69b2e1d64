"""A folder or one file on this disk -> a tree; knows no label."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from hilum.data.dataset import Progress
from hilum.data.places.cache import Cache
from hilum.data.places.tree import Entry, by_path, join
from hilum.errors import ImageTooLarge, UnreadableImage, UnreadableSource
from hilum.image.limits import read_at_most
from hilum.leftovers import is_left_over

MAX_DEPTH = 64
MAX_TIMES = 100  # a folder that links lead to is listed: links to links to links would make millions of a few files


@dataclass(frozen=True)
class Folder:
    """A folder. `reference` is how the user named it; `root` is where it lies (a hub's cache, for example)."""

    reference: str
    root: str
    cache: Cache
    progress: Progress | None = field(default=None, compare=False)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """All files below the folder; links to files and folders are followed, but none back to where it lies."""
        found = _walk(self.root, self.progress)
        return by_path(found)

    def __getstate__(self) -> dict[str, object]:
        return {"reference": self.reference, "root": self.root, "cache": self.cache, "progress": None}

    def id(self, path: str) -> str:
        """The reference joined with the path."""
        return join(self.reference, path)

    def read(self, path: str, limit: int) -> bytes:
        """See Tree."""
        return read_file(f"{self.root}/{path}", self.id(path), limit)

    def head(self, path: str, length: int) -> bytes:
        """See Tree."""
        try:
            with self.local(path).open("rb") as file:
                return file.read(length)
        except OSError:
            return b""

    def local(self, path: str) -> Path:
        """The file itself."""
        return Path(self.root, path)


@dataclass(frozen=True)
class OneFile:
    """A tree of one file, an .npz for example. `file` is where it lies, `name` what it is called inside the tree."""

    reference: str
    file: str
    cache: Cache
    name: str

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The file alone."""
        return (Entry(self.name, Path(self.file).stat().st_size),)

    def id(self, path: str) -> str:
        """The reference itself."""
        return self.reference if path == self.name else join(self.reference, path)

    def read(self, path: str, limit: int) -> bytes:
        """See Tree."""
        return read_file(self.file, self.id(path), limit)

    def head(self, path: str, length: int) -> bytes:  # noqa: ARG002  there is one file
        """See Tree."""
        with Path(self.file).open("rb") as file:
            return file.read(length)

    def local(self, path: str) -> Path:  # noqa: ARG002  there is one file
        """The file itself."""
        return Path(self.file)


def read_file(file: str, name: str, limit: int) -> bytes:
    """The bytes of a file of at most `limit` bytes.

    Raises:
        ImageTooLarge: it is longer; nothing but the limit was read.
        UnreadableImage: it cannot be opened.
    """
    try:
        data = read_at_most(file, limit)
    except OSError as error:
        raise UnreadableImage(name, error.strerror or "cannot be read") from error
    if len(data) > limit:
        raise ImageTooLarge(name, f"larger than the limit of {limit:,} bytes")
    return data


def _walk(root: str, progress: Progress | None) -> list[Entry]:
    found: list[Entry] = []
    waiting: list[tuple[str, int, tuple[str, ...]]] = [("", 0, ())]  # a folder, its depth, real folders links led from
    times = Counter[str]()
    while waiting:
        inside, depth, around = waiting.pop()
        for entry in _scan(f"{root}/{inside}" if inside else root):
            path = f"{inside}/{entry.name}" if inside else entry.name
            try:
                if not entry.is_dir():
                    found.append(Entry(path, entry.stat().st_size))
                elif depth < MAX_DEPTH and not entry.is_symlink():
                    waiting.append((path, depth + 1, around))
                elif depth < MAX_DEPTH and (way := led(entry.path, around, times)):
                    waiting.append((path, depth + 1, way))
            except OSError:  # a dangling link: nothing to read
                found.append(Entry(path, 0))
            if progress and len(found) % 10_000 == 0 and found:
                progress(len(found), None)
    return found


def _scan(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        if is_left_over(f"{Path(folder).name}/"):
            return []
        raise UnreadableSource(folder, error.strerror or "cannot be listed") from error


def led(link: str, around: tuple[str, ...], times: Counter[str]) -> tuple[str, ...]:
    """The real folders that links led from on the way through this one; () where it leads back to one of them.

    One folder linked as train and as test is listed under both: it is a leak, and dropping one of them would hide it.

    Raises:
        UnreadableSource: too many links lead to one folder.
    """
    real, way = os.path.realpath(link), (*around, os.path.realpath(Path(link).parent))
    if any(f"{folder}/".startswith(f"{real.rstrip('/')}/") for folder in way):
        return ()
    times[real] += 1
    if times[real] > MAX_TIMES:
        raise UnreadableSource(link, f"is one of more than {MAX_TIMES} links to one folder; take some of them away")
    return way
