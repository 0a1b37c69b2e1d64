"""What is written beside the pixels goes; the picture stays as it is seen."""

from __future__ import annotations

import io
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from hilum.errors import UnreadableImage
from hilum.image.decode import decode
from hilum.image.remarks import without_remarks
from tests.image.made import encoded, picture


def with_remarks(form: str, turn: int) -> bytes:
    exif = Pillow.Exif()
    exif[0x0112], exif[0x010E], exif[0x8825] = turn, "CANARY " * 20, {2: (1.0, 2.0, 3.0)}
    options = {"exif": exif}
    if form == "PNG":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_text("Patient", "CANARY")
        options["pnginfo"].add_itxt("Patient", "CANARY", zip=True)
    if form == "JPEG":
        options["comment"] = b"CANARY"
    if form == "WEBP":
        options |= {"xmp": b"<x>CANARY</x>", "lossless": True}
    out = io.BytesIO()
    Pillow.fromarray(picture()).convert("RGB" if form == "WEBP" else "L").save(out, form, **options)
    return out.getvalue()


@pytest.mark.parametrize("turn", [1, 3, 6])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_remarks_go_and_the_picture_stays(form, turn):
    data = with_remarks(form, turn)
    done = without_remarks(data)
    assert b"CANARY" in data
    assert b"CANARY" not in done
    before, after = decode(data, name="a")[0], decode(done, name="b")[0]
    np.testing.assert_array_equal(after.pixels, before.pixels)
    assert before.pixels.shape == ((112, 96) if turn == 6 else (96, 112))


@pytest.mark.parametrize("form", ["PNG", "BMP", "JPEG", "WEBP", "TIFF"])
def test_a_picture_without_remarks_is_the_very_same(form):
    data = encoded(picture(), form, **({"lossless": True} if form == "WEBP" else {}))
    once = without_remarks(data)
    assert without_remarks(once) is once
    if form != "TIFF":  # whose writer adds tags that no pixel needs
        assert once is data


@pytest.mark.parametrize("form", ["PNG", "BMP", "JPEG", "WEBP", "TIFF"])
def test_what_hangs_behind_goes(form):
    data = encoded(picture(), form)
    assert without_remarks(data + b"PK\x03\x04CANARY") == without_remarks(data)


def test_a_png_keeps_what_its_pixels_need_and_nothing_else():
    def chunk(kind, body):
        return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))

    data = encoded(picture(), "PNG")
    words = (b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"tIME", b"sPLT", b"prVt", b"vpAg", b"dSIG", b"caBX", b"gIFx")
    said = b"".join(chunk(kind, b"CANARY\0\0more") for kind in words)
    behind = data[:-12] + said  # between the pixels and the end mark; and without an end mark
    for told in (data[:33] + said + data[33:], behind + data[-12:], behind):
        done = without_remarks(told)
        assert b"CANARY" not in done
        np.testing.assert_array_equal(decode(done, name="x")[0].pixels, decode(data, name="x")[0].pixels)


def test_a_jpeg_loses_remarks_wherever_they_stand():
    for options in ({}, {"progressive": True}, {"icc_profile": b"CANARY" * 30}, {"xmp": b"<x>CANARY</x>"}):
        data = encoded(np.stack([picture()] * 3, axis=-1), "JPEG", **options)
        word = b"\xff\xfe" + struct.pack(">H", 8) + b"CANARY"
        thumbnail = data[:18] + b"\x02\x02" + b"CANARYCANARY" + data[20:]  # of JFIF: 2 x 2 pixels of 3 bytes
        thumbnail = thumbnail[:4] + struct.pack(">H", 16 + 12) + thumbnail[6:]
        scans = [match.start() for match in re.finditer(b"\xff\xda", data)]
        between = data[: scans[-1]] + word + data[scans[-1] :]
        for told in (
            data,
            data[:2] + word + data[2:],
            data[:20] + b"CANARY" + data[20:],
            between,
            thumbnail,
            data + word,
        ):
            done = without_remarks(told)
            assert b"CANARY" not in done
            np.testing.assert_array_equal(decode(done, name="x")[0].pixels, decode(data, name="x")[0].pixels)


