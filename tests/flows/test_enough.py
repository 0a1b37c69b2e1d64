"""What is said before a training of data that is not enough for it."""

from __future__ import annotations

from hilum.flows.enough import too_small


def test_images_that_the_task_does_not_admit_are_counted() -> None:
    sizes = {"40x60": 3, "64x64": 2, "200x30": 1}
    assert str(too_small(sizes, 64)).startswith("beware: 4 of 6 images have a short side under 64 pixels")
    assert str(too_small(sizes, 40)).startswith("beware: 1 of 6 images have a short side under 40 pixels")
    assert too_small(sizes, 30) is None
