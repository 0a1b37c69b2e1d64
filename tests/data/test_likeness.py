"""Likeness of pictures that lie on one another: NumPy's correlation of every piece, and what is left out of it."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.data.likeness import PIECES, similarity

SIDE = 64
PIECE = SIDE // PIECES


def structure(count: int, seed: int) -> np.ndarray:
    """(count, 64, 64) float32 noise; each piece has a strength of its own, none is quiet."""
    rng = np.random.default_rng(seed)
    return (each_piece(rng.uniform(6, 40, (count, PIECES, PIECES))) * rng.standard_normal((count, SIDE, SIDE))).astype(
        np.float32
    )


def each_piece(values: np.ndarray) -> np.ndarray:
    """(n, 8, 8) -> (n, 64, 64): one value for all pixels of a piece."""
    return np.repeat(np.repeat(values, PIECE, axis=1), PIECE, axis=2).astype(np.float32)


def in_pieces(image: np.ndarray) -> np.ndarray:
    """(64, 64) -> (pieces, pixels)."""
    return image.reshape(PIECES, PIECE, PIECES, PIECE).swapaxes(1, 2).reshape(PIECES**2, -1).astype(np.float64)


def test_it_is_the_correlation_of_the_pieces_weighed_by_their_strength_without_the_worst() -> None:
    one = structure(5, 0)
    other = np.float32(0.8) * one + each_piece(np.random.default_rng(1).uniform(0, 1, (5, 8, 8))) * structure(5, 2) + 7
    for first, second, found in zip(one, other, similarity(one, other), strict=True):
        left, right = in_pieces(first), in_pieces(second)
        each = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(left, right, strict=True)])
        strength = np.maximum(left.std(axis=1), right.std(axis=1))
        kept = np.argsort(each)[10:]  # 15% of 64 and no less
        assert found == pytest.approx(np.average(each[kept], weights=strength[kept]), abs=1e-4)


def test_gain_and_offset_of_each_piece_are_free_and_a_negative_is_the_opposite() -> None:
    one, rng = structure(3, 3), np.random.default_rng(4)
    gain, offset = (each_piece(rng.uniform(low, high, (3, 8, 8))) for low, high in ((0.5, 2), (-50, 50)))
    assert similarity(one, gain * one + offset) == pytest.approx(np.ones(3), abs=1e-3)
    assert similarity(one, -one) == pytest.approx(-np.ones(3), abs=1e-3)
    assert np.abs(similarity(one, structure(3, 5))).max() < 0.2


@pytest.mark.parametrize(("spoilt", "same"), [(10, True), (11, False)])
def test_the_worst_pieces_are_left_out_as_a_burnt_in_letter_spoils_them(spoilt: int, same: bool) -> None:
    one, other = structure(1, 6), structure(1, 7)
    junk = each_piece((np.arange(PIECES**2) < spoilt).reshape(1, PIECES, PIECES)) > 0
    assert (similarity(one, np.where(junk, other, one))[0] > 0.999) == same


def test_pieces_without_structure_in_either_picture_say_nothing_and_in_one_they_do() -> None:
    one, other = structure(1, 8), structure(1, 9)
    rng = np.random.default_rng(10)
    quiet, as_quiet, loud = (size * rng.standard_normal((32, SIDE)).astype(np.float32) for size in (1, 1, 20))
    one[0, 32:] = quiet
    for lower, same in ((as_quiet, True), (loud, False)):
        other[0] = one[0]
        other[0, 32:] = lower
        for found in (similarity(one, other), similarity(other, one)):
            assert (found[0] > 0.999) == same
    assert similarity(one * 0, other * 0).tolist() == [0.0]


@pytest.mark.parametrize(("outside", "same"), [(12, True), (11, False)])
def test_pieces_that_lie_mostly_outside_are_left_out(outside: int, same: bool) -> None:
    """Half of them inside is too little, five eighths are enough; the two outer columns of pieces on either side."""
    one, other = structure(1, 11), structure(1, 12)
    other[0, :, 16:48] = one[0, :, 16:48]
    inside = np.ones((1, SIDE, SIDE), bool)
    inside[:, :, :outside] = inside[:, :, SIDE - outside :] = False
    assert (similarity(one, other, inside.reshape(1, -1))[0] > 0.999) == same


def test_of_a_piece_that_lies_partly_outside_only_the_inside_is_compared() -> None:
    one, other = structure(1, 13), structure(1, 14) * 5
    inside = np.ones((1, SIDE, SIDE), bool)
    inside[:, ::3] = False
    assert similarity(one, np.where(inside, one, other), inside.reshape(1, -1))[0] > 0.999
