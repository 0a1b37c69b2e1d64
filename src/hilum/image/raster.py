"""Bytes of a PNG, JPEG, TIFF, BMP or WebP -> grey Images by Pillow; knows no DICOM and no other format of Pillow's.

The header is read first, checked against the limits, and only then are pixels decoded.
"""

from __future__ import annotations

import ctypes
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageFile

from hilum.errors import ImageTooLarge, UnsupportedFormat
from hilum.image import colour, grey
from hilum.image.exif import exif_orientation, oriented
from hilum.image.faults import named_faults
from hilum.image.image import Image, Metadata
from hilum.image.limits import Limits
from hilum.image.raster_header import check_header
from hilum.image.tiff_samples import as_written, say_how_packed
from hilum.image.whole import load_whole

# The plugins are named, not searched for: no other decoder of Pillow's is ever reached. Each waits for its first file.
PLUGINS = {
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
}
_WIDTH, _LENGTH, _BITS_PER_SAMPLE, _PHOTOMETRIC = 256, 257, 258, 262  # tags of TIFF 6.0
_SUBFILE_TYPE, _REDUCED = 254, 1
_WHITE_IS_ZERO = 0
# Times the memory a pixel that a grey one takes, by format, mode or both: so many times fewer of them are read.
_HEAVY = {"WEBP": 2.5, "F": 1.7, "I": 1.6, "TIFF RGB": 1.2, "TIFF YCbCr": 1.2, "CMYK": 1.1, "LAB": 1.1}
_NO_MODE = ("unknown pixel mode", "unknown raw mode")  # Pillow's words
_BAND = 64  # rows with transparency made grey together


def read_raster(data: bytes, form: str, name: str, limits: Limits, only: int | None = None) -> tuple[Image, ...]:
    """Decode one raster file whose magic says `form`, a key of PLUGINS.

    Several pages of a TIFF are several frames, of which `only` one may be wanted; of an animation the first is read.
    Raises UnreadableImage, UnsupportedFormat or ImageTooLarge.
    """
    check_header(data, form, name, limits)
    with named_faults(name, f"the {form} data"), _named_kinds(name), _open(data, form, name) as image:
        _check_size(image, form, name, limits)
        if form == "TIFF":
            return _tiff(image, data, name, limits, only)
        load_whole(image, form, data, name)
        return (_image(image, form, _bits(image, form, data), name, 0),)


@contextmanager
def _named_kinds(name: str) -> Iterator[None]:
    """What Pillow has no mode for is not broken: TIFF of 64 bits, of complex numbers, of several floats a pixel."""
    try:
        yield
    except (SyntaxError, ValueError) as error:
        if not any(words in str(error) for words in _NO_MODE):
            raise
        words = "its samples are of a kind that is not read: save it as grey of 8 or 16 bits, or as RGB of 8"
        raise UnsupportedFormat(name, words) from error


def _check_size(image: ImageFile.ImageFile, form: str, name: str, limits: Limits) -> None:
    """Raises ImageTooLarge; what takes more memory a pixel may have fewer of them."""
    keys = (f"{form} {image.mode}", image.mode, form)
    weight = next((_HEAVY[key] for key in keys if key in _HEAVY), 1.0)
    replace(limits, max_pixels=int(limits.max_pixels / weight)).check_size(name, *image.size)


@cache
def _quiet_libtiff() -> None:
    """It prints on stderr, between our lines and a server's JSON, what is broken in a file that it does not name."""
    with suppress(OSError, AttributeError):  # a Pillow that was built without it, or with it inside
        ctypes.CDLL(import_module("PIL._imaging").__file__).TIFFSetErrorHandler(None)


def _open(data: bytes, form: str, name: str) -> ImageFile.ImageFile:
    if form == "TIFF":
        _quiet_libtiff()
    try:
        module, plugin = PLUGINS[form]
        opened: ImageFile.ImageFile = getattr(import_module(module), plugin)(io.BytesIO(data))
        return opened
    except Pillow.DecompressionBombError as error:
        raise ImageTooLarge(name, "the header declares too many pixels") from error


def _tiff(image: ImageFile.ImageFile, data: bytes, name: str, limits: Limits, only: int | None) -> tuple[Image, ...]:
    def loaded(frame: int) -> Image:
        say_how_packed(image)
        load_whole(image, "TIFF", data, name)
        return _image(image, "TIFF", _bits(image, "TIFF", data), name, frame)

    if only is None:
        found = [loaded(frame) for frame, _ in enumerate(_pages(image, name, limits))]
        return tuple(replace(one, frames=len(found)) for one in found)
    pages = list(_pages(image, name, limits))
    frame = min(only, len(pages) - 1)
    image.seek(pages[frame])
    return (replace(loaded(frame), frames=len(pages)),)


def _pages(image: ImageFile.ImageFile, name: str, limits: Limits) -> Iterator[int]:
    """The numbers of all pages but the small copies that some writers put beside a page (TIFF 6.0, NewSubfileType).

    The file stands at each page as long as it is the last that was given.
    """
    total = 0
    for page in range(limits.max_frames):
        try:
            image.seek(page)
        except EOFError:
            return
        if page and _tags(image).get(_SUBFILE_TYPE, 0) & _REDUCED:
            continue
        _check_size(image, "TIFF", name, limits)
        total += image.width * image.height
        if total > limits.max_total_pixels:
            raise ImageTooLarge(name, f"its pages hold more than {limits.max_total_pixels:,} pixels")
        yield page


