"""A statistic and the groups of its cases -> a figure with its 95% interval; knows no classifier.

Images of one patient, or copies of one image, are not independent, so whole groups are drawn, never single images: the
cluster bootstrap (Davison & Hinkley 1997, Bootstrap Methods and their Application, section 3.8; Field & Welsh 2007,
JRSS-B 69:369). A draw is a vector of weights (how often each case is in it), so each statistic is written once, for
weights of shape (N,) or (D, N), and 2,000 draws are a few array operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

DRAWS = 2000
LEVEL = 0.95
_CELLS_AT_ONCE = 1 << 18  # weights held at a time, about 2 MB: small enough for a core's cache


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the two ends of its 95% interval; NaN where it is not defined (no case of a class)."""

    value: float
    low: float = math.nan
    high: float = math.nan

    def to_json(self) -> dict[str, float | None]:
        """`{"value", "low", "high"}`, rounded to six decimals; null where not defined."""
        return {"value": _plain(self.value), "low": _plain(self.low), "high": _plain(self.high)}


def _plain(number: float) -> float | None:
    return round(float(number), 6) if math.isfinite(number) else None


def clustered_bootstrap(
    statistic: Callable[[Floats], Floats], groups: NDArray[np.integer], n: int = DRAWS, seed: int = 0
) -> Interval:
    """A statistic with its percentile interval, whole groups drawn with replacement.

    Args:
        statistic: weights (D, N) >= 0 -> values (D,). Every figure of this room takes such weights.
        groups: (N,) integers; cases with the same number are drawn together.
        n: how many draws.
        seed: of the draws; the same seed gives the same interval.

    Raises:
        ValueError: no case at all.
    """
    return bootstrap_all(lambda weights: {"": statistic(weights)}, groups, n, seed)[""]


def bootstrap_all(
    statistics: Callable[[Floats], Mapping[str, Floats]],
    groups: NDArray[np.integer],
    n: int = DRAWS,
    seed: int = 0,
    recentre: tuple[str, ...] = (),
) -> dict[str, Interval]:
    """Several statistics over the same draws: name -> Interval; see `clustered_bootstrap`.

    The figure itself is the statistic with every weight 1. Draws in which a figure is not defined are left out of its
    interval; with a single group there is no interval (NaN). `recentre` names the figures whose draws are moved, see
    `percentile_interval`.
    """
    count = len(groups)
    if count == 0:
        raise ValueError("no case to compute a figure from")
    values = {name: float(found[0]) for name, found in statistics(np.ones((1, count))).items()}
    if len(np.unique(groups)) < 2:
        return {name: Interval(value) for name, value in values.items()}
    parts = [statistics(weights) for weights in clustered_draws(groups, n, seed)]
    drawn = {name: np.concatenate([part[name] for part in parts]) for name in values}
    return {name: percentile_interval(values[name], drawn[name], recentre=name in recentre) for name in values}


def clustered_draws(groups: NDArray[np.integer], n: int = DRAWS, seed: int = 0) -> Iterator[Floats]:
    """Weights of `n` draws of as many groups as there are, in chunks (D, N): how often each case is in each draw."""
    _, index = np.unique(groups, return_inverse=True)
    count = int(index.max()) + 1
    chunk = max(1, min(n, _CELLS_AT_ONCE // max(len(index), count)))
    generator = np.random.default_rng(seed)
    for start in range(0, n, chunk):
        draws = min(chunk, n - start)
        picked = generator.integers(0, count, size=(draws, count)) + count * np.arange(draws)[:, None]
        times = np.bincount(picked.ravel(), minlength=draws * count).reshape(draws, count)
        yield times.astype(np.float64)[:, index]


def percentile_interval(value: float, drawn: Floats, *, recentre: bool = False) -> Interval:
    """The middle 95% of the drawn values (D,) around `value`.

    `recentre` moves the draws so that their mean is the value. It is for figures that resampling noise can only raise
    (calibration error): their plain percentiles lie above the figure itself.
    """
    known = drawn[np.isfinite(drawn)]
    if known.size < max(2, drawn.size // 2):
        return Interval(value)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    move = value - float(known.mean()) if recentre else 0.0
    return Interval(value, max(float(low) + move, 0.0) if recentre else float(low), float(high) + move)


def certain(interval: Interval, groups: NDArray[np.integer]) -> Interval:
    """Wilson's interval over groups for a proportion of 0 or 1, of which every draw is the same; others as they are."""
    n = len(np.unique(groups))
    if n < 2:
        return Interval(interval.value)
    if interval.value not in (0.0, 1.0) or interval.low != interval.high:
        return interval
    return wilson(interval.value * n, n)


def wilson(successes: float, n: float) -> Interval:
    """A proportion with Wilson's 95% interval (Wilson 1927, JASA 22:209); for independent cases only.

    Used where the bootstrap cannot speak: when all cases are right (or wrong), every draw is the same.
    """
    if n <= 0:
        return Interval(math.nan)
    z = 1.959963984540054
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(share, min(max(0.0, middle - half), share), max(min(1.0, middle + half), share))
