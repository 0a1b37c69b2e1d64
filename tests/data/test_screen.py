"""Which neighbours small changes can explain, and descriptors that tell pictures apart whichever way they lie."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.data.align import warp
from hilum.data.descriptor import SMALL, invariant, unit
from hilum.data.screen import laid_residual, screened
from hilum.data.small import Stored
from hilum.data.views import same_box, turned
from tests.data.test_align import smooth, turned_by

COUNT = 8
PLACES = np.arange(COUNT)


def small(seed: int) -> np.ndarray:
    return smooth(COUNT, seed, SMALL, 1.5)


@pytest.mark.parametrize(
    "change",
    [turned_by(4, 1, 0, 0), turned_by(0, 1.05, 0, 0), turned_by(0, 1, 0.05, 0), turned_by(0, 1, 0, 0.05)],
    ids=["turned", "zoomed", "across", "down"],
)
def test_a_small_change_leaves_little_unexplained_and_another_picture_much(change: np.ndarray) -> None:
    images = small(0)
    moved = warp(images, np.repeat(change, COUNT, axis=0))[0].reshape(images.shape) * np.float32(0.6) + 30
    same = laid_residual(images, PLACES, moved, PLACES, same_box(COUNT))
    other = laid_residual(images, PLACES, moved, np.roll(PLACES, 1), same_box(COUNT))
    change_itself = 1 - (unit(images) * unit(moved)).sum(axis=1) ** 2
    assert (same < 0.2 * change_itself).all()
    assert other.min() > 0.2
    near = np.stack([PLACES, np.roll(PLACES, 1), np.full(COUNT, -1)], axis=1)
    row, column, residual = screened(images, Stored.of(moved), near, 0.065)
    assert (row.tolist(), column.tolist()) == (PLACES.tolist(), [0] * COUNT)
    assert residual == pytest.approx(same, abs=1e-3)


def test_what_is_stored_is_multiplied_as_the_unit_vectors_it_stands_for() -> None:
    images, axes = small(1) * 3 + 11, np.random.default_rng(2).standard_normal((COUNT, 5, SMALL**2)).astype(np.float32)
    near = np.random.default_rng(3).integers(0, COUNT, (COUNT, 4))
    expected = np.einsum("nkp,nap->nka", unit(images)[near], axes)
    assert Stored.of(images).along(near, axes) == pytest.approx(expected, abs=1e-4)
    assert np.linalg.norm(unit(images), axis=1) == pytest.approx(np.ones(COUNT), abs=1e-4)
    assert unit(images) == pytest.approx(unit(images * 2 + 50), abs=1e-3)


@pytest.mark.parametrize("view", range(8))
def test_no_mirror_and_no_quarter_turn_changes_the_descriptor_that_turned_copies_are_found_by(view: int) -> None:
    images = small(4)
    plain = invariant(unit(images))
    found = invariant(unit(turned(images, view)))
    assert found == pytest.approx(plain, abs=2e-3)
    apart = np.linalg.norm(plain[:, None] - plain[None], axis=2)[~np.eye(COUNT, dtype=bool)]
    assert apart.min() > 20 * np.linalg.norm(found - plain, axis=1).max()
