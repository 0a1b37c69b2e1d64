"""The quick way to a JPEG's pixels gives the very bits of Pillow's, and leaves to Pillow what it does not know."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from hilum.errors import UnreadableImage
from hilum.image import raster
from hilum.image.decode import decode
from hilum.image.jpeg import read_jpeg
from tests.image.made import picture

KINDS = {
    "grey": ("L", {}),
    "colour": ("RGB", {}),
    "no subsampling": ("RGB", {"subsampling": 0}),
    "low quality": ("RGB", {"quality": 20}),
    "progressive": ("RGB", {"progressive": True}),
    "restart markers": ("L", {"restart_marker_blocks": 3}),
}


def jpeg(mode: str, *, turn: int = 1, **options: object) -> bytes:
    grey = picture(97, 113)
    colour = np.stack([grey, grey[::-1], grey[:, ::-1]], axis=-1)
    image = Pillow.fromarray(grey if mode == "L" else colour).convert(mode)
    exif = Pillow.Exif()
    if turn != 1:
        exif[0x0112] = turn
    out = io.BytesIO()
    image.save(out, "JPEG", **({"exif": exif} if turn != 1 else {}), **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_both_ways_give_the_same_bits(kind: str, turn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    mode, options = KINDS[kind]
    data = jpeg(mode, turn=turn, **options)
    assert read_jpeg(data) is not None
    (quick,) = decode(data, name="a.jpg")
    monkeypatch.setattr(raster, "read_jpeg", lambda _: None)
    (patient,) = decode(data, name="a.jpg")
    assert np.array_equal(quick.pixels, patient.pixels)
    assert (quick.metadata, quick.colour_share) == (patient.metadata, patient.colour_share)


def test_what_is_not_ordinary_is_left_to_pillow() -> None:
    cmyk = jpeg("CMYK")
    assert read_jpeg(cmyk) is None
    assert decode(cmyk, name="a.jpg")[0].metadata.mode == "CMYK"
    strange = jpeg("L", turn=6).replace(b"\xff\xe1", b"\xff\xe2", 1)  # something like EXIF in another segment
    assert read_jpeg(strange) is None
    assert decode(strange, name="a.jpg")[0].pixels.shape == (97, 113)


def test_damage_is_noticed() -> None:
    data = jpeg("RGB")
    assert read_jpeg(data[: len(data) * 2 // 3]) is None
    with pytest.raises(UnreadableImage):
        decode(data[: len(data) * 2 // 3], name="a.jpg")


def test_a_turn_is_read_from_its_own_segment_only() -> None:
    data = jpeg("L", turn=6)
    at = data.index(b"Exif\0\0")
    short = data[: at - 2] + (8).to_bytes(2, "big") + data[at:]  # the segment ends before the tag
    found = read_jpeg(short)
    assert found is None or found.turn == 1
