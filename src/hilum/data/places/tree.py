"""What every place offers: paths, sizes and bytes; and which of the paths can be images. Knows no label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Protocol

from hilum.data.places.cache import Cache
from hilum.errors import StorageError
from hilum.leftovers import is_hidden, is_left_over

IMAGE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", ".webp", ".dcm", ".dicom")
)
# pictures of formats that are not read, as their suffix says: each is left out for that reason, not by accident
UNREAD_FORMATS = {
    ".gif": "GIF", ".jp2": "JPEG 2000", ".heic": "HEIC", ".heif": "HEIC", ".avif": "AVIF", ".svg": "SVG", ".psd": "PSD",
    ".pgm": "PGM", ".ppm": "PPM", ".nii": "NIfTI", ".nii.gz": "NIfTI", ".mha": "MetaImage", ".mhd": "MetaImage",
    ".nrrd": "NRRD", ".svs": "SVS", ".mp4": "MP4", ".avi": "AVI",
}  # fmt: skip
DICOM_SUFFIXES = frozenset((".dcm", ".dicom"))
TABLE_SUFFIXES = frozenset((".csv", ".tsv", ".jsonl"))
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
DICOM_MAGIC = (128, b"DICM")  # PS3.10 section 7.1: 128 bytes of preamble, then the prefix


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its path inside the place, with `/`, and its size in bytes."""

    path: str
    size: int


class Tree(Protocol):
    """A readable place. Must survive pickling, so that workers can read too."""

    @property
    def reference(self) -> str:
        """The place as the user named it."""
        ...

    @property
    def cache(self) -> Cache:
        """Where what is fetched or unpacked is kept."""
        ...

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All files, in the order of their paths."""
        ...

    def id(self, path: str) -> str:
        """The path as the user would give it."""
        ...

    def read(self, path: str, limit: int) -> bytes:
        """The whole file.

        Raises:
            UnreadableImage: it is longer than `limit` bytes or cannot be read.
            StorageError: the place gives nothing now, or this disk takes nothing; see `not_given`.
        """
        ...

    def head(self, path: str, length: int) -> bytes:
        """The first bytes of the file."""
        ...

    def local(self, path: str) -> Path:
        """A file on this disk with the same bytes, to be mapped into memory."""
        ...


def not_given(name: str, reason: str) -> StorageError:
    """What is raised where the place, not the file, is at fault: left out as a bad one, it would thin the data set."""
    return StorageError(
        f"{name}: cannot be fetched now ({reason}); what was fetched so far is kept: do the same again once it can be"
    )


@dataclass(frozen=True, slots=True)
class Sorted:
    """The files of a tree by what they can be; the four parts hold every file once."""

    images: tuple[str, ...]
    tables: tuple[str, ...]
    arrays: tuple[str, ...]
    stray: tuple[str, ...]


def sort_files(tree: Tree) -> Sorted:
    """Tell images, tables and arrays from what lies there by accident. Opens only files without a suffix."""
    images, tables, arrays, stray = [], [], [], []
    for entry in tree.entries:
        name = entry.path.rpartition("/")[2]
        suffix = suffix_of(name)
        if entry.size == 0 or is_left_over(entry.path) or is_hidden(entry.path):
            stray.append(entry.path)
        elif suffix in IMAGE_SUFFIXES:
            images.append(entry.path)
        elif suffix in TABLE_SUFFIXES:
            tables.append(entry.path)
        elif suffix == ".npz":
            arrays.append(entry.path)
        elif not suffix and _says_dicom(tree, entry):
            images.append(entry.path)
        else:
            stray.append(entry.path)
    return Sorted(tuple(images), tuple(tables), tuple(arrays), tuple(stray))


def unread_formats(paths: Iterable[str]) -> str:
    """Which pictures among stray files are of formats that are not read, in words; "" where there are none."""
    wanted = [path.rpartition("/")[2].lower() for path in paths if not is_left_over(path)]
    found = Counter(form for name in wanted for end, form in UNREAD_FORMATS.items() if name.endswith(end))
    told = ", ".join(f"{count} {form}" for form, count in found.most_common())
    return f"format not read: {told}" if told else ""


def suffix_of(name: str) -> str:
    """The lower-case suffix with its dot; "" for none, and for a UID's last number (1.2.840.10008.1)."""
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if dot and stem and not suffix.isdigit() else ""


def join(reference: str, path: str) -> str:
    """A reference and a path inside it, as the user would write it."""
    return f"{reference.rstrip('/') or '/'}/{path}" if reference != "/" else f"/{path}"


def by_path(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Entries in the order of their paths."""
    return tuple(sorted(entries, key=attrgetter("path")))


def _says_dicom(tree: Tree, entry: Entry) -> bool:
    start, magic = DICOM_MAGIC
    return entry.size > start + len(magic) and tree.head(entry.path, start + len(magic))[start:] == magic
