"""Readings of the images -> counts, sizes and intensities of each class; describes, and judges nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.data.survey import Reading


@dataclass(frozen=True, slots=True)
class Spread:
    """Minimum, 5th percentile, median, 95th percentile, maximum, mean and standard deviation of one measure."""

    least: float
    low: float
    median: float
    high: float
    most: float
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class ClassStatistics:
    """One class, or all of them together.

    images: readable ones; groups: of images that must stay together (copies, patients, neighbours in a volume).
    width, height: pixels; bytes: of the file; brightness, contrast: mean and deviation of the pixels, in [0, 1].
    formats, modes, sizes: how often each occurs, commonest first; sizes as "WIDTHxHEIGHT".
    histogram: share of the pixels in each of 64 equal steps of [0, 1], averaged over the images; sums to 1.
    """

    name: str
    images: int
    groups: int
    width: Spread
    height: Spread
    bytes: Spread
    brightness: Spread
    contrast: Spread
    formats: dict[str, int]
    modes: dict[str, int]
    sizes: dict[str, int]
    histogram: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """The whole data set and each of its classes that has a readable image, in the data set's order."""

    whole: ClassStatistics
    classes: tuple[ClassStatistics, ...]


def statistics(
    readings: Sequence[Reading], labels: NDArray[np.int64], groups: NDArray[np.int64], classes: Sequence[str]
) -> Statistics | None:
    """Describe readable images: readings, labels (n,) indices into `classes`, groups (n,); None where there is none."""
    if not readings:
        return None
    present = [number for number in range(len(classes)) if (labels == number).any()]
    return Statistics(
        _describe("all", readings, groups),
        tuple(
            _describe(
                classes[number],
                [readings[i] for i in np.flatnonzero(labels == number).tolist()],
                groups[labels == number],
            )
            for number in present
        ),
    )


def _describe(name: str, readings: Sequence[Reading], groups: NDArray[np.int64]) -> ClassStatistics:
    histogram = np.stack([reading.histogram for reading in readings]).mean(axis=0, dtype=np.float64)
    return ClassStatistics(
        name=name,
        images=len(readings),
        groups=len(np.unique(groups)),
        width=_spread([reading.width for reading in readings]),
        height=_spread([reading.height for reading in readings]),
        bytes=_spread([reading.bytes for reading in readings]),
        brightness=_spread([reading.brightness for reading in readings]),
        contrast=_spread([reading.contrast for reading in readings]),
        formats=_counts([reading.format for reading in readings]),
        modes=_counts([reading.mode for reading in readings]),
        sizes=_counts([f"{reading.width}x{reading.height}" for reading in readings]),
        histogram=tuple(round(share, 6) for share in histogram.tolist()),
    )


def _spread(values: Sequence[float]) -> Spread:
    array = np.asarray(values, dtype=np.float64)
    low, median, high = (float(np.percentile(array, share)) for share in (5, 50, 95))
    return Spread(float(array.min()), low, median, high, float(array.max()), float(array.mean()), float(array.std()))


def _counts(values: Sequence[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))
