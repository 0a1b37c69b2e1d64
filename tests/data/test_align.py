"""Laying one small picture over another: against SciPy's sampling, and maps that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from hilum.data.align import reduced, refine, template_of, warp

SIDE = 64


def smooth(count: int, seed: int, side: int = SIDE, sigma: float = 4.0) -> np.ndarray:
    """(count, side, side) float32 clouds from 0 to 255."""
    noise = np.random.default_rng(seed).standard_normal((count, side, side))
    clouds = np.stack([gaussian_filter(each, sigma) for each in noise])
    low, high = clouds.min(axis=(1, 2), keepdims=True), clouds.max(axis=(1, 2), keepdims=True)
    return ((clouds - low) / (high - low) * 255).astype(np.float32)


def turned_by(degrees: float, zoom: float, across: float, down: float) -> np.ndarray:
    """A map (1, 2, 3); shifts in half sides."""
    cosine, sine = np.cos(np.deg2rad(degrees)) * zoom, np.sin(np.deg2rad(degrees)) * zoom
    return np.array([[[cosine, -sine, across], [sine, cosine, down]]], np.float32)


def test_a_picture_is_sampled_as_scipy_does_it_and_what_lies_outside_is_told() -> None:
    images = smooth(3, 0)
    maps = np.concatenate([turned_by(0, 0.9, 0.02, -0.03), turned_by(20, 1.0, 0.1, 0.2), turned_by(-7, 1.3, -0.3, 0)])
    values, inside = warp(images, maps)
    centres = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    down, across = np.meshgrid(centres, centres, indexing="ij")
    shares = []
    for image, map_, found, told in zip(images, maps.astype(np.float64), values, inside, strict=True):
        column, row = ((a * across + b * down + c + 1) * SIDE / 2 - 0.5 for a, b, c in map_)
        expected = map_coordinates(image.astype(np.float64), [row, column], order=1, mode="nearest")
        assert np.abs(found.reshape(SIDE, SIDE) - expected).max() < 1.0
        edge = [np.abs(np.abs(place - (SIDE - 1) / 2) - (SIDE - 1) / 2 - 0.75) for place in (row, column)]
        within = (np.minimum(row, column) >= -0.75) & (np.maximum(row, column) <= SIDE - 0.25)
        clear = np.minimum(*edge) > 1e-3
        assert np.array_equal(told.reshape(SIDE, SIDE)[clear], within[clear])
        shares.append(within.mean())
    assert shares[0] == 1 > shares[1] > 0.5 < shares[2]


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (0.5, 60.0)])
def test_a_small_turn_zoom_and_shift_are_found_in_two_steps_whatever_the_contrast(gain: float, offset: float) -> None:
    second = smooth(4, 1)
    truth = np.concatenate(
        [
            turned_by(4, 1.0, 0, 0),
            turned_by(0, 0.95, 0, 0),
            turned_by(0, 1, 0.05, -0.03),
            turned_by(-3, 1.03, 0.02, 0.02),
        ]
    )
    first = warp(second, truth)[0].reshape(second.shape)
    start = np.repeat(turned_by(0, 1, 0, 0), 4, axis=0)
    found = refine(template_of(first), gain * second + np.float32(offset), start, 2)
    assert np.abs(found - truth).max() < 0.01


def test_a_smaller_picture_keeps_its_mean_and_what_is_as_coarse_as_its_pixels() -> None:
    images = smooth(2, 2, sigma=8)
    small = reduced(images, 16, 1.5)
    centres = (np.arange(16) + 0.5) * 4 - 0.5
    row, column = np.meshgrid(centres, centres, indexing="ij")
    for image, found in zip(images, small, strict=True):
        expected = map_coordinates(gaussian_filter(image.astype(np.float64), 1.5), [row, column], order=1)
        assert np.abs(found - expected)[1:-1, 1:-1].max() < 2
    assert reduced(np.full((1, SIDE, SIDE), 77, np.uint8), 16, 1.5) == pytest.approx(77.0, abs=1e-3)