PAGES = {
    "grey": {},
    "deflate": {"compression": "tiff_adobe_deflate"},
    "jpeg": {"compression": "jpeg"},
    "group4": {"compression": "group4"},
    "big": {"big_tiff": True},
    "turned": {"turn": 6},
    "profile": {"icc_profile": b"CANARY" * 50},
}


@pytest.mark.parametrize("how", PAGES)
def test_a_tiff_keeps_its_pages_and_no_word(how):
    options = dict(PAGES[how])
    tags = {270: "CANARY " * 9, 271: "CANARY", 305: "CANARY", 306: "2026:01:01 00:00:00", 315: "CANARY", 316: "CANARY",
            269: "CANARY", 285: "CANARY", 33432: "CANARY", 700: b"<x>CANARY</x>", 33723: b"CANARY", 65000: "CANARY",
            274: options.pop("turn", 1), 278: 16}  # fmt: skip
    first, *others = [Pillow.fromarray(np.roll(picture(), i, axis=0)) for i in range(3)]
    if how == "group4":
        first, *others = [page.convert("1") for page in (first, *others)]
    if how != "jpeg":
        options |= {"save_all": True, "append_images": others}
    out = io.BytesIO()
    first.save(out, "TIFF", tiffinfo=tags, **options)
    data = out.getvalue()
    assert b"CANARY" in data
    done = without_remarks(data + b"CANARY")
    assert b"CANARY" not in done
    assert b"2026" not in done
    before, after = decode(data, name="x"), decode(done, name="x")
    assert len(before) == len(after) == (1 if how == "jpeg" else 3)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(other.pixels, one.pixels)
        assert other.metadata == one.metadata


@pytest.mark.parametrize("order", "<>")
def test_a_tiff_by_hand_keeps_nothing_in_its_gaps(order):
    rows = picture()[:16]
    pixels, words = rows.tobytes(), b"CANARY in a gap"
    place = 8 + len(pixels) + len(words)
    entries = [(256, 3, 1, 112), (257, 3, 1, 16), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8),
               (277, 3, 1, 1), (278, 3, 1, 16), (279, 4, 1, len(pixels)), (270, 2, 4, 0)]  # fmt: skip
    written = b"".join(
        struct.pack(order + "HHI", tag, kind, count) + (struct.pack(order + "HH", value, 0) if kind == 3 else
        b"JANE" if kind == 2 else struct.pack(order + "I", value)) for tag, kind, count, value in sorted(entries)
    )  # fmt: skip
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", place)
    data = head + pixels + words + struct.pack(order + "H", len(entries)) + written + bytes(4) + b"JANE"
    done = without_remarks(data)
    assert b"CANARY" not in done
    assert b"JANE" not in done
    np.testing.assert_array_equal(decode(done, name="x")[0].pixels, decode(data, name="x")[0].pixels)


def test_a_jpeg_within_a_tiff_loses_its_remarks():
    rows = picture()[:16]
    stream = encoded(rows, "JPEG", comment=b"CANARY", exif=b"Exif\0\0CANARY")
    place = 8 + len(stream) + len(stream) % 2
    entries = [(256, 3, 112), (257, 3, 16), (258, 3, 8), (259, 3, 7), (262, 3, 1), (273, 4, 8), (277, 3, 1),
               (278, 3, 16), (279, 4, len(stream))]  # fmt: skip
    written = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    head = b"II*\0" + struct.pack("<I", place) + stream.ljust(place - 8, b"\0")
    data = head + struct.pack("<H", len(entries)) + written + bytes(4)
    done = without_remarks(data)
    assert b"CANARY" in data
    assert b"CANARY" not in done
    np.testing.assert_array_equal(decode(done, name="x")[0].pixels, decode(data, name="x")[0].pixels)


