"""Frames of a task's images -> `admission.onnx`: a small network that knows the task's kind of image, with thresholds.

Works for any task: what is not of its kind is made (outliers, spoiled) and, where the caller has them, taken from other
tasks' sets. Knows no class of the task. Thresholds are set on groups that the network never saw, each image in several
views, so that the worst source loses at most the budget at each fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import nn

from hilum.errors import DataError
from hilum.gate.admission import FAULTS, Thresholds, preparation_of
from hilum.image.image import Image
from hilum.image.prepare import padded
from hilum.learn.admission_network import AdmissionNetwork, to_onnx
from hilum.learn.spoiled import make_outlier
from hilum.learn.views import MILD, WIDE, plain, view
from hilum.task import Task

FRAME = 128  # pixels of a frame's side
TOLD_EVERY = 10  # steps


@dataclass(frozen=True, eq=False)
class Material:
    """What the admission network learns from.

    good: (N, 128, 128) uint8, the task's own training images as `frame` makes them.
    groups: (N,) int, images of one patient or copies of one another share a number.
    sources: (N,) int, where each came from; no source may lose more good images than the budget.
    others: (M, 128, 128) uint8, images of other tasks; M may be 0.
    """

    good: NDArray[np.uint8]
    groups: NDArray[np.int64]
    sources: NDArray[np.int64]
    others: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.good.ndim != 3 or self.good.shape[1:] != (FRAME, FRAME):
            raise ValueError(f"good must be (N, {FRAME}, {FRAME}), not {self.good.shape}")
        if not len(self.good) == len(self.groups) == len(self.sources):
            raise ValueError("good, groups and sources must be of one length")


@dataclass(frozen=True)
class AdmissionSettings:
    """How it is trained.

    steps, batch, rate: of AdamW with a one-cycle schedule. pool: made outliers to draw from.
    aside: share of the groups kept for the thresholds. views: stressed views of each of them besides the plain one.
    budget, stressed: greatest share of good images, and of stressed views of them, that one fault may cost on the worst
        source.
    strictest: log-odds above which no threshold is set, however well the good images are known.
    """

    steps: int = 1500
    batch: int = 96
    rate: float = 5e-3
    pool: int = 5000
    aside: float = 0.2
    views: int = 3
    budget: float = 0.004
    stressed: float = 0.012
    strictest: float = 0.0
    seed: int = 0


def frame(image: Image, task: Task) -> NDArray[np.uint8]:
    """The whole image at (128, 128) uint8 for `Material`: squashed, or with black beside it, as the task asks."""
    pixels = image.pixels
    if not preparation_of(task).squash:
        pixels = padded(pixels)
    how = cv2.INTER_AREA if min(pixels.shape) >= FRAME else cv2.INTER_LINEAR
    small = cv2.resize(np.ascontiguousarray(pixels), (FRAME, FRAME), interpolation=how)
    return np.asarray(np.rint(np.clip(small, 0, 1) * 255), dtype=np.uint8)


def train_admission(
    material: Material, task: Task, settings: AdmissionSettings | None = None, told: Callable[[int], None] | None = None
) -> bytes:
    """Train on one thread-set of the caller's choosing; returns the bytes of `admission.onnx`.

    told: hears now and then how many of the steps are done.

    Raises:
        DataError: fewer than 40 groups, too few to set a threshold on.
    """
    settings = settings or AdmissionSettings()
    generator = np.random.default_rng(settings.seed)
    learn, aside = _apart(material, settings, generator)
    network = _fit(_Draw(material, learn, task, settings, generator), settings, told or (lambda _: None))
    thresholds = _thresholds(network, material, aside, task, settings)
    return to_onnx(network, thresholds)


def _apart(
    material: Material, settings: AdmissionSettings, generator: Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices to learn from and indices for the thresholds, no group in both."""
    groups = np.unique(material.groups)
    if groups.size < 40:
        raise DataError(
            f"{groups.size} groups of good images are too few for an admission network; it needs 40 or more"
        )
    kept = generator.permutation(groups)[: max(8, round(groups.size * settings.aside))]
    aside = np.isin(material.groups, kept)
    return np.flatnonzero(~aside), np.flatnonzero(aside)


