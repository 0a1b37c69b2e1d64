"""The quick way to a JPEG's pixels gives the very bits of Pillow's, and leaves to Pillow what it does not know."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from hilum.errors import UnreadableImage
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
    monkeypatch.setattr("hilum.image.decode.read_jpeg", lambda _: None)
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
    assert found is None or found.pixels.shape == (97, 113)


@pytest.mark.parametrize("coloured", [None, (0, 0), (299, 219), (150, 3)])
def test_grey_saved_as_colour_is_the_same_picture_and_one_coloured_spot_is_seen(
    coloured: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more pixels than are looked at together, so that the spot lies in the first or in the last piece."""
    pixels = np.repeat(picture(300, 220)[..., None], 3, axis=2)
    if coloured:
        pixels[coloured] = (255, 0, 0)
    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, "JPEG", quality=95, subsampling=0)
    (quick,) = decode(out.getvalue(), name="a.jpg")
    monkeypatch.setattr("hilum.image.decode.read_jpeg", lambda _: None)
    (patient,) = decode(out.getvalue(), name="a.jpg")
    assert np.array_equal(quick.pixels, patient.pixels)
    assert (quick.metadata, quick.colour_share) == (patient.metadata, patient.colour_share)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_without_colour_needs_no_pillow(mode: str, tmp_path: Path) -> None:
    """It takes as long to import as OpenCV."""
    file = tmp_path / "a.jpg"
    Pillow.fromarray(picture(97, 113)).convert(mode).save(file)
    code = "import sys; from pathlib import Path; from hilum.image.decode import read_image_file as read; "
    code += "read(Path(sys.argv[1])); print('PIL' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
