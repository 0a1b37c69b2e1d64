"""Three folders of brain slices -> one trunk with two heads, sealed later as two packages: tumour type and presence.

A slice known only as tumour trains the type head as "one of the three"; skull-stripped slices train presence alone.
Copies weigh as one image; head box, stretch to a square and foreground statistics take frame, zoom and brightness out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hilum.image.prepare import Preparation
from hilum.learn.augment import AugmentPolicy
from hilum.learn.batches import Head, TrainingData
from hilum.learn.networks import build
from hilum.learn.networks.heads import chosen_outputs
from hilum.learn.settings import TrainSettings
from hilum.learn.train import Attempt, train
from hilum.learn.watch import Ears
from recipes.chest import show
from recipes.ground import Ground, prepared, read_ground, write_parts
from recipes.handover import HELD_OUT, Made, save, save_logits
from recipes.member import Member, notes_of

POLICY = AugmentPolicy(
    rotate=20, scale=1.22, stretch=1.15, shift=0.08, gamma=0.5, contrast=0.2, curve=0.4, match=0.1, bias=0.3,
    soften=0.3, shrink=0.25, jpeg=0.25, noise=6, erase=0.2,
)  # fmt: skip
SCRATCH_SETTINGS = TrainSettings(
    epochs=54, draws=7000, learning_rate=3e-3, policy=POLICY, keep="last", ema=0.998, check_every=5,
    sizes=((0.34, 96), (0.72, 128), (1.0, 160)),
)  # fmt: skip
SCRATCH = Member(
    "scratch", "residual", {"width": 32, "blocks": [1, 2, 2, 1], "standardise": "foreground", "dropout": 0.1}, 160,
    SCRATCH_SETTINGS,
    refining=replace(SCRATCH_SETTINGS, epochs=6, learning_rate=6e-4, mixup=0.0, ema=0.99, check_every=3,
                     sizes=((1.0, 160),)),
    seed=1,
)  # fmt: skip
TUNED = Member(
    "tuned", "efficientnet-lite0", {"standardise": "foreground", "dropout": 0.2}, 192,
    TrainSettings(
        epochs=12, batch=32, draws=7000, learning_rate=6e-4, weight_decay=0.02, policy=POLICY, keep="last", ema=0.998,
        check_every=2, sizes=((0.5, 144), (1.0, 192)),
    ),
)  # fmt: skip
MEMBERS = (SCRATCH, TUNED)
SOURCES = ("brain-mri-4class", "brain-mri-binary", "brain-mri-csv")
TYPES = ("glioma", "meningioma", "notumor", "pituitary")
PRESENCE = ("healthy", "tumor")
SOME_TUMOUR = (0, 1, 3)


def preparation(side: int) -> Preparation:
    """The head's box, stretched to a square."""
    return Preparation(side, "foreground", keep=0.55, margin=0.04, squash=True, low=0.5, high=99.5)


@dataclass(frozen=True, eq=False, slots=True)
class Truth:
    """What is known: type (n,) and presence (n,), -1 where unknown; strata (n,) drawn equally often."""

    type: NDArray[np.int64]
    presence: NDArray[np.int64]
    strata: NDArray[np.int64]


def truth_of(ground: Ground, rows: NDArray[np.int64]) -> Truth:
    """The type of a slice of the binary folder is known where a copy lies in the 4-class folder.

    Strata: 0, 1, 3 the tumour types, 2 and 7 two halves of the healthy groups, 4 tumours of unknown type,
    5 and 6 healthy and tumour of the CSV folder.
    """
    source, label, group = ground.source[rows], ground.label[rows], ground.group[rows]
    known = {group[i]: TYPES.index(label[i]) for i in np.flatnonzero(source == "brain-mri-4class")}
    presence = np.array([int(word not in ("healthy", "notumor")) for word in label], np.int64)
    kinds, strata = np.full(len(rows), -1, np.int64), np.zeros(len(rows), np.int64)
    for i, tumour in enumerate(presence):
        kind = known.get(group[i], -1)
        if source[i] == "brain-mri-csv":
            strata[i] = 5 + tumour
        elif not tumour:
            kinds[i], strata[i] = 2, 2 if group[i] % 2 else 7
        elif kind in SOME_TUMOUR:
            kinds[i] = strata[i] = kind
        else:
            strata[i] = 4
    return Truth(kinds, presence, strata)


