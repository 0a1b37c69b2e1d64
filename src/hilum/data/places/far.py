"""An address that is no path on this disk -> the module of its place, the files below it, one file's bytes.

Knows which schemes there are and which extra they need; the modules themselves are loaded when one is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from hilum.errors import MissingExtra, UnreadableImage, UsageError


@dataclass(frozen=True, slots=True)
class Remote:
    """A kind of place that is not this disk: its schemes, and the module that is loaded when one is asked for.

    files: whether single files are read there (`list_files`, `read_one`), or only whole sources (`open_remote`).
    """

    schemes: tuple[str, ...]
    module: str
    files: bool = True


REMOTES = (
    Remote(("https",), "hilum.data.places.web"),
    Remote(("s3", "gs", "az"), "hilum.data.places.bucket"),
    Remote(("kaggle",), "hilum.data.places.kaggle", files=False),
    Remote(("hf",), "hilum.data.places.huggingface", files=False),
)
CLIENTS = frozenset(("httpx", "certifi", "obstore", "kagglehub", "requests", "huggingface_hub"))


def is_far(reference: str) -> bool:
    """Whether a reference names something that is not on this disk."""
    return "://" in reference


def place_of(reference: str, *, files: bool = False) -> ModuleType:
    """The module that reads there; `files`: it must read single files.

    Raises:
        UsageError: nothing here reads such an address.
        MissingExtra: the kind of place needs an extra that is not installed.
    """
    scheme = reference.partition("://")[0].lower()
    fitting = [remote for remote in REMOTES if remote.files or not files]
    remote = next((remote for remote in fitting if scheme in remote.schemes), None)
    if remote is None:
        known = ", ".join(f"{name}://" for each in fitting for name in each.schemes)
        raise UsageError(f"{scheme}:// is not read here; there are: a path, {known}")
    try:
        return import_module(remote.module)
    except ModuleNotFoundError as error:
        if error.name not in CLIENTS:
            raise
        raise MissingExtra(f"reading {scheme}://", "sources") from error


def list_files(reference: str) -> Iterator[str]:
    """The addresses of the files below an address, as they come; of a single file, its own. May be none.

    Raises:
        UsageError: as place_of.
        UnreadableSource: the place cannot be listed (any more).
    """
    found: Iterator[str] = place_of(reference, files=True).list_files(reference)
    return found


def read_far(reference: str, limit: int) -> bytes:
    """The bytes of one file; nothing of it is kept on this disk.

    Raises:
        UnreadableImage: it cannot be fetched.
        ImageTooLarge: it is longer than `limit` bytes.
    """
    try:
        data: bytes = place_of(reference, files=True).read_one(reference, limit)
    except UsageError as error:
        raise UnreadableImage(reference, str(error)) from error
    return data
