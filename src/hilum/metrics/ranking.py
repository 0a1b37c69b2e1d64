"""Scores and truth of a two-way question -> areas, curves and readings off them; knows no threshold in force.

`scores` (N,) float, higher = more likely positive; `positives` (N,) bool; `weights` (N,) or (D, N), default all 1.
With weights (D, N) each figure is an array (D,), else a float. A figure is NaN where a class is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Ranking:
    """What is called positive at each threshold that matters, highest first, `score >= threshold`; K thresholds."""

    thresholds: Floats  # (K,) falling
    true_positives: Floats  # (..., K) sums of weights, rising
    false_positives: Floats  # (..., K)

    @property
    def positives(self) -> Floats:
        """(...) weight of all positive cases."""
        return np.asarray(self.true_positives[..., -1])

    @property
    def negatives(self) -> Floats:
        """(...) weight of all negative cases."""
        return np.asarray(self.false_positives[..., -1])


def rank(scores: Floats, positives: Bools, weights: Floats | None = None) -> Ranking:
    """Counts at the distinct scores; equal scores share one threshold, so ties are treated right.

    Thresholds inside a run of negatives are left out: no figure has its best there, and the ROC curve is straight.

    Raises:
        ValueError: no case, shapes that do not fit, or a score that is NaN.
    """
    scores, positives = np.asarray(scores, dtype=np.float64), np.asarray(positives, dtype=bool)
    if scores.ndim != 1 or scores.shape != positives.shape or scores.size == 0:
        raise ValueError(f"scores {scores.shape} and positives {positives.shape} must be (N,) alike, N > 0")
    if np.isnan(scores).any():
        raise ValueError("a score is NaN; leave refused cases out or give them a score")
    order = np.argsort(-scores, kind="stable")
    falling, truth = scores[order], positives[order]
    ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    seen = np.cumsum(truth)[ends]
    rises = np.diff(seen, prepend=0) > 0  # runs of equal scores that hold a positive
    ends = ends[rises | np.append(rises[1:], True)]
    seen = np.cumsum(truth)[ends]
    if weights is None:
        right, called = seen.astype(np.float64), ends + 1.0
    else:
        weights = np.asarray(weights, dtype=np.float64)
        called = np.cumsum(np.take(weights, order, axis=-1), axis=-1)[..., ends]
        rising = np.cumsum(np.take(weights, order[truth], axis=-1), axis=-1)
        start = np.zeros((*rising.shape[:-1], 1))
        right = np.concatenate([start, rising], axis=-1)[..., seen]
    return Ranking(falling[ends], right, called - right)


def auroc(scores: Floats, positives: Bools, weights: Floats | None = None) -> float | Floats:
    """Area under the ROC curve = chance that a positive scores above a negative, ties half (Hanley & McNeil 1982)."""
    return plain(area_under_roc(rank(scores, positives, weights)))


def average_precision(scores: Floats, positives: Bools, weights: Floats | None = None) -> float | Floats:
    """Area under the precision-recall curve by steps: the sum of (recall gained) x precision; no interpolation."""
    return plain(area_under_pr(rank(scores, positives, weights)))


def area_under_roc(ranking: Ranking) -> Floats:
    """(...) see `auroc`."""
    right, wrong = ranking.true_positives, ranking.false_positives
    # trapezia between neighbouring thresholds; the first starts at (0, 0)
    area = 0.5 * right[..., 0] * wrong[..., 0]
    area = area + 0.5 * np.einsum("...k,...k->...", right[..., 1:] + right[..., :-1], np.diff(wrong, axis=-1))
    return divide(area, ranking.positives * ranking.negatives)


def area_under_pr(ranking: Ranking) -> Floats:
    """(...) see `average_precision`."""
    right, called = ranking.true_positives, ranking.true_positives + ranking.false_positives
    gained = np.diff(right, axis=-1, prepend=0.0)
    precision = right / np.maximum(called, np.finfo(np.float64).tiny)
    return divide(np.einsum("...k,...k->...", gained, precision), ranking.positives)


def sensitivity_at(ranking: Ranking, specificity: float) -> Floats:
    """(...) the highest sensitivity of any threshold whose specificity is at least `specificity` in [0, 1]."""
    allowed = (1.0 - specificity) * ranking.negatives + 1e-9
    reached = np.where(ranking.false_positives <= allowed[..., None], ranking.true_positives, 0.0).max(axis=-1)
    return np.where(ranking.negatives > 0, divide(reached, ranking.positives), np.nan)


def specificity_at(ranking: Ranking, sensitivity: float) -> Floats:
    """(...) the highest specificity of any threshold whose sensitivity is at least `sensitivity` in [0, 1]."""
    needed = sensitivity * ranking.positives - 1e-9
    met = ranking.true_positives >= needed[..., None]
    least = np.where(met, ranking.false_positives, np.inf).min(axis=-1)
    return np.where(ranking.positives > 0, divide(ranking.negatives - least, ranking.negatives), np.nan)


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve, (K,) each."""

    x: Floats
    y: Floats
    thresholds: Floats


def roc_curve(scores: Floats, positives: Bools) -> Curve:
    """Curve of x = 1 - specificity, y = sensitivity, from (0, 0) to (1, 1)."""
    ranking = rank(scores, positives)
    x = np.append(0.0, divide(ranking.false_positives, ranking.negatives))
    y = np.append(0.0, divide(ranking.true_positives, ranking.positives))
    return Curve(x, y, np.append(np.inf, ranking.thresholds))


def pr_curve(scores: Floats, positives: Bools) -> Curve:
    """Curve of x = recall, y = precision, from the highest threshold down."""
    ranking = rank(scores, positives)
    called = ranking.true_positives + ranking.false_positives
    return Curve(divide(ranking.true_positives, ranking.positives), ranking.true_positives / called, ranking.thresholds)


def net_benefit(scores: Floats, positives: Bools, thresholds: Floats) -> Floats:
    """Net benefit (K,) of acting on `score >= t`: TP/N - FP/N x t / (1 - t) (Vickers & Elkin 2006).

    `thresholds` (K,) in [0, 1) are both the cut on a calibrated probability and the weight given to a false alarm.
    Acting on all is `net_benefit(np.ones(N), ...)`; acting on none is 0.
    """
    scores, thresholds = np.asarray(scores, dtype=np.float64), np.asarray(thresholds, dtype=np.float64)
    called = scores[None, :] >= thresholds[:, None]
    right = (called & positives[None, :]).sum(axis=1)
    wrong = called.sum(axis=1) - right
    return np.asarray((right - wrong * thresholds / (1.0 - thresholds)) / scores.size)


def divide(part: Floats, whole: Floats) -> Floats:
    """Shares part / whole (...), NaN where the whole is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(np.asarray(whole) > 0, np.divide(part, whole), np.nan))


def plain(values: Floats) -> float | Floats:
    """A float for a figure of one sample, the array (D,) for figures of draws."""
    return float(values) if np.ndim(values) == 0 else values
