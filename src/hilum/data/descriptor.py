"""Small images -> short vectors in which copies lie close together; knows no index and no pairs.

The projection is fitted to the data at hand: directions in which an image moves when it is turned, shifted, zoomed or
re-contrasted a little count for less (a discriminant analysis with made variations as the classes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.data.align import warp

Floats = NDArray[np.float32]

SMALL = 16  # side of a small image
LENGTH = 48  # of a descriptor
SAMPLE = 1500  # images a projection is fitted to
VARIATIONS = 4  # made of each
RIDGE = 0.05  # of the mean variance, so that no direction counts without bound
KEYED_AT_ONCE = 8192  # images
FEW = 100  # below, there is nothing to fit: the leading components of the images themselves serve


def _taper() -> Floats:
    """(256,) weights that fall towards the border, where a crop or a turn brings in other content."""
    centres = np.abs((np.arange(SMALL) + 0.5) / SMALL * 2 - 1)
    edge = np.clip((1 - centres) / 0.2 - 0.3, 0, 1)
    return (np.outer(edge, edge).ravel() + 1e-4).astype(np.float32)


TAPER = _taper()


def unit(images: Floats) -> Floats:
    """(n, 16, 16) -> (n, 256) tapered, weighted mean 0, length 1."""
    flat = images.reshape(len(images), SMALL**2)
    flat = (flat - (flat @ TAPER)[:, None] / TAPER.sum()) * np.sqrt(TAPER)
    scaled: Floats = flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6)
    return scaled


@dataclass(frozen=True, eq=False, slots=True)
class Projection:
    """matrix: (256, LENGTH) float32."""

    matrix: Floats

    def __call__(self, units: Floats) -> Floats:
        """(n, 256) -> (n, LENGTH)."""
        return np.ascontiguousarray(units @ self.matrix)

    @classmethod
    def fit(cls, images: Floats) -> Projection:
        """Fit to (n, 16, 16) small images. The sample does not depend on their order."""
        sample = _sample(images)
        original = unit(sample)
        between = np.cov(original, rowvar=False) if len(sample) > 1 else np.eye(SMALL**2)
        if len(sample) < FEW:
            return cls(_leading(between))
        rng = np.random.default_rng(0)
        moved = np.concatenate([unit(_varied(sample, rng)) - original for _ in range(VARIATIONS)])
        within = moved.T @ moved / len(moved)
        within += RIDGE * np.trace(within) / len(within) * np.eye(len(within))
        variance, axes = np.linalg.eigh(within)
        whiten = axes / np.sqrt(variance)
        return cls((whiten @ _leading(whiten.T @ between @ whiten)).astype(np.float32))


def invariant(units: Floats) -> Floats:
    """(n, 256) -> (n, 63) that no mirror and no quarter turn changes: sorted absolute cosine coefficients."""
    low = np.abs(np.einsum("ui,nij,vj->nuv", _COSINES, units.reshape(-1, SMALL, SMALL), _COSINES, optimize=True))
    upper = np.triu_indices(_COSINES.shape[0])
    other = low.transpose(0, 2, 1)
    both = np.concatenate([np.minimum(low, other)[:, *upper], np.maximum(low, other)[:, *upper]], axis=1)
    return np.ascontiguousarray(np.sqrt(both), np.float32)


_COSINES = np.cos(np.pi * np.arange(8)[:, None] * (np.arange(SMALL)[None] + 0.5) / SMALL).astype(np.float32)


def spread_over(n: int, count: int) -> NDArray[np.int64]:
    """At most `count` of n positions, evenly spread."""
    return np.arange(n) if n <= count else np.linspace(0, n - 1, count).astype(np.int64)


def _sample(images: Floats) -> Floats:
    """At most SAMPLE images, evenly spread over their order by content."""
    axis = np.random.default_rng(0).standard_normal(SMALL**2).astype(np.float32)
    starts = range(0, len(images), KEYED_AT_ONCE)
    key = np.concatenate([unit(images[start : start + KEYED_AT_ONCE]) @ axis for start in starts])
    order = np.argsort(key, kind="stable")
    return images[order[spread_over(len(order), SAMPLE)]]


def _leading(matrix: NDArray[np.floating]) -> Floats:
    return np.ascontiguousarray(np.linalg.eigh(matrix)[1][:, ::-1][:, :LENGTH], np.float32)


def _varied(images: Floats, rng: np.random.Generator) -> Floats:
    """Each image turned by up to 5 degrees, zoomed by 5% a side, shifted by 2.5% and with another gamma."""
    n = len(images)
    angle = np.deg2rad(rng.uniform(-5, 5, n))
    zoom = rng.uniform(0.95, 1.05, (n, 2))
    maps = np.empty((n, 2, 3), np.float32)
    maps[:, 0, 0], maps[:, 0, 1] = np.cos(angle) * zoom[:, 0], -np.sin(angle) * zoom[:, 0]
    maps[:, 1, 0], maps[:, 1, 1] = np.sin(angle) * zoom[:, 1], np.cos(angle) * zoom[:, 1]
    maps[:, :, 2] = rng.uniform(-0.05, 0.05, (n, 2))
    values, _ = warp(images, maps)
    gamma = np.exp(rng.uniform(-0.3, 0.3, (n, 1)))
    return np.asarray(255 * (np.clip(values, 0, 255) / 255) ** gamma, np.float32).reshape(images.shape)