def training_data(ground: Ground, rows: NDArray[np.int64], pixels: NDArray[np.uint8]) -> TrainingData:
    """Targets of both heads; parts as drawn."""
    truth = truth_of(ground, rows)
    targets = np.zeros((len(rows), 6), np.float32)
    targets[np.arange(len(rows)), 4 + truth.presence] = 1.0
    sure = truth.type >= 0
    targets[sure, truth.type[sure]] = 1.0
    partial = ~sure & (ground.source[rows] == "brain-mri-binary")
    targets[np.ix_(partial, SOME_TUMOUR)] = 1.0
    part = ground.part[rows]
    heads = (Head("type", TYPES), Head("presence", PRESENCE))
    return TrainingData(
        pixels, targets, ground.group[rows], truth.strata, np.flatnonzero(part == "train"),
        np.flatnonzero(part == "tune"), heads,
    )  # fmt: skip


def make(data: Path, out: Path, member: Member) -> None:
    """Train one member's trunk and write one folder a task: parts, weights, logits of the held-out parts."""
    torch.set_num_threads(2)
    cv2.setNumThreads(1)
    ground, out = read_ground(data), out / member.folder
    rows = ground.rows(*SOURCES)
    pixels = prepared([ground.films[i] for i in rows], preparation(member.side))
    torch.manual_seed(member.seed)
    trunk = build(member.name, {"classes": 6, **member.config})
    known = training_data(ground, rows, pixels)
    first = known if member.refining else healthy_twice(known)
    attempt = Attempt(out / "brain-trunk", member.seed)
    results = [train(trunk, first, member.settings, attempt, ears=Ears(show))]
    if member.refining:
        attempt = Attempt(out / "brain-trunk" / "refined", member.seed + 100)
        results.append(train(results[0].network, healthy_twice(known), member.refining, attempt, ears=Ears(show)))
    hand_over(results[-1].network, (member, notes_of(member, results, trunk)), (ground, rows, pixels), out)


def healthy_twice(data: TrainingData) -> TrainingData:
    """Healthy slices of the CSV folder drawn twice as often, by two strata of them."""
    return replace(data, strata=np.where((data.strata == 5) & (data.groups % 2 == 1), 8, data.strata))


def hand_over(
    trunk: nn.Module, made_as: tuple[Member, dict[str, Any]],
    images: tuple[Ground, NDArray[np.int64], NDArray[np.uint8]], out: Path,
) -> None:  # fmt: skip
    """Each head with the trunk as a network of its own, in the folder of its task."""
    (member, notes), (ground, rows, pixels) = made_as, images
    truth = truth_of(ground, rows)
    tasks = (
        ("brain-tumor-mri", TYPES, [0, 1, 2, 3], truth.type, ("brain-mri-4class",)),
        ("brain-tumor-presence-mri", PRESENCE, [4, 5], truth.presence, ("brain-mri-binary", "brain-mri-csv")),
    )
    for task, classes, outputs, labels, sources in tasks:
        network = chosen_outputs(trunk, outputs).eval()
        config = {"classes": len(classes), **member.served()}
        save(out / task, network, Made(task, classes, config, preparation(member.side), notes, member.name))
        own = np.isin(ground.source[rows], sources)
        write_parts(ground, rows[own], out / task / "parts.csv")
        held = np.flatnonzero(own & np.isin(ground.part[rows], HELD_OUT))
        save_logits(out / task / "logits.npz", network, ground, rows[held], pixels[held], labels[held])
