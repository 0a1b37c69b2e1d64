"""Probabilities and truth -> how far they can be believed: ECE, Brier, reliability, risk against coverage.

`probabilities` (N, C) float64, rows sum to 1; `labels` (N,) int; `weights` (N,) or (D, N), default all 1. The rows of
refused cases hold no probability and are left out by the caller, who says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.metrics.intervals import LEVEL, Interval
from hilum.metrics.ranking import divide, plain

Floats = NDArray[np.float64]
Labels = NDArray[np.integer]

BINS = 15
LEAST_IN_BIN = 20  # of a curve that is drawn of fewer than LEAST cases
LEAST = 100  # cases below which calibration error is not told: it is mostly the noise of its bins


@dataclass(frozen=True, slots=True)
class Reliability:
    """One bar a bin, (B,) each, from the least to the most confident; empty bins are left out."""

    confidence: Floats  # mean probability of the top class
    accuracy: Floats  # share in which the top class is right
    count: Floats


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """The share of errors among the most confident part, (K,) each."""

    coverage: Floats
    risk: Floats


def ece(probabilities: Floats, labels: Labels, weights: Floats | None = None) -> float | Floats:
    """Expected calibration error of the top class over equal-mass bins, as many as `bins_for` says.

    The mean over the cases of |confidence - accuracy| of their bin (Naeini 2015; Guo 2017), bins of equal numbers of
    cases (Nguyen & O'Connor 2015) rather than equal width: with a good model nearly all cases are near 1, and equal
    widths would judge the rest by a handful. Cases with the same confidence share a bin, so the order of the rows does
    not matter. Every draw of a bootstrap uses the bins of the whole sample.
    """
    confidence, right = _top(probabilities, labels)
    bins = bins_for(confidence.size)
    member = np.zeros((confidence.size, bins))
    member[np.arange(confidence.size), equal_mass_bins(confidence, bins)] = 1.0
    share = np.ones(confidence.size) if weights is None else np.asarray(weights, dtype=np.float64)
    gap = share @ (member * (confidence - right)[:, None])  # (..., B): sum of confidence - sum of right
    return plain(divide(np.abs(gap).sum(axis=-1), share.sum(axis=-1)))


def ece_if_calibrated(probabilities: Floats, draws: int = 500, seed: int = 0) -> Interval:
    """What `ece` would read of these very cases if every probability were exactly right: its noise.

    Whether the top class is right is drawn case by case with the probability that was stated for it (consistency
    resampling: Bröcker & Smith 2007, Weather and Forecasting 22:651; as a test: Vaicenavicius et al. 2019, AISTATS).
    Returns the mean of the draws and the ends between which 95% of them lie. Cases that hang together, such as copies,
    are drawn apart, so chance can do more than this says and not less.
    """
    confidence, _ = _top(probabilities, np.zeros(len(probabilities), np.int64))
    bins, generator = bins_for(confidence.size), np.random.default_rng(seed)
    place = equal_mass_bins(confidence, bins)
    gaps = (
        np.bincount(place, confidence - (generator.random(confidence.size) < confidence), bins) for _ in range(draws)
    )
    drawn = np.array([np.abs(gap).sum() / confidence.size for gap in gaps])
    low, high = np.quantile(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Interval(float(drawn.mean()), float(low), float(high))


def bins_for(n: int) -> int:
    """15 bins wherever the figure is told; of fewer cases, whose curve alone is drawn, one for each full twenty.

    The figure is one of 15 bins for everybody, so that it can be compared; with fewer it would read lower.
    """
    return BINS if n >= LEAST else max(1, n // LEAST_IN_BIN)


def equal_mass_bins(values: Floats, bins: int) -> NDArray[np.int64]:
    """(N,) bin of each value by its rank; equal values share the bin of their middle rank."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count + 1) / 2
    return np.minimum((middle[place] * bins / values.size).astype(np.int64), bins - 1)


def reliability(probabilities: Floats, labels: Labels) -> Reliability:
    """The bins that `ece` sums, for drawing."""
    confidence, right = _top(probabilities, labels)
    bins = bins_for(confidence.size)
    place = equal_mass_bins(confidence, bins)
    count = np.bincount(place, minlength=bins).astype(np.float64)
    kept = count > 0
    mean = np.bincount(place, confidence, bins)[kept] / count[kept]
    share = np.bincount(place, right, bins)[kept] / count[kept]
    return Reliability(mean, share, count[kept])


def brier(probabilities: Floats, labels: Labels, weights: Floats | None = None) -> float | Floats:
    """Mean squared distance between the probabilities and the truth (Brier 1950).

    More than two classes: summed over them, in [0, 2]. Two classes: of the second one alone, in [0, 1], as is usual.
    """
    truth = np.eye(probabilities.shape[1])[np.asarray(labels)]
    each = ((probabilities - truth) ** 2).sum(axis=1) / (2.0 if probabilities.shape[1] == 2 else 1.0)
    return _weighted_mean(each, weights)


def risk_coverage(probabilities: Floats, labels: Labels, predicted: Labels | None = None) -> RiskCoverage:
    """Errors among the k most confident, for every k (Geifman & El-Yaniv 2017); ties are taken whole.

    `predicted` (N,) int: the answers at an operating point, which need not be the most probable class. An answer is as
    sure as the probability of the class it names.
    """
    confidence, right = _top(probabilities, labels)
    if predicted is not None:
        confidence = np.take_along_axis(np.asarray(probabilities), np.asarray(predicted)[:, None], axis=1)[:, 0]
        right = (np.asarray(predicted) == np.asarray(labels)).astype(np.float64)
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    kept = np.arange(1, confidence.size + 1)[ends]
    return RiskCoverage(kept / confidence.size, np.cumsum(1.0 - right[order])[ends] / kept)


def _top(probabilities: Floats, labels: Labels) -> tuple[Floats, Floats]:
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if probabilities.ndim != 2 or len(probabilities) != len(labels) or not len(labels):
        raise ValueError(f"probabilities {probabilities.shape} must be (N, C) with one label a row, N > 0")
    if np.isnan(probabilities).any():
        raise ValueError("a probability is NaN; leave refused cases out")
    return probabilities.max(axis=1), (probabilities.argmax(axis=1) == np.asarray(labels)).astype(np.float64)


def _weighted_mean(each: Floats, weights: Floats | None) -> float | Floats:
    share = np.ones(each.size) if weights is None else np.asarray(weights, dtype=np.float64)
    return plain(divide(share @ each, share.sum(axis=-1)))