class _Draw:
    """Batches of views with their targets: 0 good, 1 inverted, 2 rotated, 3 other."""

    def __init__(
        self,
        material: Material,
        learn: NDArray[np.int64],
        task: Task,
        settings: AdmissionSettings,
        generator: Generator,
    ) -> None:
        self.frames = material.good[learn]
        self.weights = _shares(material.groups[learn], material.sources[learn])
        self.generator, self.task, self.batch = generator, task, settings.batch
        self.preparation = preparation_of(task)
        self.outliers = np.stack([make_outlier(self.frames, generator) for _ in range(settings.pool)])
        self.others = material.others

    def __call__(self) -> tuple[torch.Tensor, torch.Tensor]:
        targets = self.generator.choice(4, size=self.batch, p=self._mix())
        picks = self.generator.choice(len(self.frames), size=self.batch, p=self.weights)
        views = [self._one(int(target), self.frames[pick]) for target, pick in zip(targets, picks, strict=True)]
        return torch.from_numpy(np.stack(views)[:, None]), torch.from_numpy(targets)

    def _mix(self) -> tuple[float, float, float, float]:
        return (0.45, 0.1, 0.0, 0.45) if self.task.flip_vertical else (0.38, 0.09, 0.2, 0.33)

    def _one(self, target: int, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if target == 3:
            taken = self.others if len(self.others) and self.generator.random() < 0.3 else self.outliers
            picture = taken[self.generator.integers(len(taken))]
            turned = np.rot90(picture, int(self.generator.integers(4)))
            reach = WIDE if self.generator.random() < 0.5 else MILD
            return view(np.ascontiguousarray(turned), self.preparation, self.generator, reach)
        if target == 2:
            picture = np.rot90(picture, int(self.generator.choice([1, 2, 3], p=[0.42, 0.16, 0.42])))
        if self.task.flip_horizontal and self.generator.random() < 0.5:
            picture = picture[:, ::-1]
        if self.task.flip_vertical and self.generator.random() < 0.5:
            picture = picture[::-1]
        seen = view(np.ascontiguousarray(picture), self.preparation, self.generator)
        return 255 - seen if target == 1 else seen


def _shares(groups: NDArray[np.int64], sources: NDArray[np.int64]) -> NDArray[np.float64]:
    """Chance of each image to be drawn: sources alike, groups of a source by the root of their size."""
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    weights = 1.0 / np.sqrt(counts[inverse])
    for source in np.unique(sources):
        inside = sources == source
        weights[inside] /= weights[inside].sum()
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _fit(draw: _Draw, settings: AdmissionSettings, told: Callable[[int], None]) -> AdmissionNetwork:
    torch.manual_seed(settings.seed)
    network = AdmissionNetwork()
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.rate, total_steps=settings.steps, pct_start=0.1)
    loss = nn.CrossEntropyLoss()
    network.train()
    for step in range(settings.steps):
        pixels, targets = draw()
        optimiser.zero_grad()
        loss(network(pixels.float()), targets).backward()
        optimiser.step()
        schedule.step()
        if (step + 1) % TOLD_EVERY == 0:
            told(step + 1)
    return network.eval()


def log_odds(network: AdmissionNetwork, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Views (N, 64, 64) uint8 -> (N, 3) log-odds of good against each of FAULTS."""
    parts = np.array_split(pixels[:, None], max(1, len(pixels) // 512))
    with torch.inference_mode():
        logits = np.concatenate([network(torch.from_numpy(part).float()).double().numpy() for part in parts])
    return np.asarray(logits[:, :1] - logits[:, 1:], dtype=np.float64)


def _thresholds(
    network: AdmissionNetwork, material: Material, aside: NDArray[np.int64], task: Task, settings: AdmissionSettings
) -> Thresholds:
    generator, preparation = np.random.default_rng(settings.seed + 1), preparation_of(task)
    least = np.full(len(FAULTS), settings.strictest)
    for source in np.unique(material.sources[aside]):
        frames = material.good[aside[material.sources[aside] == source]]
        plain_views = [plain(picture, preparation) for picture in frames]
        stressed = [view(picture, preparation, generator, MILD) for picture in frames for _ in range(settings.views)]
        for views, budget in ((plain_views, settings.budget), (stressed, settings.stressed)):
            found = np.quantile(log_odds(network, np.stack(views)), budget, axis=0, method="lower")
            least = np.minimum(least, found)
    rotated = -np.inf if task.flip_vertical else float(least[1])
    return Thresholds(inverted=float(least[0]), rotated=rotated, other=float(least[2]))
