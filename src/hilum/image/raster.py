"""Bytes of a PNG, JPEG, TIFF, BMP or WebP -> grey Images; knows no DICOM and no other format of Pillow's.

The header is read first, checked against the limits, and only then are pixels decoded.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin
from PIL import Image as Pillow

from hilum.errors import ImageTooLarge, UnreadableImage, UnsupportedFormat
from hilum.image import grey
from hilum.image.faults import named_faults
from hilum.image.image import Image, Metadata
from hilum.image.limits import Limits

# The plugins are named, not searched for: no other decoder of Pillow's is ever reached.
PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
}
_ORIENTATION = 0x0112


def read_raster(data: bytes, form: str, name: str, limits: Limits) -> tuple[Image, ...]:
    """Decode one raster file whose magic says `form`, a key of PLUGINS.

    Several pages of a TIFF are several frames; of an animation only the first frame is read.
    Raises UnreadableImage, UnsupportedFormat or ImageTooLarge.
    """
    with named_faults(name, f"the {form} data"):
        _check_canvas(data, form, name, limits)
        with _open(data, form, name) as image:
            limits.check_size(name, *image.size)
            if form == "TIFF":
                return tuple(_pages(image, name, limits))
            return (_image(image, form, _bits(image, form, data), name, 0),)


def _open(data: bytes, form: str, name: str) -> ImageFile.ImageFile:
    try:
        return PLUGINS[form](io.BytesIO(data))
    except Pillow.DecompressionBombError as error:
        raise ImageTooLarge(name, "the header declares too many pixels") from error


def _check_canvas(data: bytes, form: str, name: str, limits: Limits) -> None:
    """WebP: its decoder allocates the canvas when it is opened, so the size is read before (RFC 9649, 2.5 to 2.7)."""
    if form != "WEBP":
        return
    chunk, body = data[12:16], data[20:30]
    if chunk == b"VP8X":
        size = int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    elif chunk == b"VP8L":
        packed = int.from_bytes(body[1:5], "little")
        size = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    elif chunk == b"VP8 ":
        size = int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    else:
        raise UnreadableImage(name, "the WEBP header is broken")
    limits.check_size(name, *size)


def _pages(image: ImageFile.ImageFile, name: str, limits: Limits) -> Iterator[Image]:
    total, frame = 0, 0
    while True:
        try:
            image.seek(frame)
        except EOFError:
            return
        limits.check_size(name, *image.size, frames=frame + 1)
        total += image.width * image.height
        if total > limits.max_total_pixels:
            raise ImageTooLarge(name, f"its pages hold more than {limits.max_total_pixels:,} pixels")
        yield _image(image, "TIFF", _bits(image, "TIFF", b""), name, frame)
        frame += 1


def _image(image: ImageFile.ImageFile, form: str, bits: int, name: str, frame: int) -> Image:
    width, height, mode = image.width, image.height, image.mode
    turn = _orientation(image, form)
    pixels, share = _grey(image, name)
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
    return grey.unit_from_bytes(np.asarray(image)), 0.0


def _grey_la(image: Pillow.Image) -> Grey:
    both = np.asarray(image.convert("LA"))
    return grey.unit_from_bytes(both[..., 0]) * grey.unit_from_bytes(both[..., 1]), 0.0


def _grey_rgb(image: Pillow.Image) -> Grey:
    colour = image if image.mode == "RGB" else image.convert("RGB")
    return grey.unit_from_bytes(np.asarray(colour.convert("L"))), grey.colour_share(np.asarray(colour))


def _grey_rgba(image: Pillow.Image) -> Grey:
    return grey.grey_from_colour(np.asarray(image.convert("RGBA")))


def _grey_deep(image: Pillow.Image) -> Grey:
    return grey.unit_from_integers(np.asarray(image)), 0.0


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
    "P": _grey_rgb,
    "PA": _grey_rgba,
    "1": _grey_bit,
    "F": _grey_float,
    **dict.fromkeys(("I", "I;16", "I;16L", "I;16B", "I;16N"), _grey_deep),
    **dict.fromkeys(("CMYK", "YCbCr", "LAB", "HSV"), _grey_rgb),
}
# Modes whose transparency may stand beside the pixels (PNG tRNS)
_TRANSPARENT: dict[str, ToGrey] = {"L": _grey_la, "RGB": _grey_rgba, "P": _grey_rgba}


def _bits(image: ImageFile.ImageFile, form: str, data: bytes) -> int:
    if form == "PNG":
        return data[24]  # IHDR: bit depth
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return int(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))[0])
    return 1 if image.mode == "1" else 8


def _orientation(image: ImageFile.ImageFile, form: str) -> int:
    """EXIF orientation 1 to 8. Pillow applies a TIFF's own on load; a broken EXIF block says nothing."""
    if form == "TIFF" or "exif" not in image.info:
        return 1
    try:
        turn = image.getexif().get(_ORIENTATION, 1)
    except (SyntaxError, OSError, ValueError, struct.error):
        return 1
    return turn if isinstance(turn, int) else 1


def oriented(pixels: NDArray[np.float32], turn: int) -> NDArray[np.float32]:
    """(H, W) as stored -> as meant to be seen; turn is the EXIF orientation 1 to 8, another value changes nothing."""
    if turn in (2, 3):
        pixels = pixels[:, ::-1]
    if turn in (3, 4):
        pixels = pixels[::-1]
    if turn in (5, 6, 7, 8):
        pixels = pixels.T
    if turn in (6, 7):
        pixels = pixels[:, ::-1]
    if turn in (7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
