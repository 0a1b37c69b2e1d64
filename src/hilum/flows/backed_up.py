"""A folder -> whether it is a backup, and what its list says; it is looked at as it lies, and never opened.

Opening its records for anything else changes their file, and then `hilum restore` would not take it any more.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from hilum.errors import UsageError
from hilum.flows.restoring import check_restored

LIST, FORMAT = "backup.json", 1
RECORDS, IMAGES = "hilum.db", "images/images.sqlite"  # in the backup


def check_openable(home: Path) -> None:
    """Nothing is opened to be written in half an installation, nor in a backup.

    Raises:
        UsageError: it is one of them.
    """
    check_restored(home)
    if as_backed_up(home):
        raise UsageError(
            f"{home}: is a backup, which nothing could restore any more once it was opened: `hilum verify` looks at it "
            f"as it lies, `hilum restore {home}` makes an installation of it in an empty HILUM_HOME"
        )


def as_backed_up(folder: Path) -> bool:
    """Whether this is a backup whose records, or images where it holds none, nobody has opened since."""
    if not (folder / LIST).is_file():
        return False
    said = listed(folder)
    name = next((name for name in (RECORDS, IMAGES) if name in said), None)
    return name is not None and (folder / name).is_file() and hash_of(folder / name) == said[name]


def listed(source: Path) -> dict[str, str]:
    """Name -> hash of all that is in a backup.

    Raises:
        UsageError: it is none, or of a newer Hilum.
    """
    try:
        said = json.loads((source / LIST).read_bytes())
        if said["format"] == FORMAT:
            return {str(name): str(digest) for name, digest in said["files"].items()}
    except FileNotFoundError:
        raise UsageError(f"{source}: no finished backup, {LIST} is missing") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{source / LIST}: cannot be read: {error}") from error
    raise UsageError(f"{source / LIST}: of a newer Hilum")


def hash_of(file: Path) -> str:
    """SHA-256 of a file, as the list writes it."""
    with file.open("rb") as reading:
        return hashlib.file_digest(reading, "sha256").hexdigest()
