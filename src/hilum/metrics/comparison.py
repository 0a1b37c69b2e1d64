"""Two models' answers on the same cases -> whether they differ: McNemar, paired cluster bootstrap, DeLong."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.metrics.figures import Answers, values
from hilum.metrics.intervals import DRAWS, Interval, bootstrap_all

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class McNemar:
    """The cases on which exactly one of two models is right, and how likely such a division is by chance."""

    only_first: int
    only_second: int
    p_exact: float
    p_mid: float


def mcnemar(first_right: Bools, second_right: Bools) -> McNemar:
    """McNemar's test, two-sided: exact binomial, and the less timid mid-p (Fagerland 2013, BMC Med Res Meth 13:91).

    `first_right`, `second_right` (N,) whether each model answered the case right. Cases are taken as independent; where
    groups hold several images the paired bootstrap is the one to believe.
    """
    first = int((first_right & ~second_right).sum())
    second = int((second_right & ~first_right).sum())
    n, fewer = first + second, min(first, second)
    if n == 0:
        return McNemar(0, 0, 1.0, 1.0)
    tail = [math.exp(_log_choose(n, k) - n * math.log(2)) for k in range(fewer + 1)]
    exact = min(1.0, 2 * math.fsum(tail))
    mid = 1.0 - tail[-1] / 2 if first == second else 2 * math.fsum(tail) - tail[-1]
    return McNemar(first, second, exact, min(1.0, mid))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def paired_differences(
    first: Answers, second: Answers, names: tuple[str, ...], draws: int = DRAWS, seed: int = 0
) -> dict[str, Interval]:
    """First minus second for each named figure, both computed in the same draws of groups.

    The groups are those of `first`. An interval that holds 0 means that the difference may be chance.

    Raises:
        ValueError: the two are not about the same cases.
    """
    if not np.array_equal(first.labels, second.labels):
        raise ValueError("a paired comparison needs the same cases in the same order")

    def statistics(weights: Floats) -> dict[str, Floats]:
        one, other = values(first, weights), values(second, weights)
        return {name: one[name] - other[name] for name in names if name in one and name in other}

    return bootstrap_all(statistics, first.groups, draws, seed)


@dataclass(frozen=True, slots=True)
class DeLong:
    """Two areas under the ROC curve on the same cases, their difference with its 95% interval, and a two-sided p."""

    first: float
    second: float
    difference: Interval
    p: float


def delong(first: Floats, second: Floats, positives: Bools) -> DeLong:
    """DeLong's test of two correlated AUROCs (DeLong 1988; by midranks, Sun & Xu 2014); for independent cases.

    `first`, `second` (N,) scores of the same cases; `positives` (N,) bool, at least two of each kind.

    Raises:
        ValueError: fewer than two positives or two negatives.
    """
    m, n = int(positives.sum()), int((~positives).sum())
    if min(m, n) < 2:
        raise ValueError("DeLong's test needs two positives and two negatives or more")
    areas, of_positives, of_negatives = zip(
        *(_placements(scores, positives) for scores in (first, second)), strict=True
    )
    spread = np.cov(np.stack(of_positives)) / m + np.cov(np.stack(of_negatives)) / n
    variance = float(spread[0, 0] + spread[1, 1] - 2 * spread[0, 1])
    gap, error = areas[0] - areas[1], math.sqrt(max(variance, 0.0))
    p = math.erfc(abs(gap) / error / math.sqrt(2)) if error > 0 else float(gap == 0)
    return DeLong(areas[0], areas[1], Interval(gap, gap - 1.959964 * error, gap + 1.959964 * error), p)


def _placements(scores: Floats, positives: Bools) -> tuple[float, Floats, Floats]:
    """AUROC, the share of negatives below each positive (m,), the share of positives above each negative (n,)."""
    m, n = int(positives.sum()), int((~positives).sum())
    overall = _midranks(scores)
    below = (overall[positives] - _midranks(scores[positives])) / n
    above = 1.0 - (overall[~positives] - _midranks(scores[~positives])) / m
    return float(below.mean()), below, above


def _midranks(values_: Floats) -> Floats:
    """(N,) rank from 1, ties share the mean of theirs."""
    _, place, count = np.unique(values_, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place], dtype=np.float64)
