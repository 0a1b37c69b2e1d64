"""What lies as the original lies has less excuse to differ: sizes and greys that tell whether it does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hilum.data.levels import as_given


@pytest.mark.parametrize(
    ("black", "white", "mean", "width", "height", "untouched"),
    [
        (0.1, 0.9, 100, 1000, 500, True),
        (0.1, 0.94, 100, 1000, 500, True),
        (0.1, 0.96, 100, 1000, 500, False),
        (0.1, 0.84, 100, 1000, 500, False),
        (0.14, 0.9, 100, 1000, 500, True),
        (0.16, 0.9, 100, 1000, 500, False),
        (0.1, 0.9, 108, 1000, 500, True),
        (0.1, 0.9, 113, 1000, 500, False),
        (0.1, 0.9, 87, 1000, 500, False),
        (0.1, 0.9, 100, 1010, 505, True),
        (0.1, 0.9, 100, 1030, 500, False),
        (0.1, 0.9, 100, 1000, 485, False),
    ],
)
def test_a_picture_is_untouched_while_neither_size_nor_ends_nor_mean_of_its_greys_differ_much(
    black: float, white: float, mean: int, width: int, height: int, untouched: bool
) -> None:
    boxes = [
        np.array([[0, 0, 1, 1, *greys, *(side / 16_384 for side in sides)]] * 2, np.float32)
        for greys, sides in (((0.1, 0.9), (1000, 500)), ((black, white), (width, height)))
    ]
    coarse = [np.full((1, 16, 16), level, np.uint8) for level in (100, mean)]
    ends: Any = SimpleNamespace(boxes=tuple(boxes), at=lambda level, places: tuple(coarse))
    assert as_given(ends, np.array([1])).tolist() == [untouched]
