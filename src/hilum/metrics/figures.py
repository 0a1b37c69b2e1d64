"""Answers with their truth -> every figure by name, with its interval; the one list of what is reported.

Two rules hold throughout. A refused case is wrong in every figure about answers. It has no score, so figures about
scores (auroc, auprc, ece, brier, readings at a given sensitivity or specificity) are of the answered cases; where any
are refused, `auroc_refused_worst` gives them the worst score there is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.metrics import calibration, ranking
from hilum.metrics import classification as decisions
from hilum.metrics.intervals import DRAWS, Interval, bootstrap_all, wilson

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]
Statistics = Callable[[Floats], dict[str, Floats]]

READINGS = (0.90, 0.95)
PROPORTIONS = ("accuracy", "sensitivity", "recall", "specificity")  # where Wilson stands in when all cases agree
_RAISED_BY_NOISE = ("ece",)


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
        return np.not_equal(self.predicted, decisions.REFUSED)

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


def figures(
    answers: Answers, draws: int = DRAWS, seed: int = 0, names: tuple[str, ...] | None = None
) -> dict[str, Interval]:
    """All figures, or those of `names`, with their 95% intervals; docs/reference/metrics.md defines each."""

    def statistics(weights: Floats) -> dict[str, Floats]:
        found = values(answers, weights) if names is None else _some(answers, weights, names)
        return {name: each for name, each in found.items() if names is None or name in names}

    return _intervals(answers, statistics, draws, seed)


def figure(name: str, answers: Answers) -> float:
    """One figure without an interval: what early stopping, tuning and comparing optimise.

    Raises:
        ValueError: no figure of that name.
    """
    found = {**_of_decisions(answers, None), **_of_scores(answers, None)}
    if name not in found:
        raise ValueError(f"no figure '{name}'; there are: {', '.join(sorted(found))}")
    return float(found[name])


def values(answers: Answers, weights: Floats | None) -> dict[str, Floats]:
    """All figures, (D,) each, for weights (D, N); plain where weights is None."""
    return {**_of_decisions(answers, weights), **_of_scores(answers, weights)}


def _some(answers: Answers, weights: Floats, names: tuple[str, ...]) -> dict[str, Floats]:
    """The same as `values`, without the sorting of scores where no figure asks for it."""
    found = _of_decisions(answers, weights)
    return found if set(names) <= set(found) else {**found, **_of_scores(answers, weights)}


def class_figures(answers: Answers, index: int, draws: int = DRAWS, seed: int = 0) -> dict[str, Interval]:
    """The figures of one class against all others, with their intervals."""
    positives = answers.labels == index

    def statistics(weights: Floats) -> dict[str, Floats]:
        table = decisions.confusion(answers.predicted, answers.labels, answers.classes, weights)
        found = {
            "precision": decisions.precisions(table)[..., index],
            "recall": decisions.recalls(table)[..., index],
            "specificity": decisions.specificities(table)[..., index],
            "f1": decisions.f_scores(table, 1.0)[..., index],
        }
        rows = answers.answered
        if rows.any():
            ranked = ranking.rank(answers.probabilities[rows, index], positives[rows], weights[:, rows])
            found |= {"auroc": ranking.area_under_roc(ranked), "auprc": ranking.area_under_pr(ranked)}
        return found

    return _intervals(answers, statistics, draws, seed, of_class=index)


def _of_decisions(answers: Answers, weights: Floats | None) -> dict[str, Floats]:
    table = decisions.confusion(answers.predicted, answers.labels, answers.classes, weights)
    recalls = decisions.recalls(table)
    right = np.trace(table[..., :-1], axis1=-2, axis2=-1)

    def of_task(each: Floats) -> Floats:
        return decisions.macro(each) if answers.positive is None else np.asarray(each[..., answers.positive])

    found = {
        "accuracy": ranking.divide(right, table.sum(axis=(-1, -2))),
        "balanced_accuracy": decisions.macro(recalls),
        "precision": of_task(decisions.precisions(table)),
        "recall": of_task(recalls),
        "f0.5": of_task(decisions.f_scores(table, 0.5)),
        "f1": of_task(decisions.f_scores(table, 1.0)),
        "f2": of_task(decisions.f_scores(table, 2.0)),
    }
    if answers.negative is None:
        return found | {"sensitivity": found["recall"], "specificity": decisions.macro(decisions.specificities(table))}
    two_way = decisions.detection(table, answers.negative)
    found |= {"sensitivity": decisions.recalls(two_way)[..., 1], "specificity": decisions.recalls(two_way)[..., 0]}
    for prevalence in answers.prevalences:
        found[f"ppv_at_prevalence_{prevalence:g}"] = decisions.ppv(two_way, prevalence)
        found[f"npv_at_prevalence_{prevalence:g}"] = decisions.npv(two_way, prevalence)
    return found


def _of_scores(answers: Answers, weights: Floats | None) -> dict[str, Floats]:
    rows = answers.answered
    if not rows.any():
        return {}
    probabilities, labels = answers.probabilities[rows], answers.labels[rows]
    kept = None if weights is None else weights[..., rows]
    found = {
        **_areas(answers, kept),
        "ece": np.asarray(calibration.ece(probabilities, labels, weights=kept)),
        "brier": np.asarray(calibration.brier(probabilities, labels, weights=kept)),
    }
    if answers.negative is not None and not rows.all():
        score, truth = np.full(rows.size, np.nan), answers.labels != answers.negative
        score[rows] = answers.presence()[0]
        score[~rows] = np.where(truth[~rows], -np.inf, np.inf)
        found["auroc_refused_worst"] = np.asarray(ranking.auroc(score, truth, weights))
    return found


def _areas(answers: Answers, kept: Floats | None) -> dict[str, Floats]:
    """Areas and readings of the answered cases; `kept` are their weights."""
    rows = answers.answered
    found: dict[str, Floats] = {}
    if answers.positive is None:
        ranked = [
            ranking.rank(answers.probabilities[rows, i], answers.labels[rows] == i, kept)
            for i in range(answers.classes)
        ]
        found["auroc"] = decisions.macro(np.stack([ranking.area_under_roc(one) for one in ranked], axis=-1))
        found["auprc"] = decisions.macro(np.stack([ranking.area_under_pr(one) for one in ranked], axis=-1))
    if answers.negative is None:
        return found
    presence = ranking.rank(*answers.presence(), kept)
    if answers.positive is None:
        found["detection_auroc"] = ranking.area_under_roc(presence)
    else:
        found |= {"auroc": ranking.area_under_roc(presence), "auprc": ranking.area_under_pr(presence)}
    for level in READINGS:
        found[f"sensitivity_at_specificity_{level:.2f}"] = ranking.sensitivity_at(presence, level)
        found[f"specificity_at_sensitivity_{level:.2f}"] = ranking.specificity_at(presence, level)
    return found


def _intervals(
    answers: Answers, statistics: Statistics, draws: int, seed: int, of_class: int | None = None
) -> dict[str, Interval]:
    found = bootstrap_all(statistics, answers.groups, draws, seed, recentre=_RAISED_BY_NOISE)
    return {name: _widened(name, interval, answers, of_class) for name, interval in found.items()}


def _widened(name: str, interval: Interval, answers: Answers, of_class: int | None) -> Interval:
    """Wilson's interval over groups for a proportion of 0 or 1, where every draw is the same."""
    if interval.low != interval.high or interval.value not in (0.0, 1.0):
        return interval
    if name == "balanced_accuracy" or (name == "recall" and of_class is None and answers.positive is None):
        cases = [answers.labels == i for i in np.unique(answers.labels)]
    elif name in PROPORTIONS:
        cases = [_denominator(name, answers, of_class)]
    else:
        return interval
    each = [wilson(interval.value * n, n) for n in (len(np.unique(answers.groups[rows])) for rows in cases)]
    return Interval(
        interval.value, math.fsum(w.low for w in each) / len(each), math.fsum(w.high for w in each) / len(each)
    )


def _denominator(name: str, answers: Answers, of_class: int | None) -> NDArray[np.bool_]:
    """(N,) the cases that the proportion is a share of."""
    if name == "accuracy":
        return np.ones(len(answers.labels), dtype=bool)
    if of_class is not None:
        member = answers.labels == of_class
    elif answers.negative is not None:
        member = answers.labels != answers.negative
    else:
        return np.ones(len(answers.labels), dtype=bool)
    return np.asarray(~member if name == "specificity" else member)
