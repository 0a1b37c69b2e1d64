"""Preparation: any image gives the declared input, never NaN; the box finds the head and never zooms too far."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hilum.image.image import Image, Metadata
from hilum.image.prepare import LONGEST, Preparation, field_of_view, padded, prepare
from hilum.task import GEOMETRIES


def image(pixels: NDArray[np.floating]) -> Image:
    height, width = pixels.shape
    return Image(pixels.astype(np.float32), Metadata("ARRAY", "L", 8, width, height))


@st.composite
def images(draw: st.DrawFn) -> Image:
    random = np.random.default_rng(draw(st.integers(0, 2**20)))
    height, width = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    kind = draw(st.sampled_from(["noise", "flat", "dark", "dot", "step"]))
    pixels = random.random((height, width))
    if kind == "flat":
        pixels[:] = draw(st.sampled_from([0.0, 0.5, 1.0]))
    elif kind == "dark":
        pixels *= 0.01
    elif kind == "dot":
        pixels[:] = 0.0
        pixels[height // 2, width // 3] = 1.0
    elif kind == "step":
        pixels = (pixels > 0.5).astype(float)
    return image(pixels)


@st.composite
def preparations(draw: st.DrawFn) -> Preparation:
    return Preparation(
        size=draw(st.sampled_from([16, 33, 64])),
        geometry=draw(st.sampled_from(GEOMETRIES)),
        keep=draw(st.floats(0.3, 1.0)),
        margin=draw(st.floats(0.0, 0.2)),
        squash=draw(st.booleans()),
        low=draw(st.sampled_from([0.0, 0.5, 2.0])),
        high=draw(st.sampled_from([98.0, 99.5, 100.0])),
    )


@given(one=images(), preparation=preparations())
@settings(max_examples=150, deadline=None)
def test_any_image_gives_the_declared_input(one: Image, preparation: Preparation) -> None:
    prepared = prepare(one, preparation)
    assert prepared.shape == (1, preparation.size, preparation.size)
    assert prepared.dtype == np.uint8


@given(seed=st.integers(0, 2**20))
@settings(max_examples=20, deadline=None)
def test_preparing_twice_keeps_the_range(seed: int) -> None:
    preparation = Preparation(size=32, low=0.0, high=100.0)
    first = prepare(image(np.random.default_rng(seed).random((40, 50))), preparation)
    assert (first.min(), first.max()) == (0, 255)
    again = prepare(image(first[0] / 255.0), preparation)
    assert np.array_equal(first, again)


@given(seed=st.integers(0, 2**20), gain=st.floats(0.3, 1.0))
@settings(max_examples=20, deadline=None)
def test_brightness_and_contrast_of_the_file_do_not_matter(seed: int, gain: float) -> None:
    pixels = np.random.default_rng(seed).random((40, 40))
    preparation = Preparation(size=32)
    first = prepare(image(pixels), preparation).astype(int)
    second = prepare(image(pixels * gain), preparation).astype(int)
    assert np.abs(first - second).max() <= 1


def head(side: int, top: int, left: int, size: int) -> Image:
    pixels = np.zeros((side, side))
    pixels[top : top + size, left : left + size] = np.linspace(0.4, 1.0, size)[:, None]
    return image(pixels)


def test_the_box_makes_frame_and_place_irrelevant() -> None:
    preparation = Preparation(size=32, geometry="foreground", keep=0.1)
    first = prepare(head(100, 10, 20, 60), preparation)
    second = prepare(head(140, 50, 40, 60), preparation)
    assert np.array_equal(first, second)
    assert (first > 0).mean() > 0.9


def test_a_tiny_slice_is_not_zoomed_beyond_the_smallest_box() -> None:
    preparation = Preparation(size=50, geometry="foreground", keep=0.5)
    assert (prepare(head(100, 45, 45, 10), preparation) > 0).mean() == pytest.approx(0.04, abs=0.015)


def test_central_leaves_the_border_out() -> None:
    pixels = np.full((100, 100), 0.5)
    pixels[30:60, 40:70] = 0.8
    framed = pixels.copy()
    framed[:5], framed[-5:], framed[:, :5], framed[:, -5:] = 1, 1, 1, 1
    preparation = Preparation(size=40, geometry="central", keep=0.86)
    assert np.array_equal(prepare(image(pixels), preparation), prepare(image(framed), preparation))


def test_padding_keeps_the_aspect() -> None:
    padded = prepare(image(np.linspace(0.2, 1, 40 * 20).reshape(40, 20)), Preparation(size=40, squash=False))
    assert padded[0, :, :9].max() == 0
    assert padded[0, 10:, 12:28].min() > 0


def test_a_strip_takes_no_more_memory_than_its_square_may() -> None:
    """As wide as this it would be 16 TB; a file of a few kilobytes can hold it."""
    strip = np.ones((1, 2_000_000), dtype=np.float32)
    assert prepare(image(strip), Preparation(size=32, squash=False)).shape == (1, 32, 32)
    square = padded(np.ones((3, LONGEST + 1), dtype=np.float32))
    assert square.shape == (LONGEST, LONGEST)
    assert np.count_nonzero(square[:, 0]) == 3


@pytest.mark.parametrize("wrong", [{"geometry": "round"}, {"size": 8}, {"dtype": "float64"}])
def test_a_preparation_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Preparation(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("low", "high"), [(0.5, 99.5), (1.0, 99.0), (0.0, 100.0), (20.0, 51.0)])
def test_the_range_is_that_of_numpys_percentiles(low: float, high: float) -> None:
    pixels = np.random.default_rng(0).random((48, 48)) ** 2
    ends = np.percentile(pixels, (low, high))
    expected = np.clip((pixels - ends[0]) / (ends[1] - ends[0]), 0, 1) * 255
    found = prepare(image(pixels), Preparation(size=48, low=low, high=high))[0]
    np.testing.assert_allclose(found, expected, atol=0.502)


def test_what_is_made_smaller_is_the_mean_of_what_it_covers() -> None:
    pixels = np.random.default_rng(0).random((128, 128))
    means = pixels.reshape(32, 4, 32, 4).mean(axis=(1, 3))
    expected = (means - means.min()) / np.ptp(means) * 255
    found = prepare(image(pixels), Preparation(size=32, low=0.0, high=100.0))[0]
    np.testing.assert_allclose(found, expected, atol=0.51)


def test_the_middle_has_the_same_border_on_either_side() -> None:
    found = field_of_view(np.zeros((100, 61), np.float32), Preparation(geometry="central", keep=0.5))
    assert found == (slice(25, 75), slice(15, 46))


@pytest.mark.parametrize(("haze", "seen"), [(0.0, False), (0.07, False), (0.1, True)])
def test_the_box_holds_what_is_brighter_than_a_twelfth_of_the_brightest_and_a_tenth_of_its_sides_more(
    haze: float, seen: bool
) -> None:
    """A letter of three pixels in a corner is no foreground, and neither is a haze."""
    pixels = np.full((200, 200), haze, np.float32)
    pixels[50:150, 60:140] = 1.0
    pixels[:3, :3] = 1.0
    found = field_of_view(pixels, Preparation(geometry="foreground", keep=0.1, margin=0.1))
    assert found == ((slice(0, 200),) * 2 if seen else (slice(40, 160), slice(52, 148)))


@pytest.mark.parametrize(("haze", "seen"), [(0.035, False), (0.045, True)])
def test_in_a_dark_image_ten_grey_levels_are_still_background(haze: float, seen: bool) -> None:
    pixels = np.full((100, 100), haze, np.float32)
    pixels[30:70, 20:80] = 0.2
    found = field_of_view(pixels, Preparation(geometry="foreground", keep=0.1))
    assert found == ((slice(0, 100),) * 2 if seen else (slice(30, 70), slice(20, 80)))


def test_black_is_added_on_both_sides_alike() -> None:
    assert padded(np.ones((6, 2), np.float32)).tolist() == [[0, 0, 1, 1, 0, 0]] * 6
    assert padded(np.ones((2, 6), np.float32)).T.tolist() == [[0, 0, 1, 1, 0, 0]] * 6
