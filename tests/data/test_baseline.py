"""The trivial baseline with and without copies, and the description of a data set."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from hilum.data.baseline import Baseline, baseline
from hilum.data.sampling import fold_numbers, sample
from hilum.data.statistics import statistics
from hilum.data.survey import measure
from hilum.image.decode import from_array

NONE = np.zeros(200, dtype=bool)


def digests(count: int) -> list[str]:
    """Contents that are all different."""
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]


def doubled() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """100 pictures of noise, each twice, and labels that have nothing to do with them."""
    chance = np.random.default_rng(0)
    noise = chance.integers(0, 255, (100, 32, 32), dtype=np.uint8)
    return np.repeat(noise, 2, axis=0), np.repeat(chance.integers(0, 2, 100), 2), np.repeat(np.arange(100), 2)


def test_copies_make_memory_look_like_knowledge() -> None:
    """Four of five twins lie in another fold and answer; without them it is chance."""
    thumbnails, labels, groups = doubled()
    found = baseline(thumbnails, labels, groups, digests(200), NONE)
    assert found.with_copies is not None
    assert found.without_copies is not None
    assert found.with_copies > 0.8
    assert 0.35 < found.without_copies < 0.65


def test_a_supplied_split_is_asked_as_it_is() -> None:
    """Every test image has its twin in training; without those none is left to ask."""
    thumbnails, labels, groups = doubled()
    found = baseline(thumbnails, labels, groups, digests(200), np.arange(200) % 2 == 1)
    assert (found.with_copies, found.asked) == (1.0, 100)
    assert (found.without_copies, found.asked_without) == (None, 0)


def test_a_real_difference_is_seen_with_and_without_copies() -> None:
    """Bright on the left or on the right."""
    thumbnails, _, groups = doubled()
    labels = np.arange(200) // 2 % 2
    shown = (thumbnails // 4).copy()
    shown[labels == 0, :, :16] += 150
    shown[labels == 1, :, 16:] += 150
    found = baseline(shown, labels, groups, digests(200), NONE)
    assert (found.with_copies, found.without_copies) == (1.0, 1.0)


def test_it_is_told_of_the_very_images_that_are_measured() -> None:
    """The first half says the side that is bright and the second half chance: they are not one accuracy."""
    thumbnails, labels, groups = doubled()
    labels[:100] = np.arange(100) // 2 % 2
    shown = (thumbnails // 4).copy()
    shown[:100][labels[:100] == 0, :, :16] += 150
    shown[:100][labels[:100] == 1, :, 16:] += 150
    found = baseline(shown, labels, groups, digests(200), NONE)
    half, whole = found.of(np.arange(100), groups), found.of(np.arange(200), groups)
    assert half is not None
    assert half.value == 1.0
    assert whole is not None
    assert whole.value == found.without_copies
    assert found.of_asked(groups) == whole
    assert whole.value < 0.9


def test_images_that_were_not_asked_about_have_no_baseline() -> None:
    """Ten of a hundred asked say nothing of the hundred; ten of ten do."""
    thumbnails, labels, groups = doubled()
    tests = np.arange(200) >= 190
    found = baseline(thumbnails, labels, groups, digests(200), tests)
    assert found.of(np.arange(100, 200), groups) is None
    asked = found.of(np.flatnonzero(tests), np.arange(200))
    assert asked is not None
    assert asked.value == found.without_copies


def test_its_interval_is_of_groups() -> None:
    """Of twins the interval is wider than of as many images that have nothing to do with one another."""
    right = np.repeat(np.arange(100) % 2, 2).astype(np.float64)
    found = Baseline(0.5, 0.5, 200, 200, "made", right)
    twins, alone = (found.of(np.arange(200), groups) for groups in (np.arange(200) // 2, np.arange(200)))
    assert twins is not None
    assert alone is not None
    assert (twins.value, alone.value) == (0.5, 0.5)
    assert alone.high - alone.low == pytest.approx(2 * 1.96 * 0.5 / 200**0.5, rel=0.1)
    assert twins.high - twins.low == pytest.approx(2 * 1.96 * 0.5 / 100**0.5, rel=0.1)


def test_none_wrong_is_no_certainty() -> None:
    """Every draw is the same, so the interval is Wilson's; one group has none; without a question no figure."""
    found = Baseline(1.0, 1.0, 40, 40, "made", np.ones(40))
    sure, one = found.of_asked(np.arange(40)), found.of_asked(np.zeros(40, int))
    assert sure is not None
    assert (sure.value, sure.high) == (1.0, 1.0)
    assert 0.8 < sure.low < 0.95
    assert one is not None
    assert one.to_json() == {"value": 1.0, "low": None, "high": None}
    assert Baseline(None, None, 0, 0, "made", np.full(40, np.nan)).of_asked(np.arange(40)) is None


def test_samples_and_folds_come_of_the_content_and_not_of_the_order() -> None:
    """Reversed, the same images are taken and the same ones share a fold."""
    names = digests(100)
    chosen = {names[i] for i in sample(names, 10)}
    back = names[::-1]
    assert {back[i] for i in sample(back, 10)} == chosen
    groups = np.arange(100) // 2
    folds = fold_numbers(groups, names, 5)
    assert fold_numbers(groups[::-1], back, 5).tolist() == folds[::-1].tolist()
    assert np.bincount(folds).tolist() == [20] * 5
    assert all(folds[i] == folds[i + 1] for i in range(0, 100, 2))


def test_statistics_describe_each_class() -> None:
    """Counts, sizes and intensities of 3 dark and 1 bright picture."""
    grey = [np.full((10, 20), value, dtype=np.uint8) for value in (51, 51, 51, 255)]
    readings = [measure(from_array(pixels, "made"), b"12345") for pixels in grey]
    found = statistics(readings, np.array([0, 0, 0, 2]), np.array([0, 0, 1, 2]), ("dark", "absent", "bright"))
    assert found is not None
    dark, bright = found.classes
    assert (dark.name, dark.images, dark.groups, dark.sizes) == ("dark", 3, 2, {"20x10": 3})
    assert (bright.brightness.median, bright.bytes.mean) == (1.0, 5.0)
    assert dark.brightness.median == pytest.approx(0.2)
    assert dark.histogram[12] == pytest.approx(1.0)
    assert bright.histogram[-1] == pytest.approx(1.0)
    assert statistics([], np.zeros(0, int), np.zeros(0, int), ("a",)) is None
