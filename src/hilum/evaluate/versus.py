"""Two models' rows on the same cases -> whether the one is better; knows no model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hilum.errors import DataError
from hilum.evaluate.evaluation import Evaluation
from hilum.evaluate.rows import Rows, Setting
from hilum.metrics.comparison import DeLong, McNemar, delong, mcnemar, paired_differences
from hilum.metrics.intervals import Interval
from hilum.task import Task

COMPARED = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "auroc", "ece", "brier")


@dataclass(frozen=True, slots=True)
class Versus:
    """First against second on the same cases; differences are first minus second."""

    other: Mapping[str, str]  # the second model: name, version, digest
    n: int
    mcnemar: McNemar
    differences: Mapping[str, Interval]
    other_copied: int  # images of which the second model learned from a copy: what it remembers
    delong: DeLong | None  # of the presence of disease, over the cases that both answered

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        test = self.mcnemar
        told: dict[str, Any] = {
            "model": dict(self.other),
            "n": self.n,
            "other_copied": self.other_copied,
            "differences": {name: interval.to_json() for name, interval in self.differences.items()},
            "mcnemar": {
                "only_this_right": test.only_first,
                "only_other_right": test.only_second,
                "p_exact": float(f"{test.p_exact:.6g}"),
                "p_mid": float(f"{test.p_mid:.6g}"),
            },
        }
        if self.delong:
            told["delong"] = {"difference": self.delong.difference.to_json(), "p": float(f"{self.delong.p:.6g}")}
        return told


def compare(first: Rows, second: Rows, task: Task, setting: Setting) -> Versus:
    """McNemar on right and wrong (refused = wrong), the paired cluster bootstrap of each figure, and DeLong.

    `setting` is that of the second model. Groups are those of the first.

    Raises:
        DataError: the two are not about the same cases in the same order.
    """
    if first.ids != second.ids or not np.array_equal(first.labels, second.labels):
        raise DataError("a comparison needs both models' answers to the same cases, in the same order")
    one, other = first.answers(task), second.answers(task)
    return Versus(
        other=setting.model,
        n=len(first.ids),
        mcnemar=mcnemar(first.predicted == first.labels, second.predicted == second.labels),
        differences=paired_differences(one, other, COMPARED, setting.draws, setting.seed),
        other_copied=0 if second.copied is None else int(second.copied.sum()),
        delong=_delong(first, second, task),
    )


def with_versus(evaluation: Evaluation, versus: Versus) -> Evaluation:
    """The same evaluation with the comparison beside it."""
    return replace(evaluation, versus=versus.to_json())


def _delong(first: Rows, second: Rows, task: Task) -> DeLong | None:
    both = ~(first.refused | second.refused)
    truth = first.labels[both] != task.negative
    if task.negative is None or min(int(truth.sum()), int((~truth).sum())) < 2:
        return None
    scores = [1.0 - rows.probabilities[both, task.negative] for rows in (first, second)]
    found = delong(scores[0], scores[1], truth)
    told = found.difference.low != found.difference.high or found.difference.value == 0
    return found if told else None  # a gap without any variance: too few cases for the test
