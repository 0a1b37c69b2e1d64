"""What a table calls an image -> the file meant: by path, by name, without suffix, without case; opens no file."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from hilum.data.layouts.found import without_suffix


class Names:
    """Files by the last part of their path, with and without suffix, in lower case."""

    def __init__(self, paths: Iterable[str]) -> None:
        plain = [(_plain(path), path) for path in paths]
        self._whole = _Spelled(plain)
        self._stems = _Spelled((_bare(word), path) for word, path in plain)
        self._folders: dict[str, frozenset[str]] = {}
        self._several: dict[tuple[str, str, bool], tuple[str, ...]] = {}  # every row of a table may say the same

    def find(self, word: str, beside: str = "", *, by_path: bool = False) -> tuple[str, ...]:
        """The files a cell can mean: one, several where it is ambiguous, or none.

        word: a path, a name or a name without suffix.
        beside: the folder of the table: of several files those in it go first, then those below it.
        by_path: a cell that names a folder means no file of another folder.
        """
        wanted = _plain(word.replace("\\", "/").strip("/"))
        while wanted.startswith(("./", "../")):
            wanted = wanted.partition("/")[2]
        asked = (wanted, beside, by_path)
        if asked in self._several:
            return self._several[asked]
        found = self._nearest(self._meant(wanted, by_path=by_path), wanted, beside)
        if len(found) > 1:
            self._several[asked] = found
        return found

    def _meant(self, wanted: str, *, by_path: bool) -> Sequence[str]:
        name = wanted.rpartition("/")[2]
        spelled = self._whole if name in self._whole.by_name else self._stems
        named = spelled.by_name.get(name, ())
        if "/" not in wanted or not (by_path or len(named) > 1):
            return named
        found = spelled.ending(wanted)
        if found or not by_path:
            return found
        above = tuple(spelled.ends_of(wanted))
        return above if len(above) == 1 else ()

    def _nearest(self, found: Sequence[str], wanted: str, beside: str) -> tuple[str, ...]:
        if len(found) < 2:
            return tuple(found)
        here = _plain(f"{beside}/{wanted}").strip("/")
        exact = self._whole.by_path.get(here, []) or self._stems.by_path.get(here, [])
        below = self._below(beside)
        return tuple(exact) or tuple(path for path in found if path in below) or tuple(found)

    def _below(self, folder: str) -> frozenset[str]:
        if folder not in self._folders:
            self._folders[folder] = frozenset(self._whole.beginning(f"{_plain(folder)}/"))
        return self._folders[folder]


class _Spelled:
    """Paths as a table may spell them, found by their last part and by as many of the last parts as it writes.

    A set may hold a folder a patient with files of the same names in each: no question looks at them all.
    """

    def __init__(self, words: Iterable[tuple[str, str]]) -> None:
        self._words = tuple(words)
        self.by_name: dict[str, list[str]] = defaultdict(list)
        for word, path in self._words:
            self.by_name[word.rpartition("/")[2]].append(path)

    def ending(self, wanted: str) -> list[str]:
        """The paths that are this one, or end with it."""
        start, found = _backwards(wanted), []
        for number in range(bisect_left(self._from_the_end, (start, "")), len(self._from_the_end)):
            word, path = self._from_the_end[number]
            if not word.startswith(start):
                break
            found.append(path)
        return found

    def beginning(self, start: str) -> Iterator[str]:
        """The paths that begin with this."""
        for number in range(bisect_left(self._from_the_start, (start, "")), len(self._from_the_start)):
            word, path = self._from_the_start[number]
            if not word.startswith(start):
                break
            yield path

    def ends_of(self, wanted: str) -> Iterator[str]:
        """The paths that this one ends with: the table was written in a folder above."""
        parts = wanted.rsplit("/", self._most_folders + 1)
        for number in range(1, len(parts)):
            yield from self.by_path.get("/".join(parts[number:]), ())

    @cached_property
    def _from_the_start(self) -> list[tuple[str, str]]:
        return sorted(self._words)

    @cached_property
    def _from_the_end(self) -> list[tuple[str, str]]:
        return sorted((_backwards(word), path) for word, path in self._words)

    @cached_property
    def by_path(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for word, path in self._words:
            found[word].append(path)
        return found

    @cached_property
    def _most_folders(self) -> int:
        return max((word.count("/") for word, _ in self._words), default=0)


def _backwards(word: str) -> str:
    """From its last letter to its first, with a stroke before the first: those that end alike stand together."""
    return f"/{word}"[::-1]


def _plain(path: str) -> str:
    """Without case, and with letters composed: macOS writes an umlaut in a file's name as two characters."""
    return unicodedata.normalize("NFC", path).lower()


def _bare(word: str) -> str:
    """A path without its file's suffix."""
    folder, stroke, name = word.rpartition("/")
    return f"{folder}{stroke}{without_suffix(name)}"
