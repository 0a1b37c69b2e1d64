"""Samples of any type and channel count -> one grey plane in [0, 1] and its share of colour; knows no file format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLOURED = 24  # of 255: the spread of R, G, B from which a pixel is visibly coloured; JPEG noise stays below
_DEPTHS = (8, 10, 12, 14, 16)
_BAND = 1 << 18  # samples, in whole rows
LOW, HIGH = 0.5, 99.5  # percentiles that set the range where nothing declares it


def unit_from_bytes(samples: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W) uint8 -> (H, W) float32: 255 is 1."""
    unit = samples.astype(np.float32)  # then in place: casting within the product takes four times as long
    unit *= np.float32(1 / 255)
    return unit


def unit_from_integers(samples: NDArray[Any]) -> NDArray[np.float32]:
    """(H, W) unsigned integers of more than 8 bits -> (H, W) float32 in [0, 1].

    Such files often hold 10 or 12 significant bits. Full scale is therefore the largest value of the smallest depth
    among 8, 10, 12, 14 and 16 bits that holds every sample; beyond 16 bits, or with negative samples, the range is
    taken from the samples as in `unit_from_values`.
    """
    lowest, highest = int(samples.min()), int(samples.max())
    if lowest < 0 or highest > 65535:
        return unit_from_values(samples)
    full = next(2**depth - 1 for depth in _DEPTHS if highest < 2**depth)
    unit: NDArray[np.float32] = samples.astype(np.float32)
    unit *= np.float32(1 / full)
    return unit


def unit_from_floats(samples: NDArray[Any]) -> NDArray[np.float32]:
    """(H, W) floats -> (H, W) float32 in [0, 1]: as they are when all lie in [0, 1], else as in `unit_from_values`."""
    finite = np.isfinite(samples)
    if not finite.all():
        return unit_from_values(samples, finite)
    inside = float(samples.min()) >= 0.0 and float(samples.max()) <= 1.0
    return samples.astype(np.float32) if inside else unit_from_values(samples)


def unit_from_values(samples: NDArray[Any], inside: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
    """(H, W) numbers of unknown range -> (H, W) float32 in [0, 1], linear between the ends of `range_of`, clipped.

    inside: (H, W) bool, the samples that count for the range (neither padding nor NaN); None: all.
    Samples that are not finite become 0; an image of one value becomes 0.
    """
    known = samples[inside] if inside is not None else samples
    if known.size == 0:
        return np.zeros(samples.shape, np.float32)
    ends = range_of(known, spent=inside is not None)
    del known  # may be a copy as large as the samples
    return ramp(samples, *ends)


def range_of(known: NDArray[Any], *, spent: bool = False) -> tuple[float, float]:
    """The ends of numbers of any shape that become 0 and 1: their 0.5 and 99.5 percentile, and the tails beyond.

    The tails are kept up to the width between the percentiles, so that an ordinary picture loses nothing here: the
    network's own stretch (image/prepare) clips at the same percentiles, but after resizing, and clipping twice moved
    prepared pixels by up to 6 of 255 levels on average. Only values far outside, a hot pixel or a marker, are cut.
    spent: nobody needs `known` afterwards: it may be sorted in its place.
    """
    lowest, highest = float(known.min()), float(known.max())
    with np.errstate(all="ignore"):  # floats of any size
        low, high = (float(edge) for edge in np.percentile(known, (LOW, HIGH), overwrite_input=spent))
    if high <= low:  # fewer than one sample in 200 differs
        return lowest, highest
    return max(lowest, low - (high - low)), min(highest, high + (high - low))


def ramp(samples: NDArray[Any], low: float, high: float) -> NDArray[np.float32]:
    """(H, W) numbers -> (H, W) float32 in [0, 1]: `low` becomes 0, `high` becomes 1, clipped; NaN becomes 0."""
    width = high - low
    if not (np.isfinite(width) and width > 0):
        return np.zeros(samples.shape, np.float32)
    return in_bands(samples, lambda rows: _ramp(rows, low, width))


def in_bands(samples: NDArray[Any], how: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[Any]:
    """What `how` makes of (H, W) or (H, W, C) samples, each row by itself; a band of rows at a time.

    The wide numbers in between take several times the memory of what goes in and of what comes out.
    """
    step = max(1, _BAND // samples[0].size)
    first = how(samples[:step])
    made = np.empty((len(samples), *first.shape[1:]), first.dtype)
    made[:step] = first
    for start in range(step, len(samples), step):
        made[start : start + step] = how(samples[start : start + step])
    return made


def _ramp(samples: NDArray[Any], low: float, width: float) -> NDArray[np.float32]:
    wide = samples.astype(np.float64) if samples.dtype.itemsize > 2 else samples.astype(np.float32)
    with np.errstate(all="ignore"):  # infinities are set below
        wide -= low
        wide *= 1.0 / width
    if samples.dtype.kind == "f":
        np.nan_to_num(wide, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
    return np.clip(wide, 0.0, 1.0, out=wide).astype(np.float32, copy=False)


def colour_share(grid: NDArray[np.uint8]) -> float:
    """(H, W, 3 or more) uint8, RGB first -> share in [0, 1] of the pixels whose channels differ visibly."""
    red, green, blue = grid[..., 0], grid[..., 1], grid[..., 2]
    brightest = np.maximum(np.maximum(red, green), blue)
    darkest = np.minimum(np.minimum(red, green), blue)
    return float(np.count_nonzero(brightest - darkest > COLOURED) / brightest.size)
