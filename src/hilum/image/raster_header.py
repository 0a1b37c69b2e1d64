"""The bytes of a raster file -> nothing, or a refusal before any decoder sees them; decodes no pixel.

Only what Pillow would do at a cost out of proportion is looked at: canvases allocated on opening, headers of millions
of parts, scans without end, decoders written in Python.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from hilum.errors import ImageTooLarge, UnreadableImage, UnsupportedFormat
from hilum.image.limits import MEBI, Limits

_MOST_PARTS = 65_536  # chunks of a PNG, segments of a JPEG, tags of a TIFF's pages
_MOST_HEADER = 16 * MEBI  # bytes of a JPEG before its pixels
_MOST_JUNK = 65_536  # bytes between two segments of a JPEG
_MOST_SCANS = 64
_MOST_SCANNED = 512 * MEBI  # scans x pixels: each scan of a progressive JPEG touches every pixel
_BMP_PLAIN = (0, 3, 6)  # uncompressed, with or without masks
_JPEG_BARE = frozenset({0x00, 0x01, 0xFF, 0xD8, *range(0xD0, 0xD8)})
_JPEG_LAST = frozenset({0xDA, 0xD9})
_JPEG_FRAME = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_TIFF_PLACES = frozenset({273, 279, 324, 325})  # offsets and lengths of strips and tiles
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_TIFF_SIZES = {256: "width", 257: "height", _TILE_WIDTH: "tile width", _TILE_LENGTH: "tile height"}


def check_header(data: bytes, form: str, name: str, limits: Limits) -> None:
    """Refuse a hostile header; raises UnreadableImage, UnsupportedFormat or ImageTooLarge."""
    try:
        _CHECKS[form](data, name, limits)
    except (struct.error, LookupError, ArithmeticError, ValueError) as error:
        raise UnreadableImage(name, f"the {form} header is cut short: export or send the file again") from error


def _png(data: bytes, name: str, limits: Limits) -> None:
    """Chunks (PNG 5.3), IHDR first (11.2.1)."""
    if data[12:16] != b"IHDR":
        raise UnreadableImage(name, "the PNG header is broken: export or send the file again")
    limits.check_size(name, *struct.unpack_from(">II", data, 16))
    position, parts = 8, 0
    while position + 8 <= len(data):
        parts += 1
        if parts > _MOST_PARTS:
            raise ImageTooLarge(name, f"it holds more than {_MOST_PARTS:,} chunks")
        position += 12 + int(struct.unpack_from(">I", data, position)[0])


def _jpeg(data: bytes, name: str, limits: Limits) -> None:
    """Segments before the first scan (T.81 B.1), then the number of scans."""
    position, parts, pixels = 2, 0, 0
    while True:  # for each of a million images: plain arithmetic, no struct
        start = data.find(b"\xff", position)
        if start < 0 or start - position > _MOST_JUNK:
            raise UnreadableImage(name, "the JPEG header is broken: export or send the file again")
        marker = data[start + 1]
        position, parts = start + 1, parts + 1
        if parts > _MOST_PARTS or position > _MOST_HEADER:
            raise ImageTooLarge(name, "its header is longer than any camera's")
        if marker in _JPEG_BARE:
            continue
        if marker in _JPEG_LAST:
            break
        position = start + 2 + max(data[start + 2] << 8 | data[start + 3], 2)
        if marker in _JPEG_FRAME:
            height, width = data[start + 5] << 8 | data[start + 6], data[start + 7] << 8 | data[start + 8]
            limits.check_size(name, width, height)
            pixels = width * height
    check_scans(data.count(b"\xff\xda", position - 1), pixels, name)


def check_scans(scans: int, pixels: int, name: str) -> None:
    """Raises ImageTooLarge where a JPEG goes over its pixels too often."""
    if scans > _MOST_SCANS or scans * pixels > _MOST_SCANNED:
        raise ImageTooLarge(name, f"it holds {scans:,} scans")


def _webp(data: bytes, name: str, limits: Limits) -> None:
    """The decoder allocates its canvas when it is opened (RFC 9649, 2.5 to 2.7)."""
    chunk, body = data[12:16], data[20:30]
    if chunk == b"VP8X":
        size = int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    elif chunk == b"VP8L":
        packed = int.from_bytes(body[1:5], "little")
        size = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    elif chunk == b"VP8 ":
        size = int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    else:
        raise UnreadableImage(name, "the WEBP header is broken: export or send the file again")
    limits.check_size(name, *size)


def _bmp(data: bytes, name: str, limits: Limits) -> None:
    """DIB header; Pillow unpacks run lengths in Python, and no device writes them."""
    size = struct.unpack_from("<I", data, 14)[0]
    if size < 40:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
        compression = struct.unpack_from("<I", data, 30)[0]
        if compression not in _BMP_PLAIN:
            raise UnsupportedFormat(name, "compressed BMP is not read: save it as PNG")
    limits.check_size(name, abs(width), abs(height))


def _tiff(data: bytes, name: str, limits: Limits) -> None:
    """Every image file directory (TIFF 6.0 section 2; BigTIFF): its size, its tiles, its number of entries."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    head, entry, pointer = ("Q", "HHQ", "Q") if big else ("H", "HHI", "I")
    position = struct.unpack_from(order + pointer, data, 8 if big else 4)[0]
    seen: set[int] = set()
    parts = 0
    while position and position not in seen:
        seen.add(position)
        limits.check_size(name, 0, 0, frames=len(seen))
        count = struct.unpack_from(order + head, data, position)[0]
        position += struct.calcsize(order + head)
        parts += count
        if parts > _MOST_PARTS:
            raise ImageTooLarge(name, f"it holds more than {_MOST_PARTS:,} tags")
        step = 20 if big else 12
        sizes: dict[int, int] = {}
        for place in range(position, position + count * step, step):
            said = struct.unpack_from(order + entry, data, place)
            sizes[said[0]] = _tiff_entry(said, data[place : place + step], order, name, limits)
        limits.check_size(name, sizes.get(_TILE_WIDTH, 0), sizes.get(_TILE_LENGTH, 0))  # allocated whole
        position = struct.unpack_from(order + pointer, data, position + count * step)[0]


def _tiff_entry(entry: tuple[int, int, int], raw: bytes, order: str, name: str, limits: Limits) -> int:
    """The side in pixels that an entry declares, 0 where it declares none."""
    tag, kind, count = entry
    if tag in _TIFF_PLACES and count > _MOST_PARTS:
        raise ImageTooLarge(name, f"it holds {count:,} strips or tiles")
    if tag in _TIFF_SIZES and kind in (3, 4):
        value = struct.unpack_from(order + ("H" if kind == 3 else "I"), raw, 12 if len(raw) == 20 else 8)[0]
        if value > limits.max_pixels or value > 1_000_000:
            raise ImageTooLarge(name, f"the header declares a {_TIFF_SIZES[tag]} of {value:,}")
        return int(value)
    return 0


_CHECKS: dict[str, Callable[[bytes, str, Limits], None]] = {
    "PNG": _png,
    "JPEG": _jpeg,
    "TIFF": _tiff,
    "BMP": _bmp,
    "WEBP": _webp,
}
