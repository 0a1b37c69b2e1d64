"""A grouped k-fold -> k networks and a score for every case from a network that never saw it.

The networks can be averaged into one, which the out-of-fold scores calibrate, or teach one (distill.py), which is
calibrated on the part that it did not see. Knows no file format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from hilum.errors import DataError
from hilum.learn.batches import blocks
from hilum.learn.fitting import Cases, Ints, fit_network
from hilum.learn.networks.average import Average, average_of
from hilum.learn.plan import LARGEST_SEED, Plan
from hilum.learn.scores import Scores, group_folds, make_scores
from hilum.learn.train import TrainedNetwork, logits
from hilum.learn.watch import SILENT, Ears, one_of
from hilum.task import Task

TUNE_SHARE = 10  # one tenth of the kept groups stops early


@dataclass(frozen=True, eq=False, slots=True)
class Folded:
    """k trained networks and the out-of-fold scores of the cases, which `calibrate.fit` takes."""

    trained: tuple[TrainedNetwork, ...]
    scores: Scores

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """The k networks."""
        return tuple(each.network for each in self.trained)

    def average(self) -> Average:
        """All of them as one network: k times the size and the time."""
        return average_of(self.networks)


def train_folds(
    plan: Plan, cases: Cases, task: Task, folds: Sequence[tuple[Ints, Ints]], folder: Path, *, ears: Ears = SILENT
) -> Folded:
    """Train one network a fold; `folds` are (kept, held) indices into `cases`, as `data.split.folds` makes them.

    A finished fold is not trained again after a kill: its checkpoint goes on where it stopped.

    Raises:
        DataError: a group lies on both sides of a fold.
    """
    trained, found, held_cases = [], [], []
    for number, (kept, held) in enumerate(folds):
        if np.intersect1d(cases.groups[kept], cases.groups[held]).size:
            raise DataError(f"fold {number + 1}: a group lies on both sides")
        tune = group_folds(cases.groups[kept], TUNE_SHARE) == 0
        part = cases.with_parts(kept[~tune], kept[tune])
        seeded = replace(plan, seed=(plan.seed + number) % (LARGEST_SEED + 1))
        name = f"fold-{number + 1}"
        heard = one_of(ears, number, len(folds) + plan.distill, f"{name}/")
        result = fit_network(seeded, part, task, folder / name, ears=heard)
        trained.append(result)
        pixels = cases.pixels(plan.preparation())
        found += [logits(result.network, pixels[rows]) for rows in blocks(held)]
        held_cases.append(held)
    rows = np.concatenate(held_cases)
    return Folded(tuple(trained), make_scores(np.concatenate(found), cases.labels[rows], cases.groups[rows]))
