"""What a classifier answered for N cases, beside the truth: the value every figure is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.metrics.classification import REFUSED

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Answers:
    """What was answered for N cases of C classes, and what is true."""

    probabilities: Floats  # (N, C); the row of a refused case is not looked at
    predicted: Integers  # (N,) class, or -1 = refused
    labels: Integers  # (N,) class
    groups: Integers  # (N,) cases of one patient, or copies of one image, share a number
    negative: int | None = None  # the class that means absence of disease
    prevalences: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError where lengths, classes or probabilities do not fit."""
        n, classes = self.probabilities.shape
        if not n == len(self.predicted) == len(self.labels) == len(self.groups):
            raise ValueError("probabilities, predicted, labels and groups must have one row a case")
        if n and not (self.labels.min() >= 0 and self.labels.max() < classes and self.predicted.max() < classes):
            raise ValueError(f"labels must be in [0, {classes}) and predictions in [-1, {classes})")
        if np.isnan(self.probabilities[self.answered]).any():
            raise ValueError("an answered case has no probability")

    @property
    def answered(self) -> NDArray[np.bool_]:
        """(N,) which cases were not refused."""
        return np.not_equal(self.predicted, REFUSED)

    @property
    def classes(self) -> int:
        """How many classes the task has."""
        return int(self.probabilities.shape[1])

    @property
    def positive(self) -> int | None:
        """The one class that is not the negative one, where there are two."""
        return 1 - self.negative if self.classes == 2 and self.negative is not None else None

    def taken(self, rows: NDArray[np.bool_] | Integers) -> Answers:
        """The same of some rows."""
        return Answers(
            self.probabilities[rows], self.predicted[rows], self.labels[rows], self.groups[rows], self.negative,
            self.prevalences,
        )  # fmt: skip

    def presence(self) -> tuple[Floats, NDArray[np.bool_]]:
        """Score (A,) and truth (A,) of "any positive class", over the answered cases; needs a negative class."""
        rows = self.answered
        return 1.0 - self.probabilities[rows, self.negative], self.labels[rows] != self.negative
