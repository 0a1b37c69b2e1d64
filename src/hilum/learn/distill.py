"""Several trained networks -> one small network that answers like their mean (Hinton 2015, arXiv 1503.02531).

The teachers' answers to each training image and, where the task allows, to its mirror image are taken once and become
soft targets beside the label, so that the student needs no teacher while it learns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from torch import nn

from hilum.learn.batches import blocks
from hilum.learn.fitting import Cases, fit_network, training_data
from hilum.learn.plan import Plan
from hilum.learn.train import TrainedNetwork, logits
from hilum.learn.watch import SILENT, Ears
from hilum.task import Task


@dataclass(frozen=True, slots=True)
class Softness:
    """temperature: divides the teachers' logits. share: of their answer in the target; the rest is the label."""

    temperature: float = 2.0
    share: float = 0.7


USUAL = Softness()


def distill(
    plan: Plan, cases: Cases, task: Task, teachers: Sequence[nn.Module], folder: Path, *, ears: Ears = SILENT
) -> TrainedNetwork:
    """Train the plan's network on soft targets; the tune part keeps its labels."""
    data = training_data(plan, cases, task)
    targets = data.targets.copy()
    for rows in blocks(cases.train):
        targets[rows] = soft_targets(teachers, data.pixels[rows], cases.labels[rows], flip=task.flip_horizontal)
    return fit_network(plan, cases, task, folder, ears=ears, data=replace(data, targets=targets))


def soft_targets(
    teachers: Sequence[nn.Module],
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64],
    *,
    flip: bool,
    softness: Softness = USUAL,
) -> NDArray[np.float32]:
    """(N, 1, S, S) uint8 and (N,) labels -> (N, C) float32 targets, rows sum to 1."""
    views = [pixels, np.ascontiguousarray(pixels[..., ::-1])] if flip else [pixels]
    said = np.mean([logits(teacher, view) for teacher in teachers for view in views], axis=0, dtype=np.float64)
    hard = np.eye(said.shape[1])[labels]
    mixed = softness.share * softmax(said / softness.temperature, axis=1) + (1 - softness.share) * hard
    targets: NDArray[np.float32] = mixed.astype(np.float32)
    return targets
