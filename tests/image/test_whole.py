"""A file whose data stop early is refused in every format; what merely lacks its end mark is read."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from hilum.errors import HilumError, UnreadableImage
from hilum.image.decode import decode
from tests.image.made import encoded, picture

GREY = picture()  # (96, 112)
COLOUR = np.stack([GREY, GREY // 2, 255 - GREY], axis=-1)
HEIGHT, WIDTH = GREY.shape


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rows: bytes, bits: int = 8, kind: int = 0, interlace: int = 0, pieces: int = 1) -> bytes:
    """A PNG of the made picture's size, written by hand; rows: with their filter bytes, not yet deflated."""
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, kind, 0, 0, interlace)
    packed = zlib.compress(rows)
    step = -(-len(packed) // pieces)
    parts = [chunk(b"IDAT", packed[i : i + step]) for i in range(0, len(packed), step)]
    palette = chunk(b"PLTE", bytes(range(256)) * 3) if kind == 3 else b""
    return b"".join((b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", head), palette, *parts, chunk(b"IEND", b"")))


def rows_of(plane: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in plane)


DEPTHS = {
    "grey 8": (8, 0, GREY),
    "grey 16": (16, 0, GREY.astype(">u2") * 257),
    "grey 1": (1, 0, np.packbits(GREY > 128, axis=1)),
    "grey and alpha": (8, 4, np.stack([GREY, GREY], axis=-1)),
    "colour": (8, 2, COLOUR),
    "colour and alpha": (8, 6, np.concatenate([COLOUR, COLOUR[..., :1]], axis=-1)),
    "palette": (8, 3, GREY),
}


@pytest.mark.parametrize("kind", DEPTHS)
def test_a_png_with_too_few_rows_is_no_picture(kind: str) -> None:
    bits, colour, samples = DEPTHS[kind]
    whole = rows_of(samples)
    row = len(whole) // HEIGHT
    assert decode(png(whole, bits, colour), name="x")[0].pixels.shape == GREY.shape
    for count in (1, HEIGHT // 2, HEIGHT - 1):
        with pytest.raises(UnreadableImage):
            decode(png(whole[: row * count], bits, colour, pieces=3), name="x")


def test_a_black_last_row_is_no_missing_row_and_neither_is_one_that_looks_like_the_mark() -> None:
    for value in (0, 165, 255):
        plane = GREY.copy()
        plane[-40:] = value
        found = decode(encoded(plane, "PNG"), name="x")[0]
        assert np.allclose(found.pixels[-40:], np.float32(value) / 255)


def adam7(plane: np.ndarray) -> bytes:
    starts = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    return b"".join(rows_of(np.ascontiguousarray(plane[y::dy, x::dx])) for x, y, dx, dy in starts)


def test_an_interlaced_png_is_measured_too() -> None:
    whole = adam7(GREY)
    assert np.allclose(decode(png(whole, interlace=1), name="x")[0].pixels, GREY / np.float32(255))
    for lacking in (1, WIDTH + 1, len(whole) // 2):
        with pytest.raises(UnreadableImage):
            decode(png(whole[:-lacking], interlace=1), name="x")


def test_a_png_without_its_end_mark_is_read_and_one_that_holds_more_too() -> None:
    whole = rows_of(GREY)
    for data in (png(whole)[:-12], png(whole + b"more")):
        assert np.allclose(decode(data, name="x")[0].pixels, GREY / np.float32(255))


@pytest.mark.parametrize("array", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
@pytest.mark.parametrize("mode", [None, "CMYK"])
def test_a_jpeg_that_stops_early_is_no_picture_even_with_an_end_mark(
    array: np.ndarray, progressive: bool, mode: str | None
) -> None:
    data = encoded(array, "JPEG", mode, progressive=progressive)
    assert decode(data, name="x")
    for share in (0.5, 0.7, 0.9):
        cut = data[: int(len(data) * share)].rstrip(b"\xff")
        for broken in (cut, cut + b"\xff\xd9"):
            with pytest.raises(UnreadableImage):
                decode(broken, name="x")


def tiff(compression: str | None, array: np.ndarray = GREY) -> bytes:
    return encoded(array, "TIFF", compression=compression, tiffinfo={278: 16})


def parts_of(data: bytes) -> dict[int, tuple[int, int, str]]:
    """Tag -> (where its values stand, how many, the letter of their kind), of the first directory."""
    start = struct.unpack_from("<I", data, 4)[0]
    found = {}
    for place in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", data, start)[0], 12):
        tag, kind, count = struct.unpack_from("<HHI", data, place)
        letter = {3: "H", 4: "I"}.get(kind)
        if letter:
            inside = struct.calcsize(letter) * count <= 4
            found[tag] = (place + 8 if inside else struct.unpack_from("<I", data, place + 8)[0], count, letter)
    return found


def without_last_strip(data: bytes) -> Iterator[bytes]:
    """Its place, its length, or both are nothing; or it is half as long as it was."""
    parts = parts_of(data)
    for tags, value in (((273,), 0), ((279,), 0), ((273, 279), 0), ((279,), None)):
        out = bytearray(data)
        for tag in tags:
            start, count, letter = parts[tag]
            place = start + (count - 1) * struct.calcsize(letter)
            said = struct.unpack_from("<" + letter, out, place)[0] // 2 if value is None else value
            struct.pack_into("<" + letter, out, place, said)
        yield bytes(out)


@pytest.mark.parametrize("array", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("compression", [None, "tiff_adobe_deflate", "tiff_lzw", "packbits", "jpeg", "zstd"])
def test_a_tiff_that_lacks_a_strip_is_no_picture(compression: str | None, array: np.ndarray) -> None:
    data = tiff(compression, array)
    assert parts_of(data)[273][1] == HEIGHT // 16
    assert decode(data, name="x")
    for broken in without_last_strip(data):
        with pytest.raises(UnreadableImage):
            decode(broken, name="x")


def test_a_tiff_of_one_strip_or_several_pages_is_still_read() -> None:
    pages = io.BytesIO()
    first, *others = [Pillow.fromarray(np.roll(GREY, i, axis=0)) for i in range(3)]
    first.save(pages, "TIFF", save_all=True, append_images=others)
    frames = decode(pages.getvalue(), name="x")
    assert len(frames) == 3
    for i, frame in enumerate(frames):
        assert np.allclose(frame.pixels, np.roll(GREY, i, axis=0) / np.float32(255))
    for bits in (GREY > 128, GREY.astype("<u2") * 257):
        assert decode(encoded(bits, "TIFF"), name="x")[0].pixels.shape == GREY.shape
    old = bytearray(encoded(GREY, "TIFF"))  # as very old writers do: no lengths of strips
    start = struct.unpack_from("<I", old, 4)[0]
    for place in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", old, start)[0], 12):
        if struct.unpack_from("<H", old, place)[0] == 279:
            struct.pack_into("<H", old, place, 60000)
    assert decode(bytes(old), name="x")[0].pixels.shape == GREY.shape


def tiled(kept: int) -> bytes:
    """An uncompressed TIFF of 4 tiles of 64 x 64 for a picture of 96 x 112, of which so many are there."""
    tiles = np.zeros((128, 128), np.uint8)
    tiles[:HEIGHT, :WIDTH] = GREY
    parts = [tiles[y : y + 64, x : x + 64].tobytes() for y in (0, 64) for x in (0, 64)]
    places = [8 + i * 4096 if i < kept else 0 for i in range(4)]
    after = 8 + 4 * 4096
    entries = [(256, 3, 1, WIDTH), (257, 3, 1, HEIGHT), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1),
               (322, 3, 1, 64), (323, 3, 1, 64), (324, 4, 4, after), (325, 4, 4, after + 16)]  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    lengths = [4096 if i < kept else 0 for i in range(4)]
    head = struct.pack("<2sHI", b"II", 42, after + 32)
    return head + b"".join(parts) + struct.pack("<8I", *places, *lengths) + directory + struct.pack("<I", 0)


def test_a_tiled_tiff_must_have_all_its_tiles() -> None:
    assert np.allclose(decode(tiled(4), name="x")[0].pixels, GREY / np.float32(255))
    for kept in (0, 1, 3):
        with pytest.raises(UnreadableImage, match="stop before the last row"):
            decode(tiled(kept), name="x")


@pytest.mark.parametrize(("form", "options"), [("BMP", {}), ("WEBP", {}), ("WEBP", {"lossless": True})])
def test_a_bmp_or_webp_that_stops_early_is_no_picture(form: str, options: dict[str, bool]) -> None:
    data = encoded(COLOUR, form, **options)
    assert decode(data, name="x")
    half = bytearray(data[: len(data) // 4 * 2])
    broken = [bytes(half), data[:-4]]
    if form == "WEBP":  # with lengths that fit
        struct.pack_into("<I", half, 4, len(half) - 8)
        struct.pack_into("<I", half, 16, len(half) - 20)
        broken.append(bytes(half))
    for cut in broken:
        with pytest.raises(UnreadableImage):
            decode(cut, name="x")


def test_real_images_are_whole(real_images: Path) -> None:
    """Some hundreds, spread over the folders."""
    paths = sorted(path for path in real_images.rglob("*") if path.suffix in (".jpg", ".jpeg", ".png", ".tif"))
    unread = []
    for path in paths[:: max(1, len(paths) // 400)]:
        try:
            decode(path.read_bytes(), name=str(path))
        except HilumError as error:
            unread.append(str(error))
    assert unread == []
