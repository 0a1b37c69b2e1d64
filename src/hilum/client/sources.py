"""What a person has at hand (paths, folders, bytes, arrays, tables of paths) -> named files to be sent."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hilum.errors import UnreadableImage, UsageError
from hilum.leftovers import is_left_over

COLUMNS = ("path", "file", "image", "filename", "file_path", "image_path")  # of a table, the first that it has
ENDINGS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", ".webp", ".dcm", ".dicom", "")
One = str | os.PathLike[str] | bytes | NDArray[Any]
Many = Sequence[Any] | Any  # a list of such, a folder, or a table with a column of paths


@dataclass(frozen=True, slots=True)
class Source:
    """One file to be sent; its bytes are read when they are."""

    name: str
    content: bytes | Path

    def read(self) -> bytes:
        """The bytes.

        Raises:
            UnreadableImage: the file cannot be opened.
        """
        if isinstance(self.content, bytes):
            return self.content
        try:
            return self.content.read_bytes()
        except OSError as error:
            raise UnreadableImage(self.name, f"cannot be opened ({error.strerror})") from error


def source_of(one: Any, index: int = 0) -> Source:
    """One image.

    Raises:
        UsageError: nothing that an image could be.
    """
    if isinstance(one, bytes | bytearray | memoryview):
        return Source(f"image {index}", bytes(one))
    if isinstance(one, np.ndarray):
        return Source(f"array {index}.png", png_of(one))
    if isinstance(one, str | os.PathLike):
        path = Path(one)
        if os.path.isdir(path):  # noqa: PTH112  # no error where the system takes no such name
            raise UsageError(f"{path} is a folder: use predict_many")
        if not os.path.isfile(path):  # noqa: PTH113
            raise UsageError(f"no file {path!s:.200}")
        return Source(whole(path.name), path)
    raise UsageError(f"{type(one).__name__} is no image: give a path, bytes or an array (H, W) or (H, W, 3)")


def sources_of(many: Any) -> tuple[Source, ...]:
    """Several images: a folder, a table with a column of paths, a stack of arrays (N, H, W), or a list.

    Raises:
        UsageError: nothing of the kind.
    """
    if isinstance(many, str | os.PathLike):
        path = Path(many)
        return _folder(path) if os.path.isdir(path) else (source_of(path),)  # noqa: PTH112
    columns = getattr(many, "columns", None)
    if columns is not None:
        column = next((name for name in COLUMNS if name in columns), None)
        if column is None:
            raise UsageError(f"the table needs a column of paths named one of: {', '.join(COLUMNS)}")
        many = many[column].tolist()
    elif isinstance(many, np.ndarray) and many.ndim < 3 and many.dtype.kind != "O":
        raise UsageError(f"an array {many.shape} is no stack of images: give (N, H, W)")
    if not isinstance(many, Iterable) or isinstance(many, bytes | bytearray):
        raise UsageError(f"{type(many).__name__} holds no images: give a folder, a list or a table of paths")
    return tuple(source_of(one, i) for i, one in enumerate(many))


def is_many(what: Any) -> bool:
    """Whether several images are meant."""
    if isinstance(what, np.ndarray):
        return what.dtype.kind == "O" or what.ndim == 4 or (what.ndim == 3 and what.shape[2] not in (1, 3, 4))
    return not isinstance(what, str | os.PathLike | bytes | bytearray | memoryview)


def png_of(array: NDArray[Any]) -> bytes:
    """(H, W), (H, W, 1) or (H, W, 3) RGB -> PNG, lossless: uint8 and uint16 as they are, floats in [0, 1] as 16 bits.

    Raises:
        UsageError: another shape, another type, or floats outside [0, 1].
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3) or array.size == 0:
        raise UsageError(f"an array {array.shape} is no image: give (H, W) or (H, W, 3)")
    if array.dtype.kind == "f":
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise UsageError("floats must lie in [0, 1]: scale them, or give uint8 or uint16")
        most, kind = (65535, np.uint16) if array.ndim == 2 else (255, np.uint8)
        array = np.rint(array.astype(np.float64) * most).astype(kind)  # half precision ends at 65504
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    if array.dtype != np.uint8 and not (array.dtype == np.uint16 and array.ndim == 2):
        raise UsageError(f"an array of {array.dtype} cannot be sent: give uint8, uint16 (H, W) or floats in [0, 1]")
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _folder(folder: Path) -> tuple[Source, ...]:
    paths = sorted(path for path in _below(folder, ()) if path.is_file() and _ending(path.name) in ENDINGS)
    if not paths:
        raise UsageError(f"{folder} holds no images")
    return tuple(Source(whole(path.relative_to(folder).as_posix()), path) for path in paths)


def _below(folder: Path, way: tuple[str, ...]) -> Iterator[Path]:
    """What lies below a folder and is not hidden; links are followed, but none back to a folder on the way to it."""
    real = os.path.realpath(folder)
    if real in way or not os.access(folder, os.R_OK | os.X_OK):
        return
    for path in folder.iterdir():
        if not _is_hidden(path.name):
            yield from _below(path, (*way, real)) if path.is_dir() else (path,)


def _ending(name: str) -> str:
    """With its dot; "" for none, and for the last number of a UID, as DICOM files are called (1.2.840.10008.1)."""
    ending = Path(name).suffix.lower()
    return "" if ending[1:].isdigit() else ending


def _is_hidden(part: str) -> bool:
    """Whether a file or folder is a system's or a notebook's own, as .ipynb_checkpoints with a copy of each image."""
    return part.startswith(".") or is_left_over(part) or is_left_over(f"{part}/")


def whole(name: str) -> str:
    """A file's name as it can be sent: bytes that are no UTF-8, as old archives have them, as the mark for such."""
    return os.fsencode(name).decode("utf-8", "replace")