def _image(image: ImageFile.ImageFile, form: str, bits: int, name: str, frame: int) -> Image:
    width, height, mode = image.width, image.height, image.mode
    pixels, share = _grey(image, name)
    if form == "TIFF":
        tags = _tags(image)
        width, height = tags[_WIDTH], tags[_LENGTH]  # not yet turned
        if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO and mode not in ("1", "L"):
            pixels = np.float32(1.0) - pixels  # of more than 8 bits; the others Pillow inverts itself
    turn = _orientation(image, form)  # a PNG may say it after its pixels
    metadata = Metadata(format=form, mode=mode, bits=bits, width=width, height=height)
    return Image(oriented(pixels, turn), metadata, colour_share=share, frame=frame)


def _grey(image: Pillow.Image, name: str) -> Grey:
    """Grey pixels in [0, 1] and the share of colour, by the mode Pillow gave the file."""
    reader = _TRANSPARENT.get(image.mode) if "transparency" in image.info else None
    reader = reader or _MODES.get(image.mode)
    if reader is None:
        raise UnsupportedFormat(name, f"pixels of mode {image.mode} are not read: save it as grey or RGB")
    return reader(image)


def _grey_l(image: Pillow.Image) -> Grey:
    samples = _samples(image)
    signed = samples.dtype == np.int8
    return grey.unit_from_integers(samples) if signed else grey.unit_from_bytes(samples), 0.0


def _grey_la(image: Pillow.Image) -> Grey:
    luma = np.empty((image.height, image.width), np.float32)
    for top in range(0, image.height, _BAND):
        rows = image.crop((0, top, image.width, min(top + _BAND, image.height)))
        both = np.asarray(rows.convert("LA"))
        luma[top : top + _BAND] = grey.unit_from_bytes(both[..., 0]) * grey.unit_from_bytes(both[..., 1])
    return luma, 0.0


def _grey_rgb(image: Pillow.Image) -> Grey:
    luma, share = colour.luma_of_picture(image)
    if image.format != "TIFF":  # whose next page needs the file
        image.close()  # 4 bytes a pixel, before 4 more are asked for
    return grey.unit_from_bytes(luma), share


def _grey_rgba(image: Pillow.Image) -> Grey:
    """In bands of rows: beside a large picture there is no room for several copies of it."""
    luma = np.empty((image.height, image.width), np.float32)
    for top in range(0, image.height, _BAND):
        rows = image.crop((0, top, image.width, min(top + _BAND, image.height)))
        luma[top : top + _BAND] = colour.grey_from_colour(np.asarray(rows.convert("RGBA")))[0]
    return luma, colour.share_of_picture(image)


def _grey_other(image: Pillow.Image) -> Grey:
    """Of modes that become RGB first, in bands of rows likewise."""
    luma = np.empty((image.height, image.width), np.float32)
    for top in range(0, image.height, _BAND):
        rows = image.crop((0, top, image.width, min(top + _BAND, image.height)))
        luma[top : top + _BAND] = grey.unit_from_bytes(np.asarray(rows.convert("RGB").convert("L")))
    return luma, colour.share_of_picture(image)


def _grey_deep(image: Pillow.Image) -> Grey:
    return grey.unit_from_integers(_samples(image)), 0.0


def _grey_float(image: Pillow.Image) -> Grey:
    return grey.unit_from_floats(np.asarray(image)), 0.0


def _grey_bit(image: Pillow.Image) -> Grey:
    return np.asarray(image).astype(np.float32), 0.0


Grey = tuple[NDArray[np.float32], float]
ToGrey = Callable[[Pillow.Image], Grey]
_MODES: dict[str, ToGrey] = {
    "L": _grey_l,
    "LA": _grey_la,
    "RGB": _grey_rgb,
    "RGBA": _grey_rgba,
    "La": _grey_la,
    "RGBa": _grey_rgba,
    "P": _grey_other,
    "PA": _grey_rgba,
    "1": _grey_bit,
    "F": _grey_float,
    **dict.fromkeys(("I", "I;16", "I;16L", "I;16B", "I;16N"), _grey_deep),
    **dict.fromkeys(("CMYK", "YCbCr", "LAB", "HSV"), _grey_other),
}
# Modes whose transparency may stand beside the pixels (PNG tRNS)
_TRANSPARENT: dict[str, ToGrey] = {"L": _grey_la, "RGB": _grey_rgba, "P": _grey_rgba}


def _bits(image: ImageFile.ImageFile, form: str, data: bytes) -> int:
    if form == "PNG":
        return data[24]  # IHDR: bit depth
    if form == "TIFF":
        return int(_tags(image).get(_BITS_PER_SAMPLE, (1,))[0])
    return 1 if image.mode == "1" else 8


def _samples(image: Pillow.Image) -> NDArray[Any]:
    samples = np.asarray(image)
    return as_written(samples, _tags(image)) if image.format == "TIFF" else samples


def _tags(image: Any) -> Any:
    """The tags of a TIFF's present page, by number."""
    return image.tag_v2


def _orientation(image: ImageFile.ImageFile, form: str) -> int:
    """EXIF orientation 1 to 8, 1 where unsaid or broken. Pillow turns a TIFF itself, by the same tag."""
    exif = image.info.get("exif")
    if form == "TIFF" or not isinstance(exif, bytes):
        return 1
    return exif_orientation(exif.removeprefix(b"Exif\0\0"))
