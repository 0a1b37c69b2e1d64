"""A checked DICOM header and its pixel bytes -> arrays as stored, frame by frame; knows no window and no grey.

Native, run-length and deflated frames are read here, bounded by the size the header declares. JPEG, JPEG-LS and
JPEG 2000 go through pydicom to native decoders in a child process, after their own header was held against DICOM's.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.decoders.base import get_decoder

from hilum.errors import ImageTooLarge, UnreadableImage, UnsupportedFormat
from hilum.image.dicom.codecs import Job, decode_apart
from hilum.image.dicom.codestream import FrameSize, frame_size
from hilum.image.dicom.elements import DEFLATED, DEFLATED_FRAME, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, inflate
from hilum.image.dicom.header import Header, Layout
from hilum.image.limits import Limits
from hilum.image.raster_header import check_scans

_UID = "1.2.840.10008.1.2."
NATIVE = (IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED)
RLE = _UID + "5"
# One decoder a syntax, so that an answer does not depend on what else is installed.
COMPRESSED = {
    _UID + "4.50": "pillow",  # JPEG baseline
    _UID + "4.57": "gdcm",  # JPEG lossless
    _UID + "4.70": "gdcm",  # JPEG lossless, first order
    _UID + "4.80": "gdcm",  # JPEG-LS lossless
    _UID + "4.81": "gdcm",  # JPEG-LS near lossless
    _UID + "4.90": "pylibjpeg",  # JPEG 2000 lossless
    _UID + "4.91": "pylibjpeg",  # JPEG 2000
    _UID + "4.201": "pylibjpeg",  # HTJ2K lossless
    _UID + "4.202": "pylibjpeg",  # HTJ2K lossless RPCL
    _UID + "4.203": "pylibjpeg",  # HTJ2K
}


_MOST_FRAGMENTS = 65_536
_ITEM = b"\xfe\xff\x00\xe0"
_JPEG_LS = (_UID + "4.80", _UID + "4.81")


def read_frames(
    header: Header, name: str, limits: Limits, chosen: range | None = None
) -> Iterator[tuple[NDArray[Any], str]]:
    """Every frame as stored, with its photometric interpretation: (H, W) or (H, W, 3), integers or floats.

    chosen: numbers in a row of the frames that are wanted; the others are not decoded.
    Raises UnreadableImage where the pixels are fewer than declared or broken, UnsupportedFormat where the transfer
    syntax is none of those above.
    """
    layout, syntax = header.layout, header.elements.transfer_syntax
    if (layout.frame_bits + 7) // 8 > limits.max_inflated:
        raise ImageTooLarge(name, f"one frame holds more than {limits.max_inflated:,} bytes")
    chosen = range(layout.frames) if chosen is None else chosen
    if syntax in NATIVE:
        return _native(header, name, chosen)
    if syntax in COMPRESSED:
        return _compressed(header, name, chosen)
    if syntax in (RLE, DEFLATED_FRAME):
        return _packed(header, name, chosen)
    raise UnsupportedFormat(name, f"transfer syntax {syntax[:64]} is not read: save it uncompressed or as JPEG 2000")


def _native(header: Header, name: str, chosen: range) -> Iterator[tuple[NDArray[Any], str]]:
    layout, element = header.layout, header.elements.pixels
    assert element is not None
    pixels = memoryview(header.elements.body)[element.start : element.stop]
    needed = (layout.frame_bits * layout.frames + 7) // 8
    if len(pixels) < needed:
        held = f"the header declares {needed:,} bytes of pixels, {len(pixels):,} are there"
        raise UnreadableImage(name, f"it is cut short: {held}")
    big = not header.elements.encoding.little
    swapped = "OW" if element.vr == b"OW" else "OB"
    pixels = pixels[: needed + (needed % 2 if len(pixels) > needed else 0)]
    for index in chosen:
        yield _array(pixels, layout, index, uid=EXPLICIT_BIG if big else EXPLICIT_LITTLE, pixel_vr=swapped)


def _array(
    pixels: bytes | memoryview, layout: Layout, index: int, *, uid: str, pixel_vr: str = "OB"
) -> tuple[NDArray[Any], str]:
    decoder = get_decoder(uid)
    options = _options(layout, pixel_vr) | {"correct_unused_bits": False, "view_only": True}
    stored, properties = next(decoder.iter_array(pixels, indices=[index], raw=True, validate=False, **options))
    return _used_bits(stored, layout), str(properties["photometric_interpretation"])


def _options(layout: Layout, pixel_vr: str = "OB") -> dict[str, Any]:
    return {
        "rows": layout.rows,
        "columns": layout.columns,
        "number_of_frames": layout.frames,
        "samples_per_pixel": layout.samples,
        "photometric_interpretation": layout.photometric,
        "planar_configuration": layout.planar,
        "bits_allocated": layout.allocated,
        "bits_stored": layout.stored,
        "pixel_representation": int(layout.signed),
        "pixel_keyword": layout.keyword,
        "pixel_vr": pixel_vr,
    }


def _used_bits(samples: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Only the stored bits, sign extended: what lies above or below them is an overlay or nothing (PS3.5 8.1.1)."""
    above, unused = layout.allocated - 1 - layout.high, layout.allocated - layout.stored
    if samples.dtype.kind == "f" or layout.allocated == 1 or not unused:
        return samples
    native = samples.astype(samples.dtype.newbyteorder("="))
    native <<= above
    native >>= unused
    return native


