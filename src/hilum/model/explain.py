"""Class-activation maps or any predicting function -> where the answer came from, in the image's own frame; no torch.

Three ways: `heatmap` from the maps of the same pass, `occlusion` by covering, LIME in learn/lime.py. `fidelity` says
how far a map can be believed: deletion and insertion of the pixels it names (Petsiuk et al. 2018, arXiv 1806.07421).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.image.image import Image
from hilum.image.prepare import Preparation, field_of_view, padded

CAM, OCCLUSION, LIME = METHODS = ("class-activation map", "occlusion", "LIME")
Predict = Callable[[NDArray[np.uint8]], NDArray[np.float64]]  # (N, 1, S, S) uint8 -> probabilities (N, C)


@dataclass(frozen=True, eq=False, slots=True)
class Heatmap:
    """Where in one image the evidence for one class lies.

    values: (H, W) float32 in [0, 1] in the image's own frame, 1 = strongest; 0 outside the network's field of view.
    label: index of the class explained. method: one of METHODS.
    """

    values: NDArray[np.float32]
    label: int
    method: str

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.dtype != np.float32:
            raise ValueError(f"values must be (H, W) float32, not {self.values.shape} {self.values.dtype}")
        if float(self.values.min()) < 0.0 or float(self.values.max()) > 1.0:
            raise ValueError("values must lie in [0, 1]")
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {METHODS}")


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Mean probability of the class in [0, 1] as pixels are taken away (low is good) or brought back (high is)."""

    deletion: float
    insertion: float


def heatmap(maps: NDArray[np.float32], label: int, image: Image, preparation: Preparation) -> Heatmap:
    """The class-activation map of one answer (Zhou et al. 2016, arXiv 1512.04150).

    maps: (C, h, w) float32, one row of the engine's `maps`. What speaks for the class more than for the mean of the
    others is kept, so that what all classes share (the skull, the chest wall) does not glow.
    """
    others = np.delete(maps, label, axis=0).mean(axis=0)
    size = (preparation.size, preparation.size)
    evidence = cv2.resize(maps[label] - others, size, interpolation=cv2.INTER_CUBIC)
    return Heatmap(in_frame(_unit(evidence), image, preparation), label, CAM)


def in_frame(values: NDArray[np.floating], image: Image, preparation: Preparation) -> NDArray[np.float32]:
    """Values (S, S) on the network's input -> (H, W) float32 on the image; 0 where the network saw nothing."""
    rows, columns = field_of_view(image.pixels, preparation)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if preparation.squash:
        inside = cv2.resize(values.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    else:
        side = max(height, width)
        square = cv2.resize(values.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
        top, left = (side - height) // 2, (side - width) // 2
        inside = square[top : top + height, left : left + width]
    placed = np.zeros(image.pixels.shape, dtype=np.float32)
    placed[rows, columns] = np.clip(inside, 0.0, 1.0)
    return placed


def occlusion(predict: Predict, pixels: NDArray[np.uint8], label: int, patch: int = 0) -> NDArray[np.float32]:
    """How much the class loses when a square is covered by a blurred copy (after Zeiler and Fergus 2014).

    pixels: (1, S, S) uint8, prepared. patch: side of the square in pixels; 0 = an eighth of S. Squares overlap by half.
    Returns (S, S) float32 in [0, 1]; 1 where covering costs most, 0 where it costs nothing.
    """
    side = pixels.shape[-1]
    patch = patch or max(4, side // 8)
    starts = np.unique(np.clip(np.arange(0, side, max(1, patch // 2)), 0, side - patch))
    covered, places = [], [(row, column) for row in starts for column in starts]
    blurred = _blurred(pixels[0])
    for row, column in places:
        copy = pixels.copy()
        copy[0, row : row + patch, column : column + patch] = blurred[row : row + patch, column : column + patch]
        covered.append(copy)
    lost = predict(pixels[None])[0, label] - _in_batches(predict, np.stack(covered))[:, label]
    total, count = np.zeros((side, side)), np.zeros((side, side))
    for (row, column), loss in zip(places, lost, strict=True):
        total[row : row + patch, column : column + patch] += loss
        count[row : row + patch, column : column + patch] += 1
    return _unit(total / count)


def fidelity(
    predict: Predict, pixels: NDArray[np.uint8], heat: NDArray[np.floating], label: int, steps: int = 16
) -> Fidelity:
    """Take the hottest pixels away first, and bring them back first on a blurred image; mean probability over the way.

    pixels: (1, S, S) uint8, prepared. heat: (S, S), any range. Ties are broken by place, the same in each run.
    """
    order = np.argsort(-heat.ravel(), kind="stable")
    original, blurred = pixels.ravel(), _blurred(pixels[0]).ravel()
    taken, brought = [], []
    for step in range(steps + 1):
        hot = order[: round(order.size * step / steps)]
        without, only = original.copy(), blurred.copy()
        without[hot], only[hot] = blurred[hot], original[hot]
        taken.append(without.reshape(pixels.shape))
        brought.append(only.reshape(pixels.shape))
    found = _in_batches(predict, np.stack(taken + brought))[:, label]
    return Fidelity(deletion=_mean(found[: steps + 1]), insertion=_mean(found[steps + 1 :]))


def on_input(heat: Heatmap, image: Image, preparation: Preparation) -> NDArray[np.float32]:
    """A heatmap of the frame (H, W) -> (S, S) float32 on the network's input, for `fidelity`."""
    inside = heat.values[field_of_view(image.pixels, preparation)]
    if not preparation.squash:
        inside = padded(inside)
    size = (preparation.size, preparation.size)
    return np.asarray(cv2.resize(inside, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _unit(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Negative evidence to 0, the strongest to 1; all 0 where nothing speaks for the class."""
    positive = np.maximum(values, 0.0)
    top = float(positive.max())
    return np.asarray(positive / top if top > 0 else positive, dtype=np.float32)


def _blurred(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), pixels.shape[-1] / 16), dtype=np.uint8)


def _in_batches(predict: Predict, pixels: NDArray[np.uint8], size: int = 32) -> NDArray[np.float64]:
    return np.concatenate([predict(pixels[start : start + size]) for start in range(0, len(pixels), size)])


def _mean(curve: NDArray[np.float64]) -> float:
    """Area under the curve over [0, 1], by trapezes."""
    return float((curve[1:] + curve[:-1]).mean() / 2)
