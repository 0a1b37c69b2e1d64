"""A plan and prepared cases -> one trained network: the step that training, tuning, comparing and folds share.

Knows no file format, no calibration and no package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hilum.image.prepare import Preparation
from hilum.learn.batches import TrainingData
from hilum.learn.networks import build
from hilum.learn.plan import Plan
from hilum.learn.selection import selector
from hilum.learn.train import Attempt, TrainedNetwork, train
from hilum.learn.watch import SILENT, Ears
from hilum.task import Task

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Cases:
    """The images that training may see, and nothing of the locked test.

    pixels: a preparation -> (N, 1, S, S) uint8 of all N cases, in order.
    labels: (N,) class indices. groups: (N,) equal for images that belong together.
    train, tune: indices of the two parts; no group lies in both.
    """

    pixels: Callable[[Preparation], NDArray[np.uint8]]
    labels: Ints
    groups: Ints
    train: Ints
    tune: Ints

    def with_parts(self, train: Ints, tune: Ints) -> Cases:
        """The same cases divided otherwise."""
        return replace(self, train=train, tune=tune)


def training_data(plan: Plan, cases: Cases, task: Task) -> TrainingData:
    """Hard labels and one head: what the loop reads."""
    pixels = cases.pixels(plan.preparation())
    return TrainingData.simple(pixels, cases.labels, cases.groups, (cases.train, cases.tune), task.classes)


def fit_network(
    plan: Plan, cases: Cases, task: Task, folder: Path, *, ears: Ears = SILENT, data: TrainingData | None = None
) -> TrainedNetwork:
    """Train the plan's network; the epoch kept is the best by the task's `select_by` on the tune part.

    folder keeps the checkpoint from which a killed run goes on. data: other targets than the cases' labels.

    Raises:
        TrainingError: the run failed.
    """
    torch.manual_seed(plan.seed)
    network = build(plan.network, plan.network_config(len(task.classes)))
    return train(
        network,
        training_data(plan, cases, task) if data is None else data,
        plan.settings(),
        Attempt(folder, plan.seed),
        score=selector(task),
        ears=ears,
    )
