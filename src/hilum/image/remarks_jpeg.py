"""The bytes of a JPEG -> the same picture without comments, application data and what hangs behind; decodes nothing."""

from __future__ import annotations

import re
import struct

from hilum.image.exif import exif_block, exif_orientation

_BARE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})  # markers without a length
_COM, _APP0, _APP1, _APP8, _APP14, _APP15 = 0xFE, 0xE0, 0xE1, 0xE8, 0xEE, 0xEF
_EOI, _SOS = 0xD9, 0xDA
# Application data that tell how to read the colours, and how many of their bytes do
_NEEDED = {_APP0: ((b"JFIF\0", 12),), _APP8: ((b"mrfx", 64), (b"SPIFF\0", 30)), _APP14: ((b"Adobe", 12),)}
_NEXT = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")  # behind the coded data of a scan, of JPEG (T.81) and JPEG-LS (T.87)


def bare_jpeg(data: bytes) -> bytes:
    """Segments (T.81 B.1) that pixels need, each scan with its data, the orientation, and the end mark.

    Raises:
        struct.error, IndexError, ValueError: a segment is broken.
    """
    parts, position, exif = [data[:2]], 2, b""
    while position + 2 <= len(data):
        position = data.find(b"\xff", position)  # between segments decoders pass over whatever lies there
        marker = data[position + 1] if position >= 0 else _EOI
        if marker == _EOI or position < 0:
            break
        if marker in (0xFF, 0x00) or marker in _BARE:
            position += 1 if marker == 0xFF else 2
            continue
        end = position + 2 + max(2, struct.unpack_from(">H", data, position + 2)[0])
        inside = data[position + 4 : end]
        if marker == _SOS:
            found = _NEXT.search(data, end)
            end = found.start() if found else len(data)
            parts.append(data[position:end])
        elif marker == _APP1 and inside.startswith(b"Exif\0\0"):
            exif += inside[6:]
        elif marker in _NEEDED:
            parts += [_segment(marker, inside[:n]) for word, n in _NEEDED[marker] if inside.startswith(word)]
        elif marker != _COM and not _APP0 <= marker <= _APP15:
            parts.append(data[position:end])
        position = end
    turn = exif_orientation(exif)
    if turn != 1:
        parts.insert(1, _segment(_APP1, b"Exif\0\0" + exif_block(turn)))
    return b"".join((*parts, b"\xff\xd9"))


def _segment(marker: int, inside: bytes) -> bytes:
    if marker == _APP0:
        inside += b"\0\0"  # no thumbnail
    return bytes((0xFF, marker)) + struct.pack(">H", 2 + len(inside)) + inside


def blank_jpeg(out: bytearray, start: int, stop: int) -> None:
    """Blank comments and application data in place, between scans too."""
    position = start + 2
    while position + 4 <= stop and out[position] == 0xFF:
        marker = out[position + 1]
        if marker == 0xFF or marker in _BARE:
            position += 1 if marker == 0xFF else 2
            continue
        if marker == _EOI:
            break
        end = position + 2 + struct.unpack_from(">H", out, position + 2)[0]
        if marker == _SOS:
            found = _NEXT.search(out, end, stop)
            end = found.start() if found else stop
        elif marker == _COM or _APP0 <= marker <= _APP15:
            first, last = position + 4, min(end, stop)
            for word, length in _NEEDED.get(marker, ()):
                if out.startswith(word, first):
                    first = min(first + length + 2 * (marker == _APP0), last)  # with the size of a thumbnail
            out[first:last] = bytes(last - first)
        position = end


def blank_jpeg_2000(out: bytearray, start: int, stop: int) -> None:
    """Blank the comments of the main header (T.800 A.9.2)."""
    position = start
    while position + 4 <= stop and out[position] == 0xFF and out[position + 1] not in (0x90, 0x93):  # SOT, SOD
        end = position + 2 + struct.unpack_from(">H", out, position + 2)[0]
        if out[position + 1] == 0x64:
            inside = slice(position + 6, min(end, stop))  # after the registration value
            out[inside] = b" " * len(out[inside])
        position = end
