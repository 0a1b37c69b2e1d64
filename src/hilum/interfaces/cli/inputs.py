"""Arguments of `hilum predict` -> the paths of single files, in order, one at a time; knows no pixel."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from hilum.errors import UsageError

STRAY = {".ds_store", "thumbs.db", "desktop.ini"}
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


def expand(arguments: Sequence[str]) -> Iterator[str]:
    """Files as they are given, folders walked in sorted order, `-` as a list of paths on stdin.

    In folders, stray files of the system (.DS_Store, Thumbs.db, hidden ones) and text files are left out.

    Raises:
        UsageError: a path does not exist.
    """
    for argument in arguments:
        if not is_far(argument) and argument != "-" and not Path(argument).exists():
            raise UsageError(f"{argument}: no such file or folder")
    return _walk(arguments)


def is_far(reference: str) -> bool:
    """Whether a reference names something that is not on this disk."""
    return "://" in reference


def _walk(arguments: Sequence[str]) -> Iterator[str]:
    for argument in arguments:
        if argument == "-":
            yield from (line.rstrip("\n") for line in sys.stdin if line.strip())
        elif Path(argument).is_dir():
            yield from _files(argument)
        else:
            yield argument


def _files(folder: str) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
        for name in sorted(names):
            if not name.startswith(".") and name.lower() not in STRAY and Path(name).suffix.lower() not in TEXT:
                yield str(Path(root) / name)
