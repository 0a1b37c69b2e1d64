"""Stressed copies: one of each kind for each film, repeatable, in range, and each does what its name says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hilum.learn.stress import KINDS, stress_copies

Films = list[NDArray[np.float32]]


def films(count: int = 6, seed: int = 0) -> tuple[Films, NDArray[np.bool_]]:
    """Smooth shapes: pneumonias dark, normals bright."""
    random = np.random.default_rng(seed)
    down, across = np.mgrid[0:64, 0:64] / 64
    made = []
    for i in range(count):
        wave = 0.5 + 0.3 * np.sin(8 * down + i) * np.cos(7 * across) + 0.05 * random.random((64, 64))
        made.append((wave * (0.5 if i % 2 else 1.0)).astype(np.float32))
    return made, np.arange(count) % 2 == 1


def test_each_kind_gives_one_sound_copy_of_each_film() -> None:
    given, positive = films()
    copies = stress_copies(given, positive)
    assert tuple(copies) == KINDS
    for made in copies.values():
        assert len(made) == len(given)
        for film in made:
            assert film.ndim == 2
            assert film.dtype == np.float32
            assert np.isfinite(film).all()
            assert film.min() >= 0.0
            assert film.max() <= 1.0


def test_the_same_seed_gives_the_same_copies() -> None:
    first, again = stress_copies(*films()), stress_copies(*films())
    assert all(np.array_equal(a, b) for kind in KINDS for a, b in zip(first[kind], again[kind], strict=True))


def test_no_kind_leaves_a_film_as_it_was() -> None:
    given, positive = films()
    for kind, made in stress_copies(given, positive).items():
        if kind == "same_histogram":  # a film may be its own donor
            continue
        same = [a.shape == b.shape and np.allclose(a, b, atol=1e-3) for a, b in zip(given, made, strict=True)]
        assert not any(same), kind


def test_the_other_histogram_is_of_the_other_class_and_keeps_the_order_of_grey_values() -> None:
    given, positive = films()
    made = stress_copies(given, positive)["other_histogram"]
    for film, copy, sick in zip(given, made, positive, strict=True):
        assert (copy.mean() > film.mean()) == sick
        order = np.argsort(film.ravel(), kind="stable")
        assert (np.diff(copy.ravel()[order]) >= -1e-6).all()


def test_sharpness_is_swapped_between_the_classes() -> None:
    given, positive = films()
    made = stress_copies(given, positive)["sharpness"]
    for film, copy, sick in zip(given, made, positive, strict=True):
        rougher = np.abs(np.diff(copy, axis=1)).mean() > np.abs(np.diff(film, axis=1)).mean()
        assert rougher == sick


def test_one_class_alone_cannot_be_stressed() -> None:
    given, positive = films()
    with pytest.raises(ValueError, match="both classes"):
        stress_copies(given, np.ones_like(positive))
