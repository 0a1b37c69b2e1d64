"""The bytes of a JPEG -> the same picture without comments, application data and what hangs behind; decodes nothing."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from hilum.image.exif import exif_block, exif_orientation

_BARE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})  # markers without a length
_COM, _APP0, _APP1, _APP8, _APP14, _APP15 = 0xFE, 0xE0, 0xE1, 0xE8, 0xEE, 0xEF
_EOI, _SOS = 0xD9, 0xDA
_SOT, _SOD = b"\xff\x90", b"\xff\x93"  # T.800 table A.2: a tile-part, its data
_BOXES = frozenset((b"jP  ", b"ftyp", b"jp2h", b"jp2c"))
_HEADER_BOXES = frozenset((b"ihdr", b"bpcc", b"colr", b"pclr", b"cmap", b"cdef", b"res "))  # T.800 I.5.3
_ENUMERATED, _SRGB, _GREY = b"\1", 16, 17  # T.800 tables I.9 and I.10
# Application data that tell how to read the colours, and how many of their bytes do
_NEEDED = {_APP0: ((b"JFIF\0", 12),), _APP8: ((b"mrfx", 64), (b"SPIFF\0", 30)), _APP14: ((b"Adobe", 12),)}
_NEXT = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")  # behind the coded data of a scan, of JPEG (T.81) and JPEG-LS (T.87)


class Steps:
    """How many parts of a file may still be looked at: while they are, a whole server waits. No picture has so many."""

    def __init__(self, most: int = 262_144) -> None:
        self._left = most

    def take(self) -> None:
        """One more; raises ValueError where that is one too many."""
        self._left -= 1
        if self._left < 0:
            raise ValueError("more parts than any picture has")


@dataclass(frozen=True, slots=True)
class _Box:
    """A box of a JP2 file: where it begins, where its contents do, and where it ends."""

    kind: bytes
    start: int
    inside: int
    end: int


def bare_jpeg(data: bytes) -> bytes:
    """Segments (T.81 B.1) that pixels need, each scan with its data, the orientation, and the end mark.

    Raises:
        struct.error, IndexError, ValueError: a segment is broken.
    """
    parts, position, exif, steps = [data[:2]], 2, list[bytes](), Steps()
    while position + 2 <= len(data):
        steps.take()
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
            exif.append(inside[6:])
        elif marker in _NEEDED:
            parts += [_segment(marker, inside[:n]) for word, n in _NEEDED[marker] if inside.startswith(word)]
        elif marker != _COM and not _APP0 <= marker <= _APP15:
            parts.append(data[position:end])
        position = end
    turn = exif_orientation(b"".join(exif))
    if turn != 1:
        parts.insert(1, _segment(_APP1, b"Exif\0\0" + exif_block(turn)))
    return b"".join((*parts, b"\xff\xd9"))


def _segment(marker: int, inside: bytes) -> bytes:
    if marker == _APP0:
        inside += b"\0\0"  # no thumbnail
    return bytes((0xFF, marker)) + struct.pack(">H", 2 + len(inside)) + inside


def blank_jpeg(out: bytearray, start: int, stop: int, steps: Steps) -> None:
    """Blank comments and application data in place, between scans too, and what hangs behind the end."""
    position = start + 2
    while position + 4 <= stop and out[position] == 0xFF:
        steps.take()
        marker = out[position + 1]
        if marker == 0xFF or marker in _BARE:
            position += 1 if marker == 0xFF else 2
            continue
        if marker == _EOI:
            out[position + 2 : stop] = bytes(max(0, stop - position - 2))
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


def blank_jpeg_2000(out: bytearray, start: int, stop: int, steps: Steps) -> None:
    """Blank the comments of the main header and of every tile-part's (T.800 A.9.2), and what hangs behind the end."""
    position = _blank_header(out, start, stop, _SOT, steps)
    while position + 12 <= stop and out[position : position + 2] == _SOT:
        steps.take()
        length = struct.unpack_from(">I", out, position + 6)[0]  # Psot: of this tile-part; 0: up to the end
        _blank_header(out, position, stop, _SOD, steps)
        if not length:
            return
        position += max(length, 12)
    if out[position : position + 2] == b"\xff\xd9":
        out[position + 2 : stop] = bytes(max(0, stop - position - 2))


def _blank_header(out: bytearray, position: int, stop: int, last: bytes, steps: Steps) -> int:
    """The offset of the marker `last`, with which this header ends, or of what is no marker."""
    while position + 4 <= stop and out[position] == 0xFF and out[position : position + 2] not in (last, b"\xff\xd9"):
        steps.take()
        end = position + 2 + struct.unpack_from(">H", out, position + 2)[0]
        if out[position + 1] == 0x64:
            inside = slice(position + 6, min(end, stop))  # after the registration value
            out[inside] = b" " * len(out[inside])
        position = end
    return position


def blank_boxes(out: bytearray, steps: Steps) -> None:
    """Blank the boxes of a JP2 file (T.800 I.4) but those that tell how to read the pixels; of these the profiles."""
    for box in _boxes(out, 0, len(out), steps):
        if box.kind not in _BOXES:
            _blank(out, box.inside, box.end)
        elif box.kind == b"jp2h":
            _blank_header_boxes(out, box, steps)


def _blank_header_boxes(out: bytearray, header: _Box, steps: Steps) -> None:
    grey = False
    for box in _boxes(out, header.inside, header.end, steps):
        if box.kind == b"ihdr":
            grey = bytes(out[box.inside + 8 : box.inside + 10]) in (
                b"\0\1",
                b"\0\2",
            )  # components: grey, perhaps opacity
        elif box.kind not in _HEADER_BOXES:
            _blank(out, box.inside, box.end)
        elif box.kind == b"colr" and out[box.inside : box.inside + 1] != _ENUMERATED:
            _without_profile(out, box, _GREY if grey else _SRGB)


def _without_profile(out: bytearray, box: _Box, space: int) -> None:
    """Name a colour space instead of the profile (T.800 I.5.3.3); what is left of the box becomes a free one."""
    _blank(out, box.inside, box.end)
    rest = box.end - box.inside - 7
    if rest < 0:
        return
    struct.pack_into(">cBBI", out, box.inside, _ENUMERATED, 0, 0, space)
    if rest >= 8 and box.inside - box.start == 8:
        struct.pack_into(">I", out, box.start, 8 + 7)
        struct.pack_into(">I4s", out, box.inside + 7, rest, b"free")


def _boxes(out: bytearray, position: int, stop: int, steps: Steps) -> Iterator[_Box]:
    """Those between two places; fewer bytes than a box has are blanked."""
    while position + 8 <= stop:
        steps.take()
        length, kind = struct.unpack_from(">I4s", out, position)
        head = 16 if length == 1 else 8
        if length == 1 and position + head <= stop:
            length = struct.unpack_from(">Q", out, position + 8)[0]
        end = min(position + max(length, head), stop) if length else stop
        yield _Box(kind, position, min(position + head, end), end)
        position = end
    _blank(out, position, stop)


def _blank(out: bytearray, start: int, stop: int) -> None:
    out[start:stop] = bytes(max(0, stop - start))
