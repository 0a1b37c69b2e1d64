"""An opened raster -> its pixels loaded, or an error where its data stop before the last row; knows no grey.

Decoders fill up what is missing (Pillow with zeros, libjpeg with grey, libtiff with white), and a padded picture must
not be answered. Nothing is decoded twice: only where something looks missing is it looked into.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import simplejpeg
from PIL import Image as Pillow
from PIL import ImageFile

from hilum.errors import UnreadableImage
from hilum.image.limits import repeats

_MARK = 165  # laid under the rows of a PNG before they are decoded
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # PNG colour type -> samples a pixel
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)  # x, y, steps
_PIECE = 65536
_EARLY = ("premature end", "no image in jpeg")  # what libjpeg says of entropy-coded data that stop
_WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _PLANAR = 256, 257, 258, 259, 262, 277, 284  # TIFF 6.0
_STRIPS, _ROWS, _STRIP_BYTES, _TILE_WIDTH, _TILE_LENGTH, _TILES, _TILE_BYTES = 273, 278, 279, 322, 323, 324, 325
_TABLES, _PLAIN, _OLD_JPEG, _JPEG, _YCBCR = 347, 1, 6, 7, 6


def load_whole(image: ImageFile.ImageFile, form: str, data: bytes, name: str) -> None:
    """Decode the pixels of an opened file; of a TIFF those of its present page.

    Raises:
        UnreadableImage: they stop before the last row. Whatever else a decoder raises passes through.
    """
    if not _LOADERS.get(form, _loaded)(image, data):
        raise UnreadableImage(name, f"the {form} data stop before the last row: export or send the file again")


def _loaded(image: ImageFile.ImageFile, data: bytes) -> bool:
    """WebP and BMP: their decoders notice."""
    del data
    image.load()
    return True


def _load_png(image: ImageFile.ImageFile, data: bytes) -> bool:
    """Rows that were not decoded still hold the mark; where the last one seems to, the data are measured."""
    bands = len(image.getbands())
    image.im = Pillow.new(image.mode, image.size, (_MARK,) * bands if bands > 1 else _MARK).im
    width, height = image.size
    last = [(x, height - 1) for x in (0, width // 2, width - 1)]
    marks = [image.im.getpixel(place) for place in last]
    image.load()
    if not data[28] and any(image.im.getpixel(place) != mark for place, mark in zip(last, marks, strict=True)):
        return True
    return _png_bytes(data) >= _png_needs(data)


def _png_needs(data: bytes) -> int:
    """Bytes of all filtered rows (PNG 7.2, 8.2)."""
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    bits = data[24] * _CHANNELS[data[25]]
    passes = _ADAM7 if data[28] else ((0, 0, 1, 1),)
    sizes = [(-((x - width) // dx), -((y - height) // dy)) for x, y, dx, dy in passes]
    return sum(h * (1 + (w * bits + 7) // 8) for w, h in sizes if w > 0 and h > 0)


def _png_bytes(data: bytes) -> int:
    """Bytes that the chunks hold once inflated, as far as they are needed."""
    needed, found, inflater = _png_needs(data), 0, zlib.decompressobj()
    for chunk in _png_chunks(data):
        piece: bytes = chunk
        while piece and found < needed and not inflater.eof:
            found += len(inflater.decompress(piece, _PIECE))
            piece = inflater.unconsumed_tail
    return found + (len(inflater.flush()) if found < needed else 0)


def _png_chunks(data: bytes) -> Iterator[bytes]:
    position = 8
    while position + 8 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] == b"IDAT":
            yield data[position + 8 : end]
        position = end + 4


def _load_jpeg(image: ImageFile.ImageFile, data: bytes) -> bool:
    """What simplejpeg could not read without a warning."""
    image.load()
    return not _stops(data)


def _stops(data: bytes) -> bool:
    """Whether libjpeg says that the coded data of a JPEG stop before its last block."""
    try:
        space = simplejpeg.decode_jpeg_header(data, strict=False)[2]
        simplejpeg.decode_jpeg(data, {"Gray": "GRAY", "CMYK": "CMYK", "YCCK": "CMYK"}.get(space, "RGB"), strict=True)
    except ValueError as error:
        return any(word in str(error).lower() for word in _EARLY)
    return False


def _load_tiff(image: Any, data: bytes) -> bool:
    """Every strip or tile must be named, lie in the file and hold what its rows need (TIFF 6.0 section 3 and 15)."""
    tags = image.tag_v2
    if tags.get(_COMPRESSION, _PLAIN) == _OLD_JPEG:
        return _loaded(image, data)
    count, size = _tiff_parts(tags)
    offsets = tags.get(_STRIPS) or tags.get(_TILES) or ()
    said = tags.get(_STRIP_BYTES) or tags.get(_TILE_BYTES)  # very old files leave it out
    lengths = said or (1,) * len(offsets)
    if len(offsets) < count or len(lengths) < count:
        return False
    places = list(zip(offsets[:count], lengths[:count], strict=True))
    if any(not offset or not length for offset, length in places):
        return False
    plain = tags.get(_COMPRESSION, _PLAIN) == _PLAIN and tags.get(_PHOTOMETRIC) != _YCBCR
    if plain and said and any(length < size(i) for i, (_, length) in enumerate(places)):
        return False
    if not plain and repeats(sum(length for _, length in places), len(data)):  # each is read as long as it says
        raise ValueError("its strips are the same bytes over and over")
    if tags.get(_COMPRESSION) != _JPEG:
        return _loaded(image, data)
    tables = bytes(tags.get(_TABLES, b""))[:-2]

    def parts() -> Iterator[bytes]:
        for at, length in places:
            yield tables + data[at + 2 : at + length] if tables else data[at : at + length]

    most = tags[_TILE_WIDTH] * tags[_TILE_LENGTH] if _TILES in tags else math.prod(side + 16 for side in image.size)
    for part in parts():
        _check_part(part, most)
    image.load()
    return not any(map(_stops, parts()))


def _check_part(part: bytes, most: int) -> None:
    """Raises ValueError where the JPEG of a strip or tile is larger than that may be: libtiff reads the rows it needs,
    and all of them would be decoded here.
    """
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(part, strict=False)
    except ValueError:
        return
    if height * width > most:
        raise ValueError(f"a strip or tile holds a JPEG of {width:,} x {height:,} pixels")


def _tiff_parts(tags: Any) -> tuple[int, Callable[[int], int]]:
    """How many strips or tiles there must be, and the bytes that an uncompressed one holds."""
    width, height, bits = tags[_WIDTH], tags[_LENGTH], tags.get(_BITS, (1,))
    planes = tags.get(_SAMPLES, 1) if tags.get(_PLANAR, 1) == 2 else 1
    pixel = bits[0] if planes > 1 else sum(bits)
    if _TILES in tags:
        across, down = tags[_TILE_WIDTH], tags[_TILE_LENGTH]
        count = math.ceil(width / across) * math.ceil(height / down)
        return count * planes, lambda _: down * ((across * pixel + 7) // 8)
    rows = min(tags.get(_ROWS, height), height)
    count = math.ceil(height / rows)
    return count * planes, lambda i: min(rows, height - i % count * rows) * ((width * pixel + 7) // 8)


_LOADERS: dict[str, Callable[[Any, bytes], bool]] = {"PNG": _load_png, "JPEG": _load_jpeg, "TIFF": _load_tiff}
