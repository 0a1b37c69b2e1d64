"""What a table calls an image -> the file meant: by path, by name, without suffix, without case; opens no file."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from hilum.data.layouts.found import without_suffix


class Names:
    """Files by the last part of their path, with and without suffix, in lower case."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            name = _plain(path).rpartition("/")[2]
            self._by_name[name].append(path)
            self._by_stem[without_suffix(name)].append(path)

    def find(self, word: str, beside: str = "", *, by_path: bool = False) -> tuple[str, ...]:
        """The files a cell can mean: one, several where it is ambiguous, or none.

        word: a path, a name or a name without suffix; beside: the folder of the table, whose files go first.
        by_path: a cell that names a folder means no file of another folder.
        """
        wanted = _plain(word.replace("\\", "/").strip("/"))
        while wanted.startswith(("./", "../")):
            wanted = wanted.partition("/")[2]
        name = wanted.rpartition("/")[2]
        found = self._by_name.get(name) or self._by_stem.get(name) or []
        if by_path and "/" in wanted:
            found = [path for path in found if _one_ends_the_other(_plain(path), wanted)]
        if len(found) < 2:
            return tuple(found)
        return self._nearest(found, wanted, beside)

    @staticmethod
    def _nearest(found: list[str], wanted: str, beside: str) -> tuple[str, ...]:
        def ends(path: str) -> bool:
            lowered = f"/{_plain(path)}"
            return lowered.endswith(f"/{wanted}") or without_suffix(lowered).endswith(f"/{wanted}")

        exact = [path for path in found if ends(path)] if "/" in wanted else found
        near = [path for path in exact if _plain(path) == _plain(f"{beside}/{wanted}").strip("/")]
        return tuple(near or exact)


def _plain(path: str) -> str:
    """Without case, and with letters composed: macOS writes an umlaut in a file's name as two characters."""
    return unicodedata.normalize("NFC", path).lower()


def _one_ends_the_other(path: str, wanted: str) -> bool:
    ours, theirs = f"/{path}", f"/{wanted}"
    return any(one.endswith(theirs) or theirs.endswith(one) for one in (ours, without_suffix(ours)))
