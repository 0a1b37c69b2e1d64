"""Wide samples become grey in [0, 1] as one formula says, and without copies of themselves at once."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hilum.image.grey import unit_from_floats, unit_from_integers

SIDE = 1500


def wide(kind: str) -> NDArray[Any]:
    """(1500, 1500), not whole bands of rows, of values far beyond 16 bits; `gaps` holds some that are not finite."""
    values = np.add.outer(np.arange(SIDE) * 70_000, np.arange(SIDE) * 31)
    samples = values.astype(np.int32 if kind == "integers" else np.float32)
    if kind == "gaps":
        samples[3, 5], samples[700, 9] = np.nan, np.inf
    return samples


@pytest.mark.parametrize("kind", ["integers", "floats", "gaps"])
def test_wide_samples_become_grey(kind: str) -> None:
    samples = wide(kind)
    unit = (unit_from_integers if kind == "integers" else unit_from_floats)(samples)
    known = samples[np.isfinite(samples)].astype(np.float64)
    low, high = np.percentile(known, (0.5, 99.5))
    low, high = max(known.min(), 2 * low - high), min(known.max(), 2 * high - low)
    expected = np.nan_to_num(np.clip((samples - low) / (high - low), 0, 1), nan=0.0)
    assert unit.dtype == np.float32
    finite = np.isfinite(samples)
    np.testing.assert_allclose(unit[finite], expected[finite], atol=1e-6)
    if kind == "gaps":
        assert (unit[3, 5], unit[700, 9]) == (0.0, 1.0)


@pytest.mark.parametrize(("kind", "most"), [("integers", 2.0), ("floats", 2.2), ("gaps", 2.2)])
def test_wide_samples_take_little_more_than_themselves(kind: str, most: float) -> None:
    """32-bit pictures are limited to a size of which one decode stays below 256 MiB: beside them few copies."""
    samples = wide(kind)
    tracemalloc.start()
    (unit_from_integers if kind == "integers" else unit_from_floats)(samples)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < most * samples.nbytes
