"""Small made things that the tests of this room share: a task, images of two kinds, a calibration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hilum.image.prepare import Preparation
from hilum.learn.calibrate import fit
from hilum.learn.fitting import Cases
from hilum.learn.plan import Plan
from hilum.learn.scores import make_scores
from hilum.model.calibration import Calibration
from hilum.task import Task, parse_task

TASK_TEXT = """
name = "spot"
title = "A bright spot"
modalities = []
body_parts = []
image_words = "a made image"
intended_use = "Tests."
flip_horizontal = true

[[labels]]
name = "plain"
title = "Plain"
negative = true

[[labels]]
name = "spot"
title = "Spot"

[[operating_points]]
name = "screening"
sensitivity = 0.95

[[operating_points]]
name = "balanced"
"""
TASK: Task = parse_task(TASK_TEXT)


def spots(count: int, size: int = 32, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(count, 1, size, size) noise, every second one with a bright square; labels 0 and 1."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 120, (count, 1, size, size), dtype=np.uint8)
    labels = np.arange(count) % 2
    for row in np.flatnonzero(labels):
        top, left = rng.integers(4, size - 12, 2)
        pixels[row, 0, top : top + 8, left : left + 8] = 230
    return pixels, labels.astype(np.int64)


def calibration(seed: int = 0) -> Calibration:
    """A plausible calibration of the made task."""
    rng = np.random.default_rng(seed)
    labels = np.arange(200) % 2
    logits = rng.normal(size=(200, 2)) + 3 * np.eye(2)[labels]
    return fit(make_scores(logits, labels, np.arange(200)), TASK)


TINY = Plan(network="residual", width=8, size=32, epochs=2, batch=16, augmentation="none", mixup=0.0, precision="32")


def cases(count: int = 80) -> Cases:
    """Spots: a half to train on, a fifth to tune on, the rest held out; every image its own group."""
    _, labels = spots(count)
    order = np.arange(count)
    half, more = count // 2, count * 7 // 10
    return Cases(_at, labels, order.copy(), order[:half], order[half:more])


def _at(preparation: Preparation, count: int = 80) -> NDArray[np.uint8]:
    return spots(count, preparation.size)[0]
