"""The bytes of a picture -> the same picture with what its pixels need and nothing else; decodes nothing.

EXIF, XMP, ICC profiles, comments, texts, thumbnails, private parts and whatever hangs behind the end go, by lists of
what may stay. No pixel changes; of EXIF the orientation stays, because it turns the picture.
"""

from __future__ import annotations

import struct
import zlib

from hilum.errors import UnreadableImage
from hilum.image.exif import exif_block, exif_orientation
from hilum.image.remarks_jpeg import Steps, bare_jpeg, blank_boxes, blank_jpeg, blank_jpeg_2000
from hilum.image.remarks_tiff import bare_tiff

_PNG_NEEDED = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"))
_WEBP_NEEDED = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"))
_WEBP_ICC, _WEBP_XMP = 0x20, 0x04  # flags of VP8X
_SRGB, _LINKED, _EMBEDDED = 0x73524742, 0x4C494E4B, 0x4D424544  # colour spaces of a BMP; the last two hold a profile
_ITEM = b"\xfe\xff\x00\xe0"
_PIECE = 1 << 20  # bytes inflated at a time
_FAULTS = (struct.error, LookupError, ValueError, OverflowError, MemoryError)


def without_remarks(data: bytes) -> bytes:
    """The picture without them; the very same bytes where it has none.

    Raises:
        UnreadableImage: it cannot be walked through, or is of another format, so that nothing of it may be kept.
    """
    try:
        if data[:3] == b"\xff\xd8\xff":
            found = bare_jpeg(data)
        elif data[:8] == b"\x89PNG\r\n\x1a\n":
            found = _png(data)
        elif data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            found = bare_tiff(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            found = _webp(data)
        elif data[:2] == b"BM":
            found = _bmp(data)
        else:
            raise ValueError("of no format that is known here")
    except _FAULTS as error:
        raise UnreadableImage("this picture", "what is written beside its pixels cannot be taken out") from error
    return data if found == data else found


def frames_without_remarks(encapsulated: bytes, frames: int, *, deflated: bool = False) -> bytes:
    """Compressed frames of a DICOM file (PS3.5 A.4), blanked in place, so that every offset holds.

    Raises:
        ValueError: of deflated frames it cannot be told where each begins or ends.
    """
    out = bytearray(encapsulated)
    found, steps = _whole_frames(out, frames), Steps()
    if deflated and len(found) != frames:
        raise ValueError("nothing tells where a deflated frame begins")
    for pieces in found:
        frame = bytearray(b"".join(out[start:stop] for start, stop in pieces))
        if deflated:
            end = _end_of_deflated(frame)
            frame[end:] = bytes(len(frame) - end)
        elif frame[:2] == b"\xff\xd8":
            blank_jpeg(frame, 0, len(frame), steps)
        elif (stream := frame.find(b"\xff\x4f\xff\x51")) >= 0:
            if frame[4:8] == b"jP  ":
                blank_boxes(frame, steps)
            blank_jpeg_2000(frame, stream + 2, _end_of_box(frame, stream), steps)
        done = 0
        for start, stop in pieces:
            out[start:stop] = frame[done : done + stop - start]
            done += stop - start
    return bytes(out)


def _end_of_deflated(frame: bytearray) -> int:
    """Where the deflated stream (RFC 1951) of a frame ends; nothing of it is kept, so a bomb costs time alone."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    for start in range(0, len(frame), _PIECE):
        left = bytes(frame[start : start + _PIECE])
        while left and not engine.eof:
            engine.decompress(left, _PIECE)
            left = engine.unconsumed_tail
        if engine.eof:
            return min(start + _PIECE, len(frame)) - len(engine.unused_data)
    raise ValueError("a deflated frame is cut short")


def _end_of_box(frame: bytearray, stream: int) -> int:
    """Where the codestream ends that begins at `stream`: a JP2 file may go on."""
    length = struct.unpack_from(">I", frame, stream - 8)[0] if frame[stream - 4 : stream] == b"jp2c" else 0
    return min(stream - 8 + length, len(frame)) if length > 8 else len(frame)


def _whole_frames(out: bytearray, frames: int) -> list[list[tuple[int, int]]]:
    """The places of each frame's fragments: a frame may lie in several, cut anywhere. The first item is no frame."""
    pieces, position = [], 0
    while position + 8 <= len(out) and out[position : position + 4] == _ITEM:
        length = struct.unpack_from("<I", out, position + 4)[0]
        pieces.append((position + 8, min(position + 8 + length, len(out))))
        position += 8 + length
    pieces = pieces[1:]
    if frames == 1 and pieces:
        return [pieces]
    found: list[list[tuple[int, int]]] = []
    for start, stop in pieces:
        begins = out.startswith((b"\xff\xd8", b"\xff\x4f"), start, stop) or out[start + 4 : start + 8] == b"jP  "
        if begins or not found or len(pieces) == frames:
            found.append([])
        found[-1].append((start, stop))
    return found


def _png(data: bytes) -> bytes:
    """Chunks (PNG 5.3) up to the end; a file without its end mark is read, and so is walked through, too."""
    parts, position, turn = [data[:8]], 8, 1
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if kind == b"eXIf":
            turn = exif_orientation(data[position + 8 : end - 4])
        if kind == b"IEND" and turn != 1:
            parts.append(_png_chunk(b"eXIf", exif_block(turn)))
        if kind in _PNG_NEEDED:
            parts.append(data[position:end])
        position = end
        if kind == b"IEND":
            break
    return b"".join(parts)


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


def _webp(data: bytes) -> bytes:
    """Chunks of RIFF (RFC 9649, 2.3 to 2.7)."""
    body = _webp_chunks(data, 12, min(len(data), 8 + struct.unpack_from("<I", data, 4)[0]), Steps())
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def _webp_chunks(data: bytes, position: int, stop: int, steps: Steps, needed: frozenset[bytes] = _WEBP_NEEDED) -> bytes:
    parts = []
    while position + 8 <= stop:
        steps.take()
        kind, length = struct.unpack_from("<4sI", data, position)
        inside = data[position + 8 : min(position + 8 + length, stop)]
        if kind == b"VP8X":
            inside = bytes((inside[0] & ~(_WEBP_ICC | _WEBP_XMP),)) + inside[1:]
        elif kind == b"ANMF" and kind in needed:
            of_frame = _webp_chunks(inside, 16, len(inside), steps, needed - {kind})  # no frame is within another
            inside = inside[:16] + of_frame
        elif kind == b"EXIF":
            inside = exif_block(exif_orientation(inside.removeprefix(b"Exif\0\0")))
        if kind in needed or kind == b"EXIF":
            parts.append(struct.pack("<4sI", kind, len(inside)) + inside + b"\0" * (len(inside) % 2))
        position += 8 + length + length % 2
    return b"".join(parts)


def _bmp(data: bytes) -> bytes:
    """Headers, masks, colours and pixels; between and behind them nothing (no profile, and no path to one)."""
    pixels, size = struct.unpack_from("<II", data, 10)
    if size < 40:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        method, used = 0, 0
    else:
        width, height, _, bits, method = struct.unpack_from("<iiHHI", data, 18)
        used = struct.unpack_from("<I", data, 46)[0]
    colours = (used or 1 << bits) * (3 if size < 40 else 4) if bits <= 8 else 0
    masks = {3: 12, 6: 16}.get(method, 0) if size == 40 else 0
    head = bytearray(data[: min(14 + size + masks + colours, pixels)])
    end = pixels + (width * bits + 31) // 32 * 4 * abs(height)
    struct.pack_into("<II", head, 2, min(end, len(data)), 0)  # the length of the file; two reserved numbers
    if size == 64:  # of OS/2: units, a number of the application
        head[54:78] = bytes(24)
    if size >= 108 and struct.unpack_from("<I", head, 70)[0] in (_LINKED, _EMBEDDED):
        struct.pack_into("<I", head, 70, _SRGB)
    if size >= 124:
        struct.pack_into("<III", head, 126, 0, 0, 0)  # where the profile is and how long, reserved
    return bytes(head) + bytes(max(0, pixels - len(head))) + data[pixels:end]
