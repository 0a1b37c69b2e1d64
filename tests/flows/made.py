"""A small sealed package of the made task, and images of its two kinds on disk, shared by the tests of the flows."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from hilum.image.prepare import Preparation
from hilum.learn.calibrate import fit
from hilum.learn.fitting import fit_network
from hilum.learn.scores import make_scores
from hilum.learn.seal import Sealing, Trained, seal
from hilum.learn.train import logits
from tests.learn.made import TASK, TASK_TEXT, TINY, cases, spots


def write_spots(folder: Path, count: int, size: int = 80, seed: int = 3) -> list[Path]:
    """Images of noise, every second one with a bright square, in class folders; returns their paths."""
    pixels, labels = spots(count, size, seed)
    paths = []
    for i, (picture, label) in enumerate(zip(pixels[:, 0], labels, strict=True)):
        path = folder / ("spot" if label else "plain") / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), cv2.GaussianBlur(picture, (7, 7), 2))  # the gate refuses pure noise
        paths.append(path)
    return paths


def seal_spots(folder: Path, workplace: Path) -> str:
    """Train for two epochs and seal; returns the digest."""
    torch.manual_seed(0)
    found = fit_network(TINY, cases(), TASK, workplace)
    pixels, labels = spots(80)
    held = np.arange(56, 80)
    scores = make_scores(logits(found.network, pixels[held]), labels[held], held)
    config = TINY.network_config(2)
    sealing = Sealing(
        name="spot",
        version="1",
        trained=Trained(found.network, TINY.network, config),
        task_text=TASK_TEXT,
        preparation=Preparation(size=32),
        calibration=fit(scores, TASK),
        plan=TINY.to_json(),
        check=pixels[held],
    )
    return seal(sealing, folder)
