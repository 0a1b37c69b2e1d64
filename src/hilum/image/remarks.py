"""The bytes of a picture -> the same picture without what is written beside its pixels: EXIF, comments, texts.

Nothing is decoded and no pixel changes; of EXIF the orientation stays, because it turns the picture. TIFF and BMP are
left as they are.
"""

from __future__ import annotations

import struct
import zlib

from hilum.image.exif import exif_orientation

_BARE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})  # JPEG markers without a length
_COM, _APP0, _APP1, _APP14, _APP15, _SOS = 0xFE, 0xE0, 0xE1, 0xEE, 0xEF, 0xDA
_NEEDED = {
    _APP0: (b"JFIF", b"JFXX"),
    0xE8: (b"mrfx", b"SPIFF"),
    _APP14: (b"Adobe",),
}  # they tell how to read the colours
_WORDS = frozenset((b"tEXt", b"zTXt", b"iTXt", b"tIME"))
_ITEM = b"\xfe\xff\x00\xe0"


def without_remarks(data: bytes) -> bytes:
    """The picture without them; the very same bytes where it has none, or is broken or of another format."""
    try:
        if data[:3] == b"\xff\xd8\xff":
            return _jpeg(data)
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return _png(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
    except (struct.error, IndexError):
        return data
    return data


def frames_without_remarks(encapsulated: bytes) -> bytes:
    """Compressed frames of a DICOM file (PS3.5 A.4), blanked in place, so that every offset holds."""
    out, position = bytearray(encapsulated), 0
    while position + 8 <= len(out) and out[position : position + 4] == _ITEM:
        length = struct.unpack_from("<I", out, position + 4)[0]
        start, stop = position + 8, min(position + 8 + length, len(out))
        if out[start : start + 2] == b"\xff\xd8":
            _blank_jpeg(out, start, stop)
        elif (stream := out.find(b"\xff\x4f\xff\x51", start, stop)) >= 0:
            _blank_jpeg_2000(out, stream + 2, stop)
        position = start + length
    return bytes(out)


def _jpeg(data: bytes) -> bytes:
    out = bytearray(data)
    return bytes(out) if _blank_jpeg(out, 0, len(out)) else data


def _blank_jpeg(out: bytearray, start: int, stop: int) -> bool:
    """Blank comments and application data up to the first scan (T.81 B.2.4); whether there were any."""
    position, found = start + 2, False
    while position + 4 <= stop and out[position] == 0xFF:
        marker = out[position + 1]
        if marker == 0xFF or marker in _BARE:
            position += 1 if marker == 0xFF else 2
            continue
        if marker == _SOS:
            break
        end = position + 2 + struct.unpack_from(">H", out, position + 2)[0]
        inside = slice(position + 4, min(end, stop))
        if marker == _COM or (_APP0 <= marker <= _APP15 and not out[inside].startswith(_NEEDED.get(marker, ()))):
            out[inside] = _blank(bytes(out[inside])) if marker == _APP1 else bytes(len(out[inside]))
            found = True
        position = end
    return found


def _blank_jpeg_2000(out: bytearray, start: int, stop: int) -> None:
    """Blank the comments of the main header (T.800 A.9.2)."""
    position = start
    while position + 4 <= stop and out[position] == 0xFF and out[position + 1] not in (0x90, 0x93):  # SOT, SOD
        end = position + 2 + struct.unpack_from(">H", out, position + 2)[0]
        if out[position + 1] == 0x64:
            inside = slice(position + 6, min(end, stop))  # after the registration value
            out[inside] = b" " * len(out[inside])
        position = end


def _blank(segment: bytes) -> bytes:
    """An EXIF block of the same length that holds the orientation and nothing else; anything else: zeros."""
    head, block = (b"Exif\0\0", segment[6:]) if segment.startswith(b"Exif\0\0") else (b"", segment)
    turn = exif_orientation(block)
    if turn == 1:
        return bytes(len(segment))
    kept = head + struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, turn, 0, 0)
    return kept[: len(segment)] + bytes(max(0, len(segment) - len(kept)))


def _png(data: bytes) -> bytes:
    """Chunks, PNG 5.3; texts and the time go, EXIF keeps the orientation."""
    parts, position, found = [data[:8]], 8, False
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        chunk = data[position:end]
        if kind in _WORDS:
            found = True
        elif kind == b"eXIf":
            found, body = True, _blank(chunk[8:-4])
            parts.append(struct.pack(">I4s", length, kind) + body + struct.pack(">I", zlib.crc32(kind + body)))
        else:
            parts.append(chunk)
        position = end
        if kind == b"IEND":
            found = found or end < len(data)  # what hangs on behind goes too
            break
    else:
        return data
    return b"".join(parts) if found else data


def _webp(data: bytes) -> bytes:
    """Chunks of RIFF; those of EXIF and XMP are blanked in place."""
    out, position, found = bytearray(data), 12, False
    while position + 8 <= len(out):
        kind, length = struct.unpack_from("<4sI", out, position)
        inside = slice(position + 8, min(position + 8 + length, len(out)))
        if kind in (b"EXIF", b"XMP "):
            found = True
            out[inside] = _blank(bytes(out[inside])) if kind == b"EXIF" else b" " * len(out[inside])
        position += 8 + length + length % 2
    return bytes(out) if found else data
