"""Prepared images on disk: made once, taken again for the same images only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hilum.flows.material import Material
from hilum.flows.progress import Silent
from hilum.image.image import Image, Metadata
from hilum.image.prepare import Preparation

PREPARATION = Preparation(size=16)


class Grey:
    """A data set of which every image is noise drawn by its case number; counts what is read."""

    def __init__(self) -> None:
        self.cases, self.read = range(9), list[int]()

    def images(self, case: int) -> tuple[Image, ...]:
        self.read.append(case)
        pixels = np.random.default_rng(case).random((32, 32), np.float32)
        return (Image(pixels, Metadata("ARRAY", "L", 8, 32, 32)),)


def material(dataset: Any, numbers: list[int], folder: Path) -> Material:
    places = np.array(numbers)
    digests = tuple(f"digest of {number}" for number in numbers)
    return Material(dataset, places, digests, {"train": places * 0}, places * 0, places, folder, Silent())


def test_images_are_prepared_once(tmp_path: Path) -> None:
    dataset = Grey()
    first = np.array(material(dataset, [0, 1, 2], tmp_path).pixels(PREPARATION))
    again = material(dataset, [0, 1, 2], tmp_path).pixels(PREPARATION)
    assert np.array_equal(first, again)
    assert sorted(dataset.read) == [0, 1, 2]


def test_other_images_in_the_same_folder_are_prepared_anew(tmp_path: Path) -> None:
    first = material(Grey(), [0, 1, 2], tmp_path).pixels(PREPARATION)
    other = material(Grey(), [0, 3, 2], tmp_path).pixels(PREPARATION)
    turned = material(Grey(), [2, 1, 0], tmp_path).pixels(PREPARATION)
    assert np.array_equal(first[[0, 2]], other[[0, 2]])
    assert not np.array_equal(first[1], other[1])
    assert np.array_equal(first[::-1], turned)
