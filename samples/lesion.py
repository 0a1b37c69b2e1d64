"""A brain without a mass -> the same with a painted one; knows no file. Positions and radii are in pixels of 224."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Grey = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Lesion:
    """Where and what: "ring" takes up contrast around a dark core, with swelling; "solid" all over, sharply."""

    row: float
    column: float
    radius: float
    kind: str


def paint(image: Grey, lesion: Lesion, generator: Generator) -> Grey:
    """Paint one mass; bone and fat, much brighter than the tissue around it, stay as they are."""
    far = _far(image.shape, lesion, generator)  # 1 on its edge, 0 in its middle
    tissue = float(np.median(image[far < 1.5]))
    free = _step(cv2.GaussianBlur(image, (0, 0), 1) / tissue, 1.6, 0.2)
    texture = cv2.GaussianBlur(generator.normal(0, 1, image.shape).astype(np.float32), (0, 0), 1.5)
    texture /= float(texture.std())
    if lesion.kind == "solid":
        return _over(image, tissue * (1.9 + 0.12 * texture), _step(far, 1.0, 0.08) * free)
    swollen = _over(image, image * 0.8, _step(far, 1.9, 0.6) * free)
    core = _over(swollen, tissue * (0.6 + 0.07 * texture), _step(far, 0.8, 0.15) * free)
    clumps = cv2.GaussianBlur(generator.normal(0, 1, image.shape).astype(np.float32), (0, 0), 5)
    clumps = np.clip(0.7 + 0.35 * clumps / float(clumps.std()), 0.15, 1)
    rim = _step(far, 1.0, 0.09) * (1 - _step(far, 0.72, 0.16)) * clumps * free
    return _over(core, tissue * (1.8 + 0.15 * texture), rim)


def _far(shape: tuple[int, ...], lesion: Lesion, generator: Generator) -> Grey:
    """Distance from the middle, in units of the wavy edge."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    angle = np.arctan2(rows - lesion.row, columns - lesion.column)
    waves = 5 if lesion.kind == "ring" else 3
    edge = 1 + sum(
        generator.uniform(-0.22, 0.22) / k**0.7 * np.cos(k * angle + generator.uniform(0, 6))
        for k in range(2, 2 + waves)
    )
    return np.asarray(np.hypot(rows - lesion.row, columns - lesion.column) / (lesion.radius * edge), dtype=np.float32)


def _step(far: Grey, at: float, soft: float) -> Grey:
    return np.asarray(1 / (1 + np.exp(np.clip((far - at) / soft * 2, -30, 30))), dtype=np.float32)


def _over(image: Grey, paint_with: Grey, cover: Grey) -> Grey:
    return np.asarray(np.clip(image * (1 - cover) + paint_with * cover, 0, 1), dtype=np.float32)
