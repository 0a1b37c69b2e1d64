"""Arguments of `hilum predict` -> the paths and addresses of single files, in order, one at a time; knows no pixel."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from hilum.data.places.far import is_far, list_files, place_of
from hilum.errors import UnreadableSource, UsageError, printable
from hilum.flows.reading import Item, Unlisted
from hilum.leftovers import is_hidden, is_left_over

WORDS = {"license", "readme", "notice", "authors", "makefile"}
TEXT = {
    ".py",
    ".md",
    ".txt",
    ".csv",
    ".tsv",
    ".json",
    ".jsonl",
    ".xml",
    ".html",
    ".toml",
    ".yaml",
    ".yml",
    ".ini",
    ".log",
}


def expand(arguments: Sequence[str], apart: Path | None = None) -> Iterator[Item]:
    """Files as they are given, folders and buckets walked in sorted order, `-` as a list of paths on stdin.

    In folders, stray files of the system (.DS_Store, Thumbs.db, hidden ones) and text files are left out; links are
    followed, but none back to where it lies.

    apart: a folder that is written into meanwhile; what lies there is no input.

    Raises:
        UsageError: a path does not exist, or nothing here reads such an address; it is the folder that is apart.
        MissingExtra: reading there needs an extra that is not installed.
    """
    for argument in arguments:
        if is_far(argument):
            place_of(argument, files=True)
        elif argument != "-" and not Path(argument).exists():
            raise UsageError(f"{printable(argument)}: no such file or folder")
        elif apart is not None and os.path.realpath(argument) == os.path.realpath(apart):
            raise UsageError(f"{printable(argument)}: pictures are to be written there: name another folder for them")
    return _walk(arguments, "" if apart is None else os.path.realpath(apart))


def _walk(arguments: Sequence[str], apart: str) -> Iterator[Item]:
    for argument in arguments:
        if argument == "-":
            yield from (line.rstrip("\r\n") for line in sys.stdin if line.strip())
        elif is_far(argument):
            yield from _below(argument)
        elif Path(argument).is_dir():
            yield from _files(argument, apart)
        else:
            yield argument


def _below(address: str) -> Iterator[Item]:
    try:
        for file in list_files(address):
            if file == address or not _is_stray(file.removeprefix(address)):
                yield file
    except UnreadableSource as error:
        yield Unlisted(address, error.reason)


def _files(folder: str, apart: str) -> Iterator[Item]:
    times = Counter[str]()
    ways: dict[str, tuple[str, ...]] = {}  # a folder -> the real ones that links led from on the way to it
    refused: list[OSError] = []
    for root, folders, names in os.walk(folder, onerror=refused.append, followlinks=True):
        yield from _unlisted(refused)
        yield from (_plain(str(Path(root) / name)) for name in sorted(names) if not _is_stray(name))
        way, inside = ways.pop(root, ()), sorted(name for name in folders if not _is_stray(f"{name}/"))
        folders.clear()
        for name in inside:
            below = os.path.join(root, name)  # noqa: PTH118  as os.walk will name it
            if apart and os.path.realpath(below) == apart:
                continue
            try:
                led = _led(below, way, times)
            except UnreadableSource as error:
                yield Unlisted(below, error.reason)
                continue
            if led is not None:
                folders.append(name)
                ways |= {below: led} if led else {}
    yield from _unlisted(refused)


def _plain(path: str) -> Item:
    """The path, where a file lies there: a pipe would keep us waiting for somebody who writes into it."""
    with contextlib.suppress(OSError):  # a link that leads nowhere: said when it is read
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  as os.walk names it
            return Unlisted(path, "is a pipe, a socket or a device, and no file")
    return path


def _unlisted(refused: list[OSError]) -> Iterator[Item]:
    yield from (Unlisted(str(error.filename), f"cannot be listed: {error.strerror}") for error in refused)
    refused.clear()


def _led(folder: str, way: tuple[str, ...], times: Counter[str]) -> tuple[str, ...] | None:
    """The way that leads below a folder; None where it is a link back to where it lies."""
    if not os.path.islink(folder):  # noqa: PTH114
        return way
    from hilum.data.places.folder import led

    return led(folder, way, times) or None


def _is_stray(path: str) -> bool:
    """Whether a path below the folder that was named is hidden, the system's own, or text."""
    parts = path.lstrip("/").split("/")
    if is_left_over(path) or is_hidden("/".join(parts)):
        return True
    return parts[-1].lower() in WORDS or PurePosixPath(parts[-1]).suffix.lower() in TEXT
