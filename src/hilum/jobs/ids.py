"""What a caller calls a batch or a work -> the folder of that id, and no other place; knows no content."""

from __future__ import annotations

import uuid
from pathlib import Path

from hilum.errors import NotFound


def place_of(folder: Path, identity: str, kind: str) -> Path:
    """The place of a UUID written in its one usual way: lower case, with its hyphens and nothing around it.

    Raises:
        NotFound: it is written otherwise, or is none; `kind` says what there is none of.
    """
    try:
        usual = str(uuid.UUID(identity)) == identity
    except ValueError:
        usual = False
    if not usual:
        raise NotFound(f"no {kind} {identity[:64]!r}")
    return folder / identity
