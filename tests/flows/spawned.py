"""Desks that the worker processes of a test open; without torch, so that a worker starts in no time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import hilum.flows.bulk as bulk
from hilum.flows.predict import Desk, Options
from hilum.flows.reading import Read
from hilum.flows.speaker import Speaker
from hilum.model.package import Trust, open_package


def open_desk(folder: Path, digest: str) -> Desk:
    """A desk of one package."""
    return Desk((Speaker(open_package(folder, Trust({digest}))),))


def dying_desk(folder: Path, digest: str) -> Desk:
    """A desk whose reader dies on one file, as a crash inside a native decoder would."""
    whole = bulk.answer_files

    def answer_files(found: Sequence[Read], desk: Desk, options: Options) -> Iterator[bulk.Line]:
        if any(path.endswith("deadly.png") for path, _ in found):
            os._exit(139)
        return whole(found, desk, options)

    bulk.answer_files = answer_files
    return open_desk(folder, digest)
