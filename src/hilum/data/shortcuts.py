"""Measures of the files -> how well each one alone predicts the class; knows no pixel but the border of a thumbnail.

A cue that predicts the class without looking at the anatomy is what a network learns first.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from hilum.data.sampling import fold_numbers, sample
from hilum.data.survey import Reading
from hilum.metrics.ranking import auroc

WARN_ABOVE = 0.8  # AUROC from which a cue counts as a shortcut: warned of, and what plan and thresholds reckon with
CHANCE = 0.05  # how seldom any cue of any class may come above WARN_ABOVE where nothing tells the classes apart
PROBE_LIMIT = 20_000  # images the border probe is fitted on, at most
_FOLDS = 5
_RING = 3  # pixels of the 32 x 32 thumbnail: its outer 9%
_RIDGE = 1e-2  # of the mean variance; keeps near-constant border pixels from dominating

NUMBERS = ("file_size", "brightness", "contrast", "border_brightness", "border_variation", "aspect")
WORDS = ("format", "mode")
CUES = (*NUMBERS, *WORDS, "dimensions", "border_pixels")


def shortcuts(readings: Sequence[Reading], labels: NDArray[np.int64], groups: NDArray[np.int64]) -> dict[str, float]:
    """AUROC in [0.5, 1] of the class by each cue alone, worst first; {} where there are fewer than two classes.

    readings, labels (n,) class numbers from 0, groups (n,): of the same images. Of several classes the best of
    one-against-the-rest is taken; what lies above WARN_ABOVE by chance, as among classes of two images, is passed over.
    A number is taken as it is, in either direction; words, dimensions and the border's
    pixels are turned into a score on other groups than those it is measured on (five folds), so that rare values
    cannot be learned by heart.
    """
    if len(np.unique(labels)) < 2:
        return {}
    folds = fold_numbers(groups, [reading.digest for reading in readings], _FOLDS)
    scores: dict[str, NDArray[np.float64]] = {}
    for cue in NUMBERS:
        scores[cue] = np.repeat(_number(readings, cue)[:, None], labels.max() + 1, axis=1)
    for cue in WORDS:
        scores[cue] = _learned_rates([getattr(reading, cue) for reading in readings], labels, folds)
    found = {cue: _worst(score, labels, groups, either_way=cue in NUMBERS) for cue, score in scores.items()}
    sizes = np.array([reading.width * reading.height for reading in readings], dtype=np.float64)
    by_area = _worst(np.repeat(sizes[:, None], labels.max() + 1, axis=1), labels, groups, either_way=True)
    exact = _learned_rates([(reading.width, reading.height) for reading in readings], labels, folds)
    by_value = _worst(exact, labels, groups, either_way=False)
    found["dimensions"] = max(by_area, by_value)
    found["border_pixels"] = _border_pixels(readings, labels, groups, folds)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _number(readings: Sequence[Reading], cue: str) -> NDArray[np.float64]:
    if cue == "file_size":
        return np.array([reading.bytes for reading in readings], dtype=np.float64)
    if cue == "aspect":
        return np.array([reading.width / reading.height for reading in readings], dtype=np.float64)
    return np.array([getattr(reading, cue) for reading in readings], dtype=np.float64)


def _learned_rates(
    values: Sequence[object], labels: NDArray[np.int64], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(n, C): how often each class goes with the value in the other folds; one pseudo-count of the base rate."""
    numbers = {value: number for number, value in enumerate(dict.fromkeys(values))}
    codes = np.array([numbers[value] for value in values], dtype=np.int64)
    count = int(labels.max()) + 1
    table = np.zeros((_FOLDS, len(numbers), count))
    np.add.at(table, (folds, codes, labels), 1.0)
    others = table.sum(axis=0)[None] - table
    base = others.sum(axis=1, keepdims=True)
    base = base / np.maximum(base.sum(axis=2, keepdims=True), 1)
    rates = (others + base) / (others.sum(axis=2, keepdims=True) + 1)
    scored: NDArray[np.float64] = rates[folds, codes]
    return scored


def _border_pixels(
    readings: Sequence[Reading], labels: NDArray[np.int64], groups: NDArray[np.int64], folds: NDArray[np.int64]
) -> float:
    """AUROC of a linear probe (ridge regression) that sees only the outer ring of the thumbnail."""
    chosen = sample([reading.digest for reading in readings], PROBE_LIMIT)
    labels, folds = labels[chosen], folds[chosen]
    mask = np.ones(readings[0].thumbnail.shape, dtype=bool)
    mask[_RING:-_RING, _RING:-_RING] = False
    ring = np.stack([readings[i].thumbnail[mask] for i in chosen]).astype(np.float64) / 255
    wanted = np.eye(int(labels.max()) + 1)[labels]
    scores = np.zeros_like(wanted)
    for fold in range(_FOLDS):
        held = folds == fold
        if held.all() or not held.any():
            continue
        scores[held] = _ridge(ring[~held], wanted[~held], ring[held])
    return _worst(scores, labels, groups[chosen], either_way=False)


def _ridge(known: NDArray[np.float64], wanted: NDArray[np.float64], asked: NDArray[np.float64]) -> NDArray[np.float64]:
    centre, middle = known.mean(axis=0), wanted.mean(axis=0)
    moved = known - centre
    gram = moved.T @ moved
    gram[np.diag_indices_from(gram)] += _RIDGE * max(np.trace(gram) / len(gram), 1e-9)
    solved: NDArray[np.float64] = (asked - centre) @ np.linalg.solve(gram, moved.T @ (wanted - middle))
    return solved


def _worst(
    scores: NDArray[np.float64], labels: NDArray[np.int64], groups: NDArray[np.int64], *, either_way: bool
) -> float:
    """The highest AUROC over the classes, each against the rest; 0.5 where nothing is told.

    either_way: a measure may be lower or higher in a class; a learned score that is worse than chance says nothing.
    """
    best, classes = 0.5, np.unique(labels)
    for number in classes:
        area = _auroc(scores[:, number], labels == number)
        area = max(area, 1 - area if either_way else area)
        if area <= WARN_ABOVE or area > _by_chance(labels == number, groups, len(classes)):
            best = max(best, area)
    return round(best, 4)


def _by_chance(positive: NDArray[np.bool_], groups: NDArray[np.int64], classes: int) -> float:
    """The AUROC that chance reaches in one of 1 / CHANCE sets, whichever cue and class it is (Mann and Whitney, 1947).

    Groups count and not images: copies are one observation.
    """
    one, rest = len(np.unique(groups[positive])), len(np.unique(groups[~positive]))
    deviation = sqrt((one + rest + 1) / (12 * one * rest))
    return 0.5 + NormalDist().inv_cdf(1 - CHANCE / (2 * classes * len(CUES))) * deviation


def _auroc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve; ties count one half."""
    return float(auroc(scores, positive)) if positive.any() and not positive.all() else 0.5
