"""Restyled copies of the calibration part: of large films and large parts as many, and as large, as fit the memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hilum.flows import references
from hilum.flows.references import Looked, restyled
from hilum.image.image import Image, Metadata
from hilum.image.prepare import Preparation
from hilum.learn.stress import KINDS

COUNT = 6


class Made:
    """Noise of the size of a real film, read one at a time as from files."""

    def __init__(self) -> None:
        self.parts = {"calibrate": np.arange(2, 2 + COUNT)}
        self.labels = np.arange(2 + COUNT) % 2
        self.sides: list[tuple[int, int]] = []

    def these(self, rows: Any, make: Any, _: str) -> list[Any]:
        found = []
        for row in rows:
            pixels = np.random.default_rng(row).random((1500, 1100), np.float32)
            found.append(make(Image(pixels, Metadata("ARRAY", "L", 8, 1, 1))))
            self.sides.append(found[-1].shape)
        return found


def looked(made: Any, auroc: float = 0.95) -> Looked:
    found: Any = SimpleNamespace(shortcuts={"bytes": auroc})
    task: Any = SimpleNamespace(negative=0)
    return Looked(made, found, task, Preparation(64, "central", keep=0.86), 1)


def test_large_films_are_restyled_at_the_scale_of_the_network() -> None:
    made = Made()
    found = restyled(looked(made))
    assert found is not None
    assert found.rows.tolist() == list(range(2, 2 + COUNT))
    assert set(found.copies) == set(KINDS)
    assert all(copies.shape == (COUNT, 1, 64, 64) and copies.std() > 0 for copies in found.copies.values())
    assert made.sides == [(256, 188)] * COUNT


def test_of_a_large_part_some_are_drawn_and_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "MOST_RESTYLED", 4)
    first, again = restyled(looked(Made())), restyled(looked(Made()))
    assert first is not None
    assert again is not None
    assert len(first.rows) == 4
    assert first.rows.tolist() == again.rows.tolist() == sorted(first.rows)
    assert all(np.array_equal(first.copies[kind], again.copies[kind]) for kind in KINDS)


def test_without_a_shortcut_none_are_made() -> None:
    assert restyled(looked(Made(), auroc=0.6)) is None
