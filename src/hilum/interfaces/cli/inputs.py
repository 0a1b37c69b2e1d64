"""Arguments of `hilum predict` -> the paths and addresses of single files, in order, one at a time; knows no pixel."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from hilum.data.places.far import is_far, list_files, place_of
from hilum.errors import UnreadableSource, UsageError, printable
from hilum.flows.reading import Item, Unlisted

STRAY = {".ds_store", "thumbs.db", "desktop.ini", "dicomdir", "license", "readme", "notice", "authors", "makefile"}
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


def expand(arguments: Sequence[str]) -> Iterator[Item]:
    """Files as they are given, folders and buckets walked in sorted order, `-` as a list of paths on stdin.

    In folders, stray files of the system (.DS_Store, Thumbs.db, hidden ones) and text files are left out.

    Raises:
        UsageError: a path does not exist, or nothing here reads such an address.
        MissingExtra: reading there needs an extra that is not installed.
    """
    for argument in arguments:
        if is_far(argument):
            place_of(argument, files=True)
        elif argument != "-" and not Path(argument).exists():
            raise UsageError(f"{printable(argument)}: no such file or folder")
    return _walk(arguments)


def _walk(arguments: Sequence[str]) -> Iterator[Item]:
    for argument in arguments:
        if argument == "-":
            yield from (line.rstrip("\r\n") for line in sys.stdin if line.strip())
        elif is_far(argument):
            yield from _below(argument)
        elif Path(argument).is_dir():
            yield from _files(argument)
        else:
            yield argument


def _below(address: str) -> Iterator[Item]:
    try:
        for file in list_files(address):
            if file == address or not _is_stray(file.removeprefix(address)):
                yield file
    except UnreadableSource as error:
        yield Unlisted(address, error.reason)


def _files(folder: str) -> Iterator[Item]:
    refused: list[OSError] = []
    for root, folders, names in os.walk(folder, onerror=refused.append):
        yield from (Unlisted(str(error.filename), f"cannot be listed: {error.strerror}") for error in refused)
        refused.clear()
        folders[:] = sorted(name for name in folders if not _is_stray(f"{name}/"))
        yield from (str(Path(root) / name) for name in sorted(names) if not _is_stray(name))
    yield from (Unlisted(str(error.filename), f"cannot be listed: {error.strerror}") for error in refused)


def _is_stray(path: str) -> bool:
    """Whether a path below the folder that was named is hidden, the system's own, or text."""
    *folders, name = path.lstrip("/").split("/")
    if any(part.startswith(".") or part in ("__MACOSX", "__pycache__") for part in (*folders, name)):
        return True
    return name.lower() in STRAY or PurePosixPath(name).suffix.lower() in TEXT
