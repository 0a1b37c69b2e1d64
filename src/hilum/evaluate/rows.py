"""What was predicted for each case, beside the truth and what is known of the case; knows no figure and no file."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hilum.metrics.classification import REFUSED
from hilum.metrics.figures import Answers
from hilum.metrics.intervals import Interval
from hilum.task import Task


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """N cases of a task with C classes, in one order throughout.

    A refused case has `predicted` -1, its codes in `reasons`, and any probabilities (they are not looked at).
    """

    ids: tuple[str, ...]  # what names the case to a reader: a path, a row
    labels: NDArray[np.integer]  # (N,) the truth, index of the class
    groups: NDArray[np.integer]  # (N,) cases of one patient, or copies of one image, share a number
    probabilities: NDArray[np.float64]  # (N, C)
    predicted: NDArray[np.integer]  # (N,) at the operating point; -1 = refused
    reasons: tuple[tuple[str, ...], ...] = ()  # (N,) gate codes, () = answered
    subgroups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # facet -> (N,) value; "" = not known
    copied: NDArray[np.bool_] | None = None  # (N,) whether a training image of the model is a copy; None = not looked
    sets: NDArray[np.bool_] | None = None  # (N, C) the conformal sets
    baselines: Mapping[str, NDArray[np.integer]] = field(default_factory=dict)  # trivial classifier -> (N,) its answers

    def __post_init__(self) -> None:
        """Raise ValueError where a column does not have one entry a case."""
        n = len(self.ids)
        columns: dict[str, Sized | None] = {
            "reasons": self.reasons or self.ids,
            "copied": self.copied,
            "sets": self.sets,
        }
        columns |= {f"subgroup {name}": column for name, column in self.subgroups.items()}
        columns |= {f"baseline {name}": column for name, column in self.baselines.items()}
        columns |= {"labels": self.labels}
        wrong = [name for name, column in columns.items() if column is not None and len(column) != n]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: must have one entry for each of the {n} cases")

    @property
    def refused(self) -> NDArray[np.bool_]:
        """(N,) which cases were refused."""
        return np.asarray(self.predicted == REFUSED, dtype=bool)

    def answers(self, task: Task) -> Answers:
        """The same as the metrics room takes it."""
        return Answers(self.probabilities, self.predicted, self.labels, self.groups, task.negative, task.prevalences)

    def given_by(self, name: str, task: Task) -> Answers:
        """The answers of a trivial classifier: classes only, so its probabilities are 0 and 1."""
        answered = np.asarray(self.baselines[name])
        certain = np.eye(len(task.classes))[np.maximum(answered, 0)]
        return Answers(certain, answered, self.labels, self.groups, task.negative, task.prevalences)


@dataclass(frozen=True, slots=True)
class Setting:
    """Under what circumstances the cases were answered; all of it is printed beside the figures."""

    source: str  # what was evaluated, as the user named it
    model: Mapping[str, str] = field(default_factory=dict)  # name, version, digest
    operating_point: str = "balanced"
    prevalence: float | tuple[float, ...] | None = None  # as the user gave it; None = the package's own
    threshold: float | None = None  # on the summed probability of the positive classes; None = the most probable class
    points: Mapping[str, float] = field(
        default_factory=dict
    )  # the model's named operating points that have a threshold
    baseline: Mapping[str, Interval] = field(default_factory=dict)  # accuracy of a trivial classifier, known elsewhere
    cues: Mapping[str, float] = field(
        default_factory=dict
    )  # AUROC with which a mere property of the file tells the class
    marks: tuple[str, ...] = ()  # sentences that must stand beside every figure, such as a split that was kept
    unreadable: tuple[tuple[str, str], ...] = ()  # file, reason
    draws: int = 2000
    seed: int = 0
