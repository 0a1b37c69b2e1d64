"""What is written beside the pixels goes; the picture stays as it is seen."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

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


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_a_picture_without_remarks_is_the_very_same(form):
    data = encoded(picture(), form)
    assert without_remarks(data) is data


def test_what_hangs_behind_a_png_goes():
    data = encoded(picture(), "PNG")
    assert without_remarks(data + b"PK\x03\x04CANARY") == data


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_broken_bytes_are_no_error(form):
    data = with_remarks(form, 6)
    for cut in range(0, len(data), 37):
        without_remarks(data[:cut])
        without_remarks(data[:cut] + b"\xff" * 50)
