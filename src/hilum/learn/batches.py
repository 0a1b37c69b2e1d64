"""Prepared images with labels and groups -> the order in which an epoch draws them; knows no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset

Ints = NDArray[np.int64]
AT_ONCE = 4096  # images, a multiple of every batch


@dataclass(frozen=True, slots=True)
class Head:
    """One question asked of the shared trunk: its classes are neighbouring columns of the targets."""

    name: str
    classes: tuple[str, ...]
    weight: float = 1.0


@dataclass(frozen=True, eq=False, slots=True)
class TrainingData:
    """Everything training may see.

    pixels: (N, 1, S, S) uint8, prepared images; a memory-mapped array will do.
    targets: (N, K) float32, K = outputs of all heads side by side. Within a head a row that sums to 0 is unknown,
        to 1 a (soft) label, to more than 1 a set: the truth is one of these classes.
    groups: (N,) copies and patients share a number.
    strata: (N,) drawn equally often: the class, or class and source.
    train, tune: (n,) and (m,) indices of the two parts.
    """

    pixels: NDArray[np.uint8]
    targets: NDArray[np.float32]
    groups: Ints
    strata: Ints
    train: Ints
    tune: Ints
    heads: tuple[Head, ...]

    def __post_init__(self) -> None:
        count = len(self.pixels)
        if not len(self.targets) == len(self.groups) == len(self.strata) == count:
            raise ValueError("pixels, targets, groups and strata must have one row per image")
        if self.targets.shape[1] != sum(len(head.classes) for head in self.heads):
            raise ValueError("targets need one column for each class of each head")
        if np.intersect1d(self.groups[self.train], self.groups[self.tune]).size:
            raise ValueError("a group lies in both train and tune: the score would be of known images")

    @classmethod
    def simple(
        cls,
        pixels: NDArray[np.uint8],
        labels: Ints,
        groups: Ints,
        parts: tuple[Ints, Ints],
        classes: tuple[str, ...],
    ) -> TrainingData:
        """One head with hard labels (N,) int; `parts` = (train, tune) indices."""
        targets = np.eye(len(classes), dtype=np.float32)[labels]
        return cls(pixels, targets, groups, labels.astype(np.int64), *parts, (Head("class", classes),))


def order(data: TrainingData, *, sampling: str, balance: bool, draws: int | None, seed: int) -> Ints:
    """The images of one epoch, (n,) indices, shuffled; the same for the same seed.

    sampling: "group" draws one random member of each group, "image" each image.
    balance: every stratum gives the same number of draws; small ones repeat in fresh random order.
    draws: length of the epoch; None = as many as there are groups (or images).
    """
    random = np.random.default_rng(seed)
    chosen = random.permutation(data.train)
    if sampling == "group":
        keys = np.stack([data.groups[chosen], data.strata[chosen]])
        chosen = chosen[np.sort(np.unique(keys, axis=1, return_index=True)[1])]
    wanted = draws or len(chosen)
    strata = data.strata[chosen] if balance else np.zeros(len(chosen), np.int64)
    names = np.unique(strata)
    parts = []
    for rank, name in enumerate(names):
        members = chosen[strata == name]
        share = wanted // len(names) + (rank < wanted % len(names))
        rounds = [members, *(random.permutation(members) for _ in range(share // len(members)))]
        parts.append(np.concatenate(rounds)[:share])
    return random.permutation(np.concatenate(parts))


def blocks(rows: Ints) -> list[Ints]:
    """The rows in their order, no more at a time than may lie in memory at once: prepared images are on the disk."""
    return np.split(rows, range(AT_ONCE, len(rows), AT_ONCE))


class Batches(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Batches (pixels (B, 1, S, S) uint8, targets (B, K) float32) of the epoch that `indices` gives."""

    def __init__(self, data: TrainingData, indices: Callable[[], Ints], batch: int, *, whole: bool) -> None:
        self.data, self.indices, self.batch, self.whole = data, indices, batch, whole

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        indices = self.indices()
        stop = len(indices) - len(indices) % self.batch if self.whole and len(indices) >= self.batch else len(indices)
        for start in range(0, stop, self.batch):
            rows = indices[start : min(start + self.batch, stop)]
            yield torch.from_numpy(self.data.pixels[rows]), torch.from_numpy(self.data.targets[rows])