def _compressed(header: Header, name: str, chosen: range) -> Iterator[tuple[NDArray[Any], str]]:
    layout, syntax = header.layout, header.elements.transfer_syntax
    pixels = _encapsulated(header, name)
    sizes = [_checked_size(frame, layout, name) for frame in _fragments(pixels, layout, chosen)]
    if len(chosen) < layout.frames:  # the others are not sent to the child
        pixels = encapsulate(list(_fragments(pixels, layout, chosen)), has_bot=False)
    # T.87 knows no sign; pydicom's own correction writes into read-only memory.
    signed_jpeg_ls = layout.signed and syntax in _JPEG_LS
    options = (
        _options(layout)
        | {"number_of_frames": len(chosen)}
        | ({"apply_jls_sign_correction": False} if signed_jpeg_ls else {})
    )
    decoded = decode_apart(Job(syntax, COMPRESSED[syntax], options, len(chosen)), pixels, name)
    count = 0
    for stored, photometric in decoded:
        yield _sign_extended(stored, sizes[count].bits) if signed_jpeg_ls else stored, photometric
        count += 1
    _check_count(count, chosen, layout, name)


def _fragments(pixels: bytes, layout: Layout, chosen: range) -> Iterator[bytes]:
    return islice(generate_frames(pixels, number_of_frames=layout.frames), chosen.start, chosen.stop)


def _checked_size(frame: bytes, layout: Layout, name: str) -> FrameSize:
    size = frame_size(frame)
    if size is None:
        raise UnreadableImage(name, "its compressed frame has no readable header: export or send the file again")
    if (size.width, size.height, size.samples) != (layout.columns, layout.rows, layout.samples):
        claims = f"{size.width} x {size.height} x {size.samples}"
        declared = f"{layout.columns} x {layout.rows} x {layout.samples}"
        raise UnreadableImage(name, f"its compressed frame claims {claims}, the header {declared}")
    if frame[:2] == b"\xff\xd8":
        check_scans(frame.count(b"\xff\xda"), size.width * size.height, name)
    return size


def _sign_extended(samples: NDArray[Any], bits: int) -> NDArray[Any]:
    unused = 8 * samples.itemsize - bits
    extended: NDArray[Any] = np.right_shift(np.left_shift(samples, unused), unused)
    return extended


def _packed(header: Header, name: str, chosen: range) -> Iterator[tuple[NDArray[Any], str]]:
    """RLE (PS3.5 annex G) and deflated frames (PS3.5 A.4.13): unpacked to native bytes of one frame each."""
    layout = header.layout
    single = _one_frame(layout, planar=1 if header.elements.transfer_syntax == RLE else layout.planar)
    length, count = (layout.frame_bits + 7) // 8, 0
    for frame in _fragments(_encapsulated(header, name), layout, chosen):
        count += 1
        if header.elements.transfer_syntax == RLE:
            plain = run_lengths(frame, layout, name)
        else:
            plain = inflate(frame, length, name)
        if len(plain) < length:
            raise UnreadableImage(
                name, f"frame {chosen.start + count} is cut short: {len(plain):,} bytes of {length:,}"
            )
        yield _array(plain, single, 0, uid=EXPLICIT_LITTLE)
    _check_count(count, chosen, layout, name)


def _one_frame(layout: Layout, planar: int) -> Layout:
    fields = {field: getattr(layout, field) for field in Layout.__slots__}
    return Layout(**fields | {"frames": 1, "planar": planar})


def run_lengths(frame: bytes, layout: Layout, name: str) -> bytes:
    """One RLE frame -> native little-endian bytes, one plane a sample; never longer than the header declares."""
    width = max(layout.allocated // 8, 1)
    plane = layout.frame_bits // (8 * width * layout.samples) if layout.allocated > 1 else (layout.frame_bits + 7) // 8
    starts = np.frombuffer(frame[:64].ljust(64, b"\0"), "<u4").tolist()
    count, offsets = starts[0], [*starts[1 : starts[0] + 1], len(frame)] if starts[0] <= 15 else []
    if count != width * layout.samples or offsets != sorted(offsets):
        raise UnreadableImage(name, "its run-length data is broken: export or send the file again")
    plain = np.empty((layout.samples, plane, width), np.uint8)
    for index in range(count):
        segment = _unpack(frame[offsets[index] : offsets[index + 1]], plane, name)
        plain[index // width, :, width - 1 - index % width] = np.frombuffer(segment, np.uint8)
    return plain.tobytes()


def _unpack(segment: bytes, most: int, name: str) -> bytes:
    """PackBits (PS3.5 G.3.1), stopped at `most` bytes; in C, since a hostile segment holds a run for each byte."""
    try:
        return Pillow.frombytes("L", (most, 1), segment, "packbits", "L").tobytes()
    except ValueError as error:
        raise UnreadableImage(name, f"its run-length data is cut short: fewer than {most:,} bytes") from error


def _encapsulated(header: Header, name: str) -> bytes:
    element = header.elements.pixels
    assert element is not None
    if element.stop is not None:
        raise UnreadableImage(name, "its pixels are not compressed as the transfer syntax says")
    pixels = header.elements.body[element.start :]
    _check_fragments(pixels, name)
    return pixels


def _check_fragments(pixels: bytes, name: str) -> None:
    """Few enough, and a table of offsets (the first) no longer than so many need."""
    position, count = 0, 0
    while pixels[position : position + 4] == _ITEM:
        length = int.from_bytes(pixels[position + 4 : position + 8], "little")
        position, count = position + 8 + length, count + 1
        if count > _MOST_FRAGMENTS or (count == 1 and length > 4 * _MOST_FRAGMENTS):
            raise ImageTooLarge(name, f"its compressed pixels lie in more than {_MOST_FRAGMENTS:,} pieces")


def _check_count(count: int, chosen: range, layout: Layout, name: str) -> None:
    if count < len(chosen):
        there = chosen.start + count
        raise UnreadableImage(name, f"the header declares {layout.frames} frames, {there} are there")
