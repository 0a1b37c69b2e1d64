"""The chest folder -> weights that tell pneumonia from a normal film, and still do on films of another place.

What the folder's classes differ in beside disease (markers, arms, collimation, sharpness, grey values) is cut away or
varied alike in both classes. A second head learns bacteria, virus or normal; only the first is kept.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from hilum.image.prepare import Preparation
from hilum.learn.augment import AugmentPolicy
from hilum.learn.batches import Head, TrainingData
from hilum.learn.networks import build
from hilum.learn.networks.heads import chosen_outputs
from hilum.learn.settings import TrainSettings
from hilum.learn.stress import stress_copies
from hilum.learn.train import Attempt, Progress, train
from hilum.learn.watch import Ears
from recipes.ground import Ground, prepared, read_ground, write_parts
from recipes.handover import HELD_OUT, Made, save, save_logits
from recipes.member import Member, notes_of

POLICY = AugmentPolicy(
    rotate=10, scale=1.2, stretch=1.25, shift=0.05, fill="border", gamma=0.6, contrast=0.2, curve=0.3, match=0.5,
    equalise=0.15, bias=0.3, spectrum=0.3, soften=0.6, shrink=0.4, jpeg=0.2, noise=6, frame=0.3, erase=0.2,
)  # fmt: skip
SCRATCH = Member(
    "scratch", "residual", {"width": 32, "blocks": [1, 2, 2, 1], "standardise": "image", "dropout": 0.1}, 160,
    TrainSettings(
        epochs=72, draws=3600, learning_rate=2e-3, policy=POLICY, keep="last", ema=0.998, check_every=6,
        sizes=((0.4, 96), (0.76, 128), (1.0, 160)),
    ),
)  # fmt: skip
TUNED = Member(
    "tuned", "efficientnet-lite0", {"standardise": "image", "dropout": 0.2}, 192,
    TrainSettings(
        epochs=10, batch=32, draws=3600, learning_rate=6e-4, weight_decay=0.02, policy=POLICY, keep="last", ema=0.998,
        check_every=2, sizes=((0.5, 144), (1.0, 192)),
    ),
)  # fmt: skip
MEMBERS = (SCRATCH, TUNED)
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


def make(data: Path, out: Path, member: Member) -> None:
    """Train one member; write its parts, weights, logits of the held-out parts and of their stress copies."""
    torch.set_num_threads(2)
    cv2.setNumThreads(1)
    folder = out / member.folder / "pneumonia-cxr"
    ground = read_ground(data)
    rows = ground.rows("chest-xray")
    write_parts(ground, rows, folder / "parts.csv")
    prepare = preparation(member.side)
    pixels = prepared([ground.films[i] for i in rows], prepare)
    torch.manual_seed(member.seed)
    trunk = build(member.name, {"classes": 5, **member.config})
    known, attempt = training_data(ground, rows, pixels), Attempt(folder / "run", member.seed)
    result = train(trunk, known, member.settings, attempt, ears=Ears(show))
    network = chosen_outputs(result.network, [0, 1]).eval()
    notes, config = notes_of(member, [result], trunk), {"classes": 2, **member.served()}
    save(folder, network, Made("pneumonia-cxr", CLASSES, config, prepare, notes, member.name))
    held = np.flatnonzero(np.isin(ground.part[rows], HELD_OUT))
    truth = np.minimum(kinds_of(ground, rows[held]), 1)
    copies = stressed(ground, rows[held], truth, prepare)
    save_logits(folder / "logits.npz", network, ground, rows[held], pixels[held], truth, copies)


def preparation(side: int) -> Preparation:
    """The middle of the film, without markers, arms and collimation."""
    return Preparation(side, "central", keep=0.86, low=1.0, high=99.0)


def stressed(
    ground: Ground, rows: NDArray[np.int64], truth: NDArray[np.int64], how: Preparation
) -> dict[str, NDArray[np.uint8]]:
    """Every stress copy of the films, prepared. truth: (n,) 1 = pneumonia."""
    films = [ground.films[i].astype(np.float32) / 255.0 for i in rows]
    return {kind: prepared(copies, how) for kind, copies in stress_copies(films, truth == 1, 0).items()}


def show(now: Progress) -> None:
    """One line an epoch."""
    if now.step % max(1, now.steps // now.epochs) == 0:
        print(f"epoch {now.epoch + 1}/{now.epochs}  loss {now.loss:.3f}  tune {now.score:.4f}  "
              f"{now.seconds:.0f} s, {now.seconds_left:.0f} s left", flush=True)  # fmt: skip
