"""What plain arithmetic sees in the pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.gate.pixels import check_frame, check_quality
from tests.gate import made


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
