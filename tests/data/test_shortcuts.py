"""Cues that tell the class are found, and cues that do not are not, however many values they have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from hilum.data.shortcuts import CUES, WARN_ABOVE, shortcuts
from hilum.data.survey import Reading, measure
from hilum.image.decode import from_array


def reading(seed: int, border: int = 0) -> Reading:
    """A reading of noise with a border of one grey."""
    pixels = np.random.default_rng(seed).integers(40, 200, (64, 64), dtype=np.uint8)
    pixels[:6] = pixels[-6:] = pixels[:, :6] = pixels[:, -6:] = border
    return measure(from_array(pixels, "made"), str(seed).encode())


@pytest.fixture(scope="module")
def readings() -> list[Reading]:
    """400 of them."""
    return [reading(seed) for seed in range(400)]


LABELS = np.arange(400) % 2
GROUPS = np.arange(400)


def test_nothing_is_found_where_nothing_is(readings: list[Reading]) -> None:
    """The border probe sees 348 pixels and may still not learn the noise by heart."""
    found = shortcuts(readings, LABELS, GROUPS)
    assert set(found) == set(CUES)
    assert max(found.values()) < 0.65


@pytest.mark.parametrize(
    ("cue", "changes"),
    [
        ("file_size", {"bytes": 10_000}),
        ("format", {"format": "PNG"}),
        ("mode", {"mode": "RGB"}),
        ("brightness", {"brightness": 0.99}),
        ("border_brightness", {"border_brightness": 0.9}),
        ("dimensions", {"width": 63, "height": 65}),
        ("aspect", {"width": 100}),
    ],
)
def test_a_planted_cue_is_found(readings: list[Reading], cue: str, changes: dict[str, object]) -> None:
    """Given to one class only it tells that class for certain, whichever class it is."""
    for number in (0, 1):
        changed = [
            replace(each, **changes) if label == number else each  # type: ignore[arg-type]
            for each, label in zip(readings, LABELS, strict=True)
        ]
        found = shortcuts(changed, LABELS, GROUPS)
        assert found[cue] > 0.99
        assert next(iter(found.values())) == max(found.values())


def test_the_border_alone_can_tell(readings: list[Reading]) -> None:
    """Marks in a corner, as on X-rays: no single number shows them, the probe does."""
    marked = []
    for seed, label in enumerate(LABELS):
        thumbnail = readings[seed].thumbnail.copy()
        thumbnail[:3, slice(0, 6) if label else slice(26, 32)] = 200
        marked.append(replace(readings[seed], thumbnail=thumbnail))
    assert shortcuts(marked, LABELS, GROUPS)["border_pixels"] > 0.99


def test_values_of_their_own_cannot_be_learned_by_heart(readings: list[Reading]) -> None:
    """Every image has its own width: an honest measure says nothing."""
    chance = np.random.default_rng(0)
    sizes = chance.permutation(400) + 100
    changed = [replace(each, width=int(w), height=10**6 // int(w)) for each, w in zip(readings, sizes, strict=True)]
    assert shortcuts(changed, LABELS, GROUPS)["dimensions"] < 0.65


@pytest.mark.parametrize("count", [2, 6, 200])
def test_what_few_images_a_class_give_by_chance_is_no_shortcut(readings: list[Reading], count: int) -> None:
    """Of 200 classes of two images some are the brightest: by chance, and no warning is due."""
    found = shortcuts(readings[: 2 * count], np.arange(2 * count) // 2, np.arange(2 * count))
    assert max(found.values()) <= WARN_ABOVE


def test_copies_count_as_one_image(readings: list[Reading]) -> None:
    """Three pictures held forty times each are three: that they are the larger files is no proof."""
    labels = np.repeat([0, 1], 120)
    alike = [replace(readings[0], bytes=10_000 + label) for label in labels]
    assert shortcuts(alike, labels, np.arange(240))["file_size"] == 1.0
    assert shortcuts(alike, labels, np.arange(240) // 40)["file_size"] <= WARN_ABOVE


@pytest.mark.parametrize("above", [78, 82, 86, 89, 91, 95])
def test_a_cue_of_few_images_is_told_where_chance_would_seldom_give_it(readings: list[Reading], above: int) -> None:
    """Ten against ten, of whose hundred pairs so many are in order: by SciPy's test, for each class, cue and side.

    What is no reason for a warning is told as it is.
    """
    whole, part = divmod(100 - above, 10)
    lower = 10.0 * np.arange(1, 11)
    upper = np.array([*range(whole), 105 - 10 * part, *range(200, 209 - whole)], dtype=float)
    p = mannwhitneyu(upper, lower, alternative="greater", method="asymptotic", use_continuity=False).pvalue
    sized = [replace(readings[i], bytes=int(size)) for i, size in enumerate([*lower, *upper])]
    found = shortcuts(sized, np.repeat([0, 1], 10), np.arange(20))["file_size"]
    told = above / 100 <= WARN_ABOVE or p < 0.05 / (2 * 2 * len(CUES))
    assert found == (above / 100 if told else 0.5)


def test_of_one_patient_nothing_is_learned_for_another(readings: list[Reading]) -> None:
    """No other group is left to fit the border on, nor the words."""
    found = shortcuts(readings[:40], LABELS[:40], np.zeros(40, dtype=np.int64))
    assert (found["border_pixels"], found["format"], found["mode"]) == (0.5, 0.5, 0.5)