@pytest.mark.parametrize("bits", ["1", "L", "P", "RGB"])
def test_a_bmp_keeps_headers_colours_and_pixels(bits):
    data = encoded(picture(), "BMP", bits)
    pixels = struct.unpack_from("<I", data, 10)[0]
    told = bytearray(data[:pixels] + b"CANARY" + data[pixels:] + b"CANARY")
    struct.pack_into("<I", told, 10, pixels + 6)
    told[6:10] = b"JANE"
    done = without_remarks(bytes(told))
    assert b"CANARY" not in done
    assert b"JANE" not in done
    np.testing.assert_array_equal(decode(done, name="x")[0].pixels, decode(data, name="x")[0].pixels)


@pytest.mark.parametrize("kind", [b"LINK", b"MBED"])
def test_a_bmp_loses_its_profile_and_the_path_to_one(kind):
    plain = encoded(picture(), "BMP", "RGB")
    body, profile = plain[54:], b"C:\\patients\\CANARY.icc"
    head = bytearray(plain[14:54] + bytes(84))
    struct.pack_into("<I", head, 0, 124)
    head[56:60] = kind[::-1]
    struct.pack_into("<II", head, 112, 124 + len(body), len(profile))
    data = b"BM" + struct.pack("<III", 138 + len(body) + len(profile), 0, 138) + bytes(head) + body + profile
    done = without_remarks(data)
    assert b"CANARY" not in done
    assert kind[::-1] not in done[:138]
    np.testing.assert_array_equal(decode(done, name="x")[0].pixels, decode(data, name="x")[0].pixels)


def test_a_webp_keeps_its_picture_only():
    for options in ({}, {"lossless": True}):
        data = with_profile("WEBP", **options)
        told = data + b"prVt" + struct.pack("<I", 6) + b"CANARY"
        told = told[:4] + struct.pack("<I", len(told) - 8) + told[8:]
        done = without_remarks(told)
        assert b"CANARY" in told
        assert b"CANARY" not in done
        np.testing.assert_array_equal(decode(done, name="x")[0].pixels, decode(data, name="x")[0].pixels)
        assert len(done) == 8 + struct.unpack_from("<I", done, 4)[0]


def with_profile(form, **options):
    out = io.BytesIO()
    first = Pillow.fromarray(picture()).convert("RGBA")
    others = {"save_all": True, "append_images": [first.rotate(9)]} if form == "WEBP" and not options else {}
    first.save(out, form, icc_profile=b"CANARY" * 20, **options, **others)
    return out.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
def test_broken_bytes_are_cleaned_or_not_kept(form):
    data = with_remarks(form, 6) if form in ("PNG", "JPEG", "WEBP") else encoded(picture(), form)
    for cut in range(0, len(data), 37):
        for broken in (data[:cut], data[:cut] + b"\xff" * 50, data[:cut] + b"\xff" * 9 + data[cut + 9 :]):
            try:
                done = without_remarks(broken)
            except UnreadableImage:
                continue
            try:
                before = decode(broken, name="x")
            except UnreadableImage:
                continue
            assert b"CANARY " * 2 not in done
            np.testing.assert_array_equal(decode(done, name="x")[0].pixels, before[0].pixels)


def test_real_images_are_the_same_afterwards(real_images):
    paths = sorted(path for path in real_images.rglob("*") if path.suffix in (".jpg", ".jpeg", ".png", ".tif"))
    for path in paths[:: max(1, len(paths) // 200)]:
        data = path.read_bytes()
        before, after = decode(data, name="x"), decode(without_remarks(data), name="x")
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(other.pixels, one.pixels)


def test_a_directory_that_counts_further_than_the_file_costs_nothing() -> None:
    data = bytearray(encoded(picture(), "TIFF", big_tiff=True))
    place = struct.unpack_from("<Q", data, 8)[0]
    struct.pack_into("<Q", data, place, 2**62)
    with pytest.raises(UnreadableImage):
        without_remarks(bytes(data))
