"""The eight ways to lay a square on itself, and where a picture lies in its frame."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.data.views import inverse, same_frame, smaller_box, turned, turned_boxes, unmoved

SIDE = 32
BOX = np.array([[0.1, -0.2, 0.5, 0.4, 0.05, 0.9, 0.06, 0.03]], np.float32)


def box_of(image: np.ndarray) -> list[float]:
    """Centre and half sides of what is bright, in half frames from the middle."""
    ends = [np.flatnonzero(image.any(axis=axis))[[0, -1]] + [0, 1] for axis in (0, 1)]
    return [*(float(sum(each)) / SIDE - 1 for each in ends), *(float(each[1] - each[0]) / SIDE for each in ends)]


@pytest.mark.parametrize("view", range(8))
def test_a_view_is_undone_by_its_inverse(view: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 5), np.uint8)
    boxes = np.random.default_rng(1).uniform(0.1, 0.9, (3, 8)).astype(np.float32)
    back = int(inverse(np.array([view], np.int8))[0])
    assert np.array_equal(turned(turned(images, view), back), images)
    assert np.array_equal(turned_boxes(turned_boxes(boxes, view), back), boxes)


@pytest.mark.parametrize("view", range(8))
def test_a_box_goes_where_its_picture_goes(view: int) -> None:
    image = np.zeros((1, SIDE, SIDE), np.uint8)
    image[0, 4:10, 6:28] = 1
    box = np.array([[*box_of(image[0]), 0.1, 0.8, 0.06, 0.03]], np.float32)
    found = turned_boxes(box, view)[0]
    assert found[:4] == pytest.approx(box_of(turned(image, view)[0]))
    size = (0.03, 0.06) if view % 2 else (0.06, 0.03)  # a picture that lies on its side is as wide as it was high
    assert found[4:] == pytest.approx((0.1, 0.8, *size))


def test_frame_on_frame_leaves_every_point_of_a_picture_where_it_was() -> None:
    rng = np.random.default_rng(2)
    first, second = (rng.uniform(0.2, 0.9, (50, 8)).astype(np.float32) for _ in range(2))
    maps, place = same_frame(first, second), rng.uniform(-1, 1, (50, 2))
    for axis in (0, 1):
        in_second = maps[:, axis, axis] * place[:, axis] + maps[:, axis, 2]
        before = first[:, axis] + first[:, 2 + axis] * place[:, axis]
        assert second[:, axis] + second[:, 2 + axis] * in_second == pytest.approx(before, abs=1e-5)
    assert unmoved(first, second, maps).all()


@pytest.mark.parametrize(
    ("across", "down", "wider", "still"),
    [(0, 0, 1, True), (0.03, 0, 1, True), (0.05, 0, 1, False), (-0.05, 0, 1, False), (0, 0.03, 1, True),
     (0, 0.05, 1, False), (0, -0.05, 1, False), (0, 0, 1.06, True), (0, 0, 1.1, False), (0, 0, 0.9, False)],
)  # fmt: skip
def test_a_picture_is_unmoved_while_no_corner_goes_further_than_a_fiftieth_of_the_frame(
    across: float, down: float, wider: float, still: bool
) -> None:
    maps = np.array([[[wider, 0, across / 0.5], [0, 1, down / 0.4]]], np.float32)
    assert unmoved(BOX, BOX, maps).tolist() == [still]


def test_of_two_boxes_the_one_that_covers_less_of_its_frame_is_the_smaller() -> None:
    others = np.repeat(BOX, 3, axis=0)
    others[:, 2:4] = (0.45, 0.4), (0.4, 0.5), (0.6, 0.4)
    assert smaller_box(np.repeat(BOX, 3, axis=0), others).tolist() == [False, True, True]
