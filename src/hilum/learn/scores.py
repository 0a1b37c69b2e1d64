"""Logits of held-out images with their labels and groups -> one checked value; knows no network and no metric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False, slots=True)
class Scores:
    """What a network said of images it was not trained on.

    logits: (N, C) float64, finite. labels: (N,) int64 in [0, C).
    groups: (N,) int64, equal for images that belong together (one patient, copies of one image).
    weights: (N,) float64 above 0; `make_scores` gives one over the size of the group, so that copies weigh as one.
    """

    logits: NDArray[np.float64]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    weights: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.logits.ndim != 2 or not np.isfinite(self.logits).all():
            raise ValueError("logits must be (N, C) and finite")
        if not self.labels.shape == self.groups.shape == self.weights.shape == self.logits.shape[:1]:
            raise ValueError("labels, groups and weights must have one entry for each row of logits")
        if self.labels.size and not 0 <= self.labels.min() <= self.labels.max() < self.logits.shape[1]:
            raise ValueError("labels must be column indices of logits")
        if self.weights.size and not self.weights.min() > 0:
            raise ValueError("weights must be above 0")

    def __len__(self) -> int:
        return int(self.labels.size)

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Scores:
        """The chosen images only."""
        return Scores(self.logits[chosen], self.labels[chosen], self.groups[chosen], self.weights[chosen])


def make_scores(logits: ArrayLike, labels: ArrayLike, groups: ArrayLike, weights: ArrayLike | None = None) -> Scores:
    """Scores from anything array-like; without `weights` each group weighs as one."""
    grouped = np.asarray(groups, dtype=np.int64)
    shares = group_shares(grouped) if weights is None else np.asarray(weights, dtype=np.float64)
    return Scores(np.asarray(logits, dtype=np.float64), np.asarray(labels, dtype=np.int64), grouped, shares)


def group_shares(groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N,) group numbers -> (N,) one over the size of each one's group."""
    _, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    shares: NDArray[np.float64] = 1.0 / sizes[inverse]
    return shares


def pool(first: Scores, second: Scores) -> Scores:
    """Both together, each with the total weight of `first`; equal group numbers stay one group."""
    scale = first.weights.sum() / second.weights.sum()
    return Scores(
        np.concatenate([first.logits, second.logits]),
        np.concatenate([first.labels, second.labels]),
        np.concatenate([first.groups, second.groups]),
        np.concatenate([first.weights, second.weights * scale]),
    )


def group_folds(groups: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """(N,) fold numbers in [0, count): whole groups, shuffled with a fixed seed, so the same input gives the same."""
    unique, inverse = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(0).permutation(unique.size)
    folds: NDArray[np.int64] = (order % count)[inverse]
    return folds
