"""Thumbnails and labels -> how far a nearest neighbour gets with and without the copies; trains nothing.

The figure every network has to beat: what 32 x 32 pixels and a memory are worth on this data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.data.sampling import fold_numbers, sample
from hilum.metrics.intervals import Interval, certain, clustered_bootstrap

QUESTIONS = 4_000  # images that are asked about, at most
MEMORY = 50_000  # images that may be remembered, at most
_FOLDS = 5
LEAST_ASKED = 20  # of some of the images, where not all were asked about: fewer tell nothing of them
_BLOCK = 512  # questions answered at once: 512 x 50,000 float32 is 100 MB


@dataclass(frozen=True, eq=False, slots=True)
class Baseline:
    """Accuracy of the nearest neighbour, None where it cannot be had (one class, no image left).

    with_copies, without_copies: shares of right answers in [0, 1]; asked, asked_without: numbers of images behind them.
    rule: how it was measured, in words.
    each: (n,) float64, 1 where the answer without copies was right, 0 where wrong, NaN where none was asked for.
    """

    with_copies: float | None
    without_copies: float | None
    asked: int
    asked_without: int
    rule: str
    each: NDArray[np.float64]

    def of(self, rows: NDArray[np.int64], groups: NDArray[np.integer]) -> Interval | None:
        """Without copies, the share of right answers among these images; None where too few of them were asked about.

        Too few: fewer than 20 and not all of them. groups: (n,), of which whole ones are drawn for the interval.
        """
        asked = rows[np.isfinite(self.each[rows])]
        if asked.size < max(1, min(len(rows), LEAST_ASKED)):
            return None
        right, drawn = self.each[asked], groups[asked]
        return certain(clustered_bootstrap(lambda weights: weights @ right / weights.sum(axis=-1), drawn), drawn)

    def of_asked(self, groups: NDArray[np.integer]) -> Interval | None:
        """The same among all images that were asked about; its value is `without_copies`."""
        return self.of(np.flatnonzero(np.isfinite(self.each)), groups)


def flat_thumbnails(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 32, 32) uint8 -> (n, 1024) float32 of mean 0 and length 1, so that a product is their correlation."""
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return flat


def baseline(
    thumbnails: NDArray[np.uint8],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    digests: Sequence[str],
    tests: NDArray[np.bool_],
) -> Baseline:
    """Measure it.

    thumbnails (n, 32, 32), labels, groups, digests (n,): of readable, labelled images. tests (n,): True where the
    supplied split says test. With a split the training images are remembered and the test images asked; without the
    copies, only test images no group of which is remembered. Without a split there are five folds, by image and then
    by group. Of more than 4,000 questions or 50,000 memories those are taken whose content hashes lowest.
    """
    if len(np.unique(labels)) < 2:
        return Baseline(None, None, 0, 0, "there are fewer than two classes", np.full(len(labels), np.nan))
    if tests.any() and not tests.all():
        return _of_split(thumbnails, labels, groups, digests, tests)
    by_image = fold_numbers(np.arange(len(labels)), digests, _FOLDS)
    by_group = fold_numbers(groups, digests, _FOLDS)
    asked, known = sample(digests, QUESTIONS), sample(digests, MEMORY, seed=1)
    right, clean = _right(thumbnails, labels, asked, known, (by_image, by_group))
    return _baseline(right, clean, f"{_FOLDS} folds, by image and by group", _spread(clean, asked, len(labels)))


def _of_split(
    thumbnails: NDArray[np.uint8],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    digests: Sequence[str],
    tests: NDArray[np.bool_],
) -> Baseline:
    test, train = np.flatnonzero(tests), np.flatnonzero(~tests)
    asked = test[sample([digests[i] for i in test.tolist()], QUESTIONS)]
    known = train[sample([digests[i] for i in train.tolist()], MEMORY, seed=1)]
    (right,) = _right(thumbnails, labels, asked, known, (tests.astype(np.int64),))
    clean = np.where(np.isin(groups[asked], groups[train]), np.nan, right)
    rule = "the supplied split; without the test images whose group is in training"
    return _baseline(right, clean, rule, _spread(clean, asked, len(labels)))


def _baseline(right: NDArray[np.float64], clean: NDArray[np.float64], rule: str, each: NDArray[np.float64]) -> Baseline:
    asked, without = (int(np.isfinite(answers).sum()) for answers in (right, clean))
    return Baseline(_mean(right), _mean(clean), asked, without, rule, each)


def _spread(answers: NDArray[np.float64], asked: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """(count,) the answers at the places asked about, NaN elsewhere."""
    each = np.full(count, np.nan)
    each[asked] = answers
    return each


def _right(
    thumbnails: NDArray[np.uint8],
    labels: NDArray[np.int64],
    asked: NDArray[np.int64],
    known: NDArray[np.int64],
    ways: tuple[NDArray[np.int64], ...],
) -> list[NDArray[np.float64]]:
    """For each way to fold: 1 where the nearest image of another fold bears the label, else 0, NaN without any."""
    answers = [[np.zeros(0)] for _ in ways]
    memory = flat_thumbnails(thumbnails[known])
    for start in range(0, len(asked), _BLOCK):
        block = asked[start : start + _BLOCK]
        likeness = flat_thumbnails(thumbnails[block]) @ memory.T
        for folds, answer in zip(ways, answers, strict=True):
            others = np.where(folds[block][:, None] == folds[known][None, :], np.float32(-2), likeness)
            nearest = others.argmax(axis=1)
            found = others[np.arange(len(block)), nearest] > -2.0
            answer.append(np.where(found, labels[known[nearest]] == labels[block], np.nan))
    return [np.concatenate(answer) for answer in answers]


def _mean(right: NDArray[np.float64]) -> float | None:
    known = right[np.isfinite(right)]
    return round(float(known.mean()), 4) if known.size else None
