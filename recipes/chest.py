"""The chest folder -> weights that tell pneumonia from a normal film, and still do on films of another place.

What the folder's classes differ in beside disease (markers, arms, collimation, sharpness, grey values) is cut away or
varied alike in both classes. A second head learns bacteria, virus or normal; only the first is kept.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from hilum.image.prepare import Preparation
from hilum.learn.augment import AugmentPolicy
from hilum.learn.batches import Head, TrainingData
from hilum.learn.networks.residual import Residual
from hilum.learn.settings import TrainSettings
from hilum.learn.stress import stress_copies
from hilum.learn.train import Attempt, Progress, train
from hilum.learn.watch import Ears
from recipes.ground import Ground, prepared, read_ground, write_parts
from recipes.handover import HELD_OUT, Made, save, save_logits

SIDE = 160
PREPARATION = Preparation(SIDE, "central", keep=0.86, low=1.0, high=99.0)
POLICY = AugmentPolicy(
    rotate=10, scale=1.2, stretch=1.25, shift=0.05, fill="border", gamma=0.6, contrast=0.2, curve=0.3, match=0.5,
    equalise=0.15, bias=0.3, spectrum=0.3, soften=0.6, shrink=0.4, jpeg=0.2, noise=6, frame=0.3, erase=0.2,
)  # fmt: skip
SETTINGS = TrainSettings(
    epochs=72, draws=3600, learning_rate=2e-3, policy=POLICY, keep="last", ema=0.998, check_every=6,
    sizes=((0.4, 96), (0.76, 128), (1.0, SIDE)),
)  # fmt: skip
NETWORK = {"width": 32, "blocks": [1, 2, 2, 1], "standardise": "image", "dropout": 0.1}
CLASSES = ("normal", "pneumonia")
KINDS = ("normal", "bacteria", "virus")


def kinds_of(ground: Ground, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 normal, 1 bacteria, 2 virus, from the file names."""
    return np.array([0 if ground.label[i] == "normal" else 1 + ("virus" in ground.path[i]) for i in rows], np.int64)


def training_data(ground: Ground, rows: NDArray[np.int64], pixels: NDArray[np.uint8]) -> TrainingData:
    """Two heads; normals are drawn as often as both kinds of pneumonia together."""
    kinds = kinds_of(ground, rows)
    targets = np.concatenate([np.eye(2)[np.minimum(kinds, 1)], np.eye(3)[kinds]], axis=1).astype(np.float32)
    strata = np.where(kinds == 0, ground.group[rows] % 2, kinds + 1).astype(np.int64)
    part = ground.part[rows]
    heads = (Head("pneumonia", CLASSES), Head("kind", KINDS, weight=0.5))
    return TrainingData(
        pixels, targets, ground.group[rows], strata, np.flatnonzero(part == "train"), np.flatnonzero(part == "tune"),
        heads,
    )  # fmt: skip


def make(data: Path, out: Path, settings: TrainSettings = SETTINGS, seed: int = 0) -> None:
    """Train and write `out/pneumonia-cxr/`: parts, weights, logits of the held-out parts and their stress copies."""
    torch.set_num_threads(2)
    cv2.setNumThreads(1)
    folder = out / "pneumonia-cxr"
    ground = read_ground(data)
    rows = ground.rows("chest-xray")
    write_parts(ground, rows, folder / "parts.csv")
    pixels = prepared([ground.films[i] for i in rows], PREPARATION)
    torch.manual_seed(seed)
    result = train(
        Residual(5, **NETWORK), training_data(ground, rows, pixels), settings, Attempt(folder / "run", seed),
        ears=Ears(show),
    )  # fmt: skip
    assert isinstance(result.network, Residual)
    network = result.network.selected([0, 1]).eval()
    notes = {"seconds": result.seconds, "computing": result.computing, "epochs": settings.epochs, "seed": seed}
    save(folder, network, Made("pneumonia-cxr", CLASSES, {"classes": 2, **NETWORK}, PREPARATION, notes))
    held = np.flatnonzero(np.isin(ground.part[rows], HELD_OUT))
    films = [ground.films[i].astype(np.float32) / 255.0 for i in rows[held]]
    truth = np.minimum(kinds_of(ground, rows[held]), 1)
    stressed = {kind: prepared(copies, PREPARATION) for kind, copies in stress_copies(films, truth == 1, seed).items()}
    save_logits(folder / "logits.npz", network, ground, rows[held], pixels[held], truth, stressed)


def show(now: Progress) -> None:
    """One line an epoch."""
    if now.step % max(1, now.steps // now.epochs) == 0:
        print(f"epoch {now.epoch + 1}/{now.epochs}  loss {now.loss:.3f}  tune {now.score:.4f}  "
              f"{now.seconds:.0f} s, {now.seconds_left:.0f} s left", flush=True)  # fmt: skip


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]))
