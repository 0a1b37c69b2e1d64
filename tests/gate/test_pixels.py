"""What plain arithmetic sees in the pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.gate.pixels import check_frame, check_quality
from tests.gate import made

STRANGE = "not_this_kind_of_image"


def _codes(pixels: np.ndarray, colour: float = 0.0) -> list[str]:
    image = made.image(pixels, colour_share=colour)
    reasons = check_frame(image, made.task()) or check_quality(image, made.task())
    return [reason.code for reason in reasons]


def test_a_slice_breaks_no_rule() -> None:
    assert _codes(made.phantom()) == []


@pytest.mark.parametrize(
    ("pixels", "colour", "codes"),
    [
        (made.phantom(48), 0.0, ["too_small"]),
        (np.full((128, 128), 0.4), 0.0, ["blank"]),
        (made.phantom(), 0.5, ["not_this_kind_of_image"]),
        (np.tile(made.phantom(), (1, 4)), 0.0, ["not_this_kind_of_image"]),
        (np.random.default_rng(0).random((128, 128)), 0.0, ["low_quality"]),
        (np.pad(1.0 - (made.phantom() > 0.6), 16), 0.0, ["clipped"]),
        (1.0 - made.phantom(), 0.0, ["inverted"]),
    ],
    ids=["tiny", "flat", "colour", "strip", "noise", "white", "inverted"],
)
def test_each_rule_speaks(pixels: np.ndarray, colour: float, codes: list[str]) -> None:
    assert _codes(pixels, colour) == codes


def test_a_small_coloured_banner_survives() -> None:
    assert _codes(made.phantom(), colour=0.08) == []


def test_a_slice_that_is_all_background_is_low_quality() -> None:
    pixels = np.zeros((256, 256), dtype=np.float32)
    pixels[100:106, 100:106] = 1.0
    codes = _codes(pixels)
    assert codes == ["low_quality"]


@settings(max_examples=25, deadline=None)
@given(gain=st.floats(0.3, 1.0), lift=st.floats(0.0, 0.3), seed=st.integers(0, 50))
def test_brightness_and_contrast_alone_refuse_no_slice(gain: float, lift: float, seed: int) -> None:
    assert _codes(np.clip(made.phantom(seed=seed) * gain * (1 - lift) + lift, 0, 1)) == []


def test_a_bright_background_says_nothing_where_the_whole_frame_counts() -> None:
    whole = made.task(**{'geometry = "foreground"': 'geometry = "central"'})
    assert check_frame(made.image(1.0 - made.phantom()), whole) == ()


def test_a_white_frame_around_a_good_slice_does_not_make_it_inverted() -> None:
    assert _codes(np.pad(made.phantom(), 3, constant_values=1.0)) == []


@pytest.mark.parametrize(
    ("height", "width", "codes"),
    [(64, 64, []), (63, 200, ["too_small"]), (200, 63, ["too_small"]), (64, 192, []), (64, 193, [STRANGE]),
     (200, 66, [STRANGE])],
)  # fmt: skip
def test_64_pixels_are_enough_and_three_times_as_long_as_wide_is_no_strip(
    height: int, width: int, codes: list[str]
) -> None:
    whole = made.task(**{'geometry = "foreground"': 'geometry = "central"'})
    ramp = np.linspace(0, 1, height * width, dtype=np.float32).reshape(height, width)
    assert [reason.code for reason in check_frame(made.image(ramp), whole)] == codes


@pytest.mark.parametrize(("side", "codes"), [(28, []), (27, ["too_small"])])
def test_a_task_may_ask_for_smaller_images(side: int, codes: list[str]) -> None:
    small = made.task(**{'geometry = "foreground"': 'geometry = "central"\nsmallest_side = 28'})
    ramp = np.linspace(0, 1, side * 40, dtype=np.float32).reshape(side, 40)
    assert [reason.code for reason in check_frame(made.image(ramp), small)] == codes


def test_the_size_is_told_as_width_by_height() -> None:
    (reason,) = check_frame(made.image(made.phantom(80)[:, :50]), made.task())
    assert "50 x 80 pixels" in reason.text


@pytest.mark.parametrize(("share", "codes"), [(0.47, []), (0.53, ["clipped"])])
def test_half_of_an_image_may_be_pure_white(share: float, codes: list[str]) -> None:
    pixels = np.tile(np.linspace(0.2, 0.8, 200, dtype=np.float32), (200, 1))
    pixels[:, : round(200 * share)] = 1.0
    assert [reason.code for reason in check_quality(made.image(pixels), made.task())] == codes


@pytest.mark.parametrize(("share", "codes"), [(0.82, []), (0.88, ["clipped"])])
def test_of_what_is_framed_most_may_be_pure_black_and_the_black_around_it_does_not_count(
    share: float, codes: list[str]
) -> None:
    pixels = np.zeros((300, 300), np.float32)
    inner = np.tile(np.linspace(0.4, 0.8, 200, dtype=np.float32)[:, None], (1, 200))
    inner[:, 2 : 2 + round(200 * share)] = 0.0
    pixels[50:250, 50:250] = inner
    assert [reason.code for reason in check_quality(made.image(pixels), made.task())] == codes


@pytest.mark.parametrize(("dark", "codes"), [(0, ["inverted"]), (1, ["inverted"]), (2, [])])
def test_three_bright_corners_make_an_inverted_image_and_two_do_not(dark: int, codes: list[str]) -> None:
    pixels = 1.0 - made.phantom()
    corners = [(slice(0, 12), slice(0, 12)), (slice(-12, None), slice(-12, None))]
    for corner in corners[:dark]:
        pixels[corner] = 0.0
    assert [reason.code for reason in check_frame(made.image(pixels), made.task())] == codes


@pytest.mark.parametrize(("corner", "codes"), [(0.72, ["inverted"]), (0.68, [])])
def test_a_grey_background_is_not_an_inverted_one(corner: float, codes: list[str]) -> None:
    pixels = np.full((128, 128), corner, np.float32)
    pixels[30:98, 30:98] = 0.2
    assert [reason.code for reason in check_frame(made.image(pixels), made.task())] == codes


def test_a_middle_that_is_hardly_darker_than_its_corners_is_not_inverted() -> None:
    pixels = np.full((128, 128), 0.9, np.float32)
    pixels[32:96, 32:96] = 0.82
    pixels[60:68, 60:68] = 0.0
    assert check_frame(made.image(pixels), made.task()) == ()


def test_noise_is_told_by_the_correlation_of_neighbours_across_and_down() -> None:
    """Stripes agree with their neighbours one way and oppose them the other: mixed with noise they are noise."""
    generator = np.random.default_rng(0)
    lines = np.repeat(generator.random((1, 128)), 128, axis=0)  # down: the same; across: no relation
    for pixels in (lines, lines.T):
        assert check_quality(made.image(pixels), made.task()) == ()
    for pixels in (lines, lines.T):
        mixed = 0.6 * pixels + 0.4 * generator.random((128, 128))  # half of the relation that is left is too little
        assert [reason.code for reason in check_quality(made.image(mixed), made.task())] == ["low_quality"]


@pytest.mark.parametrize(("share", "codes"), [(0.14, []), (0.16, [STRANGE])])
def test_a_seventh_of_an_image_may_be_in_colour(share: float, codes: list[str]) -> None:
    assert _codes(made.phantom(), colour=share) == codes


@pytest.mark.parametrize(("levels", "codes"), [(3.5, ["blank"]), (4.5, [])])
def test_four_grey_levels_of_spread_are_a_picture(levels: float, codes: list[str]) -> None:
    pixels = np.full((128, 128), 0.5, np.float32)
    pixels[:, :64] += levels / 255
    pixels[:, 64:] -= levels / 255
    assert [reason.code for reason in check_frame(made.image(pixels), made.task())] == codes


def test_a_middle_that_is_a_little_darker_than_its_corners_is_inverted() -> None:
    pixels = np.full((128, 128), 0.9, np.float32)
    pixels[32:96, 32:96] = 0.78
    assert [reason.code for reason in check_frame(made.image(pixels), made.task())] == ["inverted"]


@pytest.mark.parametrize(("side", "codes"), [(7, ["low_quality"]), (10, [])])
def test_a_thousandth_of_an_image_is_enough_to_look_at(side: int, codes: list[str]) -> None:
    pixels = np.zeros((256, 256), dtype=np.float32)
    pixels[100 : 100 + side, 100 : 100 + side] = 1.0
    assert [reason.code for reason in check_quality(made.image(pixels), made.task())] == codes
