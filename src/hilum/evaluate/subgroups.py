"""What is known of each case -> which cases belong together in a subgroup table; knows no figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MOST_VALUES = 12
LEAST_CASES = 5
REST = "others"
UNKNOWN = "not known"
_SIDES = (128, 256, 512, 1024, 2048)


def facets(columns: Mapping[str, tuple[str, ...]]) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Facet -> value -> (N,) its cases, values by number of cases, falling.

    Values with fewer than 5 cases, and those after the twelfth, are put together as "others"; a facet with one value
    divides nothing and is left out.
    """
    found = {}
    for facet, column in columns.items():
        named = [value or UNKNOWN for value in column]
        counts = sorted(Counter(named).items(), key=lambda one: (-one[1], one[0]))
        kept = {value for value, count in counts[:MOST_VALUES] if count >= LEAST_CASES}
        merged = np.array([value if value in kept else REST for value in named])
        names = [value for value, _ in counts if value in kept]
        if (merged == REST).any() and REST not in names:
            names.append(REST)
        if len(names) > 1:
            found[facet] = {value: merged == value for value in names}
    return found


def size_band(height: int, width: int) -> str:
    """The longer side of an image in pixels -> its band: "under 128", "128 to 255", ... "2048 and more"."""
    longer = max(height, width)
    if longer < _SIDES[0]:
        return f"under {_SIDES[0]}"
    for low, high in pairwise(_SIDES):
        if longer < high:
            return f"{low} to {high - 1}"
    return f"{_SIDES[-1]} and more"
