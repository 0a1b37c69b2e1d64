"""Facets: few cases are put together, bands have no gaps."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.evaluate.subgroups import MOST_VALUES, facets, size_band


def test_small_values_are_put_together() -> None:
    """Values under five cases become one line, and every case is in exactly one."""
    found = facets({"scanner": ("A",) * 10 + ("B",) * 6 + ("C",) * 2 + ("D",)})["scanner"]
    assert {name: int(member.sum()) for name, member in found.items()} == {"A": 10, "B": 6, "others": 3}
    assert (np.sum(list(found.values()), axis=0) == 1).all()


def test_many_values_are_cut() -> None:
    """Thirty scanners make twelve lines and the others."""
    found = facets({"scanner": tuple(f"s{i:02d}" for i in range(30)) * 5})["scanner"]
    assert len(found) == MOST_VALUES + 1


@pytest.mark.parametrize(
    ("height", "width", "band"),
    [(100, 90, "under 128"), (128, 1, "128 to 255"), (200, 512, "512 to 1023"), (4000, 3000, "2048 and more")],
)
def test_size_bands(height: int, width: int, band: str) -> None:
    """By the longer side."""
    assert size_band(height, width) == band
