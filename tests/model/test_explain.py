"""Heatmaps in the image's own frame, and how far they can be believed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.image.image import Image, Metadata
from hilum.image.prepare import Preparation, prepare
from hilum.model.explain import Heatmap, fidelity, heatmap, in_frame, occlusion, on_input
from hilum.model.overlay import LEAST_SIDE, coloured, outlined, overlay, png

CENTRAL = Preparation(size=32, geometry="central", keep=0.5)


def _image(height: int = 60, width: int = 80) -> Image:
    ramp = np.linspace(0.1, 1, height * width, dtype=np.float32).reshape(height, width)
    return Image(ramp, Metadata("PNG", "L", 8, width, height))


def _bright_corner(pixels: np.ndarray) -> np.ndarray:
    """A predicting function that looks at the upper left quarter only."""
    share = pixels[:, 0, :16, :16].astype(np.float64).mean(axis=(1, 2)) / 255
    return np.stack([1 - share, share], axis=1)


def test_the_heat_is_strongest_where_the_map_is_and_nought_outside_the_field_of_view() -> None:
    maps = np.zeros((2, 4, 4), dtype=np.float32)
    maps[1, 0, 0] = 5.0
    heat = heatmap(maps, 1, _image(), CENTRAL)
    assert heat.values.shape == (60, 80)
    assert np.unravel_index(heat.values.argmax(), heat.values.shape) <= (25, 30)
    assert heat.values[:15].max() == 0
    assert heat.values[:, :20].max() == 0
    assert heat.values.max() == pytest.approx(1, abs=0.05)


def test_what_all_classes_share_does_not_glow() -> None:
    maps = np.full((3, 4, 4), 7.0, dtype=np.float32)
    assert heatmap(maps, 0, _image(), CENTRAL).values.max() == 0


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(20, 90),
    width=st.integers(20, 90),
    squash=st.booleans(),
    geometry=st.sampled_from(["whole", "central", "foreground"]),
)
def test_to_the_frame_and_back_keeps_the_place(height: int, width: int, squash: bool, geometry: str) -> None:
    preparation = Preparation(size=32, geometry=geometry, keep=0.7, squash=squash)
    image = _image(height, width)
    values = np.zeros((32, 32), dtype=np.float32)
    values[12:20, 12:20] = 1
    heat = Heatmap(in_frame(values, image, preparation), 0, "occlusion")
    assert heat.values.shape == (height, width)
    back = on_input(heat, image, preparation)
    assert np.corrcoef(back.ravel(), values.ravel())[0, 1] > 0.75


def test_covering_finds_what_the_answer_hangs_on() -> None:
    pixels = prepare(_image(), Preparation(size=32))
    pixels[0, :16, :16] = np.indices((16, 16)).sum(axis=0) % 2 * 255
    pixels[0, 4:8, 4:8] = 255
    found = occlusion(_bright_corner, pixels, 1, patch=4)
    assert found.shape == (32, 32)
    assert found[5, 5] > 0.8
    assert found[:, 20:].max() == 0


def test_a_true_map_is_more_faithful_than_its_inverse() -> None:
    pixels = np.zeros((1, 32, 32), dtype=np.uint8)
    pixels[0, 2:10, 2:10] = 255
    heat = (pixels[0] > 0).astype(np.float32)
    good, bad = fidelity(_bright_corner, pixels, heat, 1), fidelity(_bright_corner, pixels, -heat, 1)
    assert good.deletion < bad.deletion
    assert good.insertion > bad.insertion


def test_a_heatmap_validates_itself() -> None:
    with pytest.raises(ValueError, match="0, 1"):
        Heatmap(np.full((4, 4), 2, dtype=np.float32), 0, "occlusion")
    with pytest.raises(ValueError, match="float32"):
        Heatmap(np.zeros((4, 4)), 0, "occlusion")
    with pytest.raises(ValueError, match="method"):
        Heatmap(np.zeros((4, 4), dtype=np.float32), 0, "guess")


def test_without_heat_the_picture_is_the_image() -> None:
    image = _image(256, 300)
    picture = overlay(image, Heatmap(np.zeros((256, 300), dtype=np.float32), 0, "occlusion"))
    assert picture.shape == (256, 340, 3)
    assert np.array_equal(picture[:, :300, 1], np.rint(image.pixels * 255))


def test_colours_become_lighter_with_the_value() -> None:
    ramp = coloured(np.linspace(0, 1, 64, dtype=np.float32)[None])[0].astype(float)
    lightness = ramp @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(lightness) > -0.5).all()
    assert lightness[-1] > lightness[0] + 150


def test_a_small_image_is_shown_large_and_outlines_are_drawn() -> None:
    edges = np.zeros((60, 80), dtype=bool)
    edges[30] = True
    picture = outlined(_image(), edges)
    assert picture.shape[0] == LEAST_SIDE
    assert (picture == (253, 231, 37)).all(axis=2).any()


def test_png_bytes_can_be_read_back() -> None:
    picture = overlay(_image(), Heatmap(np.ones((60, 80), dtype=np.float32), 1, "occlusion"))
    read = cv2.imdecode(np.frombuffer(png(picture), np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(read[..., ::-1], picture)
