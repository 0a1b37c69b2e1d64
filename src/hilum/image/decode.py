"""Bytes of one image file -> its frames as grey Images; knows whose magic belongs to which reader, and no pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hilum.errors import UnreadableImage, UnsupportedFormat
from hilum.image import grey
from hilum.image.image import Image, Metadata
from hilum.image.jpeg import read_jpeg
from hilum.image.limits import DEFAULT_LIMITS, Limits
from hilum.image.raster_header import check_header

__all__ = ["FORMATS", "Limits", "decode", "from_array", "is_dicom", "read_image_file"]


class Reader(Protocol):
    """Reads the bytes of one format, `only` one frame of it or all; raises UnreadableImage or a child of it."""

    def __call__(
        self, data: bytes, form: str, name: str, limits: Limits, only: int | None = None
    ) -> tuple[Image, ...]: ...


@dataclass(frozen=True, slots=True)
class Format:
    """A format of the allow-list: how its bytes begin and who reads them."""

    name: str
    accepts: Callable[[bytes], bool]
    read: Reader


def _read_dicom(data: bytes, form: str, name: str, limits: Limits, only: int | None = None) -> tuple[Image, ...]:
    """A late import: pydicom costs as much as everything else together: only for a DICOM file."""
    reader: Reader = import_module("hilum.image.dicom.read").read_dicom
    return reader(data, form, name, limits, only)


def _read_raster(data: bytes, form: str, name: str, limits: Limits, only: int | None = None) -> tuple[Image, ...]:
    """A late import: Pillow is not needed for most JPEG files."""
    reader: Reader = import_module("hilum.image.raster").read_raster
    return reader(data, form, name, limits, only)


def _read_jpeg(data: bytes, form: str, name: str, limits: Limits, only: int | None = None) -> tuple[Image, ...]:
    check_header(data, form, name, limits)
    found = read_jpeg(data)
    return _read_raster(data, form, name, limits, only) if found is None else (found,)


def _is_bare_dicom(head: bytes) -> bool:
    """A data set without preamble begins with an element of group 0002 or 0008 (PS3.5 7.1), little or big endian."""
    return head[:4] in _FIRST_TAGS and len(head) >= 16


_FIRST_TAGS = frozenset(
    group.to_bytes(2, order) + element.to_bytes(2, order)
    for order in ("little", "big")
    for group, elements in {2: (0, 1, 2, 16), 8: (0, 1, 5, 6, 8, 18, 20, 22, 24, 32, 96)}.items()
    for element in elements
)

# Most specific first: DICM stands at byte 128 whatever the preamble pretends to be.
FORMATS = (
    Format("DICOM", lambda head: head[128:132] == b"DICM", _read_dicom),
    Format("JPEG", lambda head: head[:3] == b"\xff\xd8\xff", _read_jpeg),
    Format("PNG", lambda head: head[:8] == b"\x89PNG\r\n\x1a\n", _read_raster),
    Format("TIFF", lambda head: head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _read_raster),
    Format("WEBP", lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", _read_raster),
    Format("BMP", lambda head: head[:2] == b"BM", _read_raster),
    Format("DICOM", _is_bare_dicom, _read_dicom),
)


def decode(data: bytes, *, name: str, limits: Limits = DEFAULT_LIMITS, only: int | None = None) -> tuple[Image, ...]:
    """Decode one image file, recognised by its content, never by its name.

    name: what the file is called in messages.
    only: the number of the one frame that is wanted (the last, where there are fewer): no other is decoded.
    Returns one Image a frame, in the file's order; never an empty tuple.
    Raises UnreadableImage (broken), UnsupportedFormat (outside the allow-list) or ImageTooLarge (beyond `limits`).
    """
    if not data:
        raise UnreadableImage(name, "the file is empty")
    limits.check_bytes(name, len(data))
    head = bytes(data[:160])
    for form in FORMATS:
        if form.accepts(head):
            return form.read(data, form.name, name, limits, only)
    raise UnsupportedFormat(name, "not an image that is read here: use PNG, JPEG, TIFF, BMP, WebP or DICOM")


def is_dicom(data: bytes) -> bool:
    """Whether `decode` would read the bytes as DICOM."""
    head = bytes(data[:160])
    return next((form.name == "DICOM" for form in FORMATS if form.accepts(head)), False)


def read_image_file(path: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[Image, ...]:
    """Decode the file at `path`; raises as `decode`, and UnreadableImage where it cannot be opened."""
    try:
        limits.check_bytes(str(path), path.stat().st_size)
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableImage(str(path), f"cannot be opened ({error.strerror})") from error
    return decode(data, name=str(path), limits=limits)


def from_array(array: NDArray[Any], name: str) -> Image:
    """An Image from pixels in memory.

    array: (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA; bool, uint8, other integers or floats, finite or not.
        Integers of more than 8 bits and floats outside [0, 1] are scaled as `grey` says.
    Raises UnreadableImage where the shape or type is none of these, or no number of it is finite.
    """
    shape, kind = array.shape, array.dtype.kind
    if array.ndim == 3 and shape[2] == 1:
        array = array[..., 0]
    if not (array.ndim == 2 or (array.ndim == 3 and shape[2] in (3, 4))) or array.size == 0 or kind not in "buif":
        raise UnreadableImage(name, f"an array {shape} of {array.dtype} is no image: give (H, W) or (H, W, 3)")
    if kind == "f" and not np.isfinite(array).any():
        raise UnreadableImage(name, "holds no number: all its pixels are NaN or infinite")
    modes = {2: "L", 3: "RGB", 4: "RGBA"}
    metadata = Metadata(
        format="ARRAY",
        mode=modes[array.shape[2] if array.ndim == 3 else 2],
        bits=1 if kind == "b" else array.dtype.itemsize * 8,
        width=shape[1],
        height=shape[0],
    )
    if array.ndim == 3:
        pixels, share = import_module("hilum.image.colour").grey_from_colour(_bytes(array))
        return Image(pixels, metadata, colour_share=share)
    return Image(_unit(array), metadata)


def _unit(plane: NDArray[Any]) -> NDArray[np.float32]:
    """(H, W) of any number type -> float32 in [0, 1]."""
    if plane.dtype == np.uint8:
        return grey.unit_from_bytes(plane)
    if plane.dtype.kind == "f":
        return grey.unit_from_floats(plane)
    return plane.astype(np.float32) if plane.dtype.kind == "b" else grey.unit_from_integers(plane)


def _bytes(colour: NDArray[Any]) -> NDArray[np.uint8]:
    """(H, W, C) of any number type -> uint8, all channels on one scale."""
    if colour.dtype == np.uint8:
        return colour
    unit = _unit(colour.reshape(colour.shape[0], -1)).reshape(colour.shape)
    return np.rint(unit * 255).astype(np.uint8)
