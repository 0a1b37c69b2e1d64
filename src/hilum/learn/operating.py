"""Calibrated scores and a task's rules -> its operating points; knows no network.

A threshold stands on the log odds of "any class but the negative one" and is stored as a probability. It is put in the
middle between two neighbouring scores, so that a wide gap between the classes is not hugged from one side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp

from hilum.learn.scores import Scores, group_folds
from hilum.model.calibration import OperatingPoint
from hilum.task import OperatingRule, Task

CLEAR_GAIN = 0.005  # of balanced accuracy, in both halves, before a threshold replaces the most probable class
WIDEST = 30.0  # log odds beyond this are all alike in double precision


def operating_points(scores: Scores, task: Task) -> tuple[OperatingPoint, ...]:
    """One point for each rule of the task, in its order; `scores.logits` must be calibrated log probabilities.

    A rule with a target gets the threshold that reaches it on these scores by one standard error of its group count,
    at the least cost of the other figure; on no image is `screening` less sensitive than `balanced`, or `rule-in` less
    specific. Without a negative class all points take the most probable class, and say so.
    """
    if task.negative is None:
        note = "the task names no negative class: the most probable class is taken"
        return tuple(OperatingPoint(rule.name, None, note=note, rule=_MOST) for rule in task.operating_points)
    curve = _curve(scores, task.negative)
    balanced = _balanced(curve, scores, task)
    return tuple(_point(rule, scores, task, curve, balanced) for rule in task.operating_points)


@dataclass(frozen=True, eq=False, slots=True)
class _Curve:
    """Sensitivity and specificity, by weight, at each cut; cuts rise, so sensitivity falls."""

    cuts: NDArray[np.float64]  # (K,) log odds
    sensitivity: NDArray[np.float64]  # (K,)
    specificity: NDArray[np.float64]  # (K,)
    positives: int  # groups
    negatives: int

    def balanced(self) -> float:
        """The cut with the least worst error rate; in the middle of those that tie."""
        worst = np.maximum(1 - self.sensitivity, 1 - self.specificity)
        ties = np.flatnonzero(worst <= worst.min() + 1e-12)
        return float(self.cuts[ties[(ties.size - 1) // 2]])

    def for_sensitivity(self, target: float) -> float | None:
        """The highest cut that reaches the target; None where only "everyone is positive" does."""
        reached = np.flatnonzero(self.sensitivity >= _aim(target, self.positives) - 1e-12)
        return float(self.cuts[reached[-1]]) if reached[-1] > 0 else None

    def for_specificity(self, target: float) -> float | None:
        """The lowest cut that reaches the target; None where only "no one is positive" does."""
        reached = np.flatnonzero(self.specificity >= _aim(target, self.negatives) - 1e-12)
        return float(self.cuts[reached[0]]) if reached[0] < self.cuts.size - 1 else None


def _aim(target: float, groups: int) -> float:
    """One standard error above the target, since a threshold chosen on few groups does worse on the next ones."""
    error = float(np.sqrt(target * (1 - target) / max(groups, 1)))
    return min(target + error, 1.0)


def _curve(scores: Scores, negative: int) -> _Curve:
    odds = _log_odds(scores.logits, negative)
    positive = scores.labels != negative
    values = np.unique(odds)
    cuts = np.concatenate([[values[0] - 1.0], (values[:-1] + values[1:]) / 2, [values[-1] + 1.0]])
    return _Curve(
        cuts,
        _share_above(odds[positive], scores.weights[positive], cuts),
        1.0 - _share_above(odds[~positive], scores.weights[~positive], cuts),
        int(np.unique(scores.groups[positive]).size),
        int(np.unique(scores.groups[~positive]).size),
    )


def _log_odds(logits: NDArray[np.float64], negative: int) -> NDArray[np.float64]:
    others = logsumexp(np.delete(logits, negative, axis=1), axis=1)
    odds: NDArray[np.float64] = np.clip(others - logits[:, negative], -WIDEST, WIDEST)
    return odds


def _share_above(
    values: NDArray[np.float64], weights: NDArray[np.float64], cuts: NDArray[np.float64]
) -> NDArray[np.float64]:
    order = np.argsort(values)
    below = np.concatenate([[0.0], np.cumsum(weights[order])])
    share: NDArray[np.float64] = 1.0 - below[np.searchsorted(values[order], cuts)] / below[-1]
    return share


@dataclass(frozen=True, slots=True)
class _Balanced:
    """What `balanced` does, and how far the other points may go without doing worse than it.

    cut: None takes the most probable class. most: the highest cut of a point for sensitivity, least: the lowest of one
    for specificity; `above` and `below` are their words.
    """

    cut: float | None
    most: float
    least: float
    above: str
    below: str
    said: str


def _balanced(curve: _Curve, scores: Scores, task: Task) -> _Balanced:
    """The most probable class is never a disease below even odds, and always one from C - 1 to one."""
    if len(task.classes) == 2 or _threshold_helps(scores, task):
        cut = curve.balanced()
        return _Balanced(cut, cut, cut, BOUND, BOUND, _LEAST_WORST)
    sure = float(np.log(len(task.classes) - 1))
    above = "one half, below which no disease is the most probable class"
    below = f"{expit(sure):.2g}, from which a disease is always the most probable class"
    return _Balanced(None, 0.0, sure, above, below, f"{_MOST}; {_NO_HELP}")


def _point(rule: OperatingRule, scores: Scores, task: Task, curve: _Curve, balanced: _Balanced) -> OperatingPoint:
    cut, note, said = balanced.cut, "", balanced.said
    if rule.sensitivity is not None:
        reached = curve.for_sensitivity(rule.sensitivity)
        target = f"the highest threshold that reaches sensitivity {rule.sensitivity:.0%}"
        said = f"{target}{_TO_SPARE}, but none above {balanced.above}"
        cut, note = (cut, _OUT_OF_REACH) if reached is None else (min(reached, balanced.most), "")
    elif rule.specificity is not None:
        reached = curve.for_specificity(rule.specificity)
        target = f"the lowest threshold that reaches specificity {rule.specificity:.0%}"
        said = f"{target}{_TO_SPARE}, but none below {balanced.below}"
        cut, note = (cut, _OUT_OF_REACH) if reached is None else (max(reached, balanced.least), "")
    sensitivity, specificity = _achieved(scores, task, cut)
    threshold = None if cut is None else float(expit(cut))
    return OperatingPoint(rule.name, threshold, sensitivity, specificity, curve.positives, curve.negatives, note, said)


_MOST = "the most probable class"
_NO_HELP = "a threshold of its own did not help on cases that it was not chosen on"
_LEAST_WORST = (
    "the threshold with the least worst error rate: the larger of the share missed and the share of false alarms"
)
_TO_SPARE = " with one standard error to spare"  # of the number of groups
BOUND = "the one with the least worst error rate"
_OUT_OF_REACH = "the target could not be reached on the calibration cases: it answers as the balanced point"


def _decided(scores: Scores, negative: int, cut: float | None) -> NDArray[np.int64]:
    most: NDArray[np.int64] = scores.logits.argmax(axis=1)
    if cut is None:
        return most
    others = scores.logits.copy()
    others[:, negative] = -np.inf
    called = _log_odds(scores.logits, negative) >= cut
    decided: NDArray[np.int64] = np.where(called, others.argmax(axis=1), negative)
    return decided


def _achieved(scores: Scores, task: Task, cut: float | None) -> tuple[float, float]:
    assert task.negative is not None
    called = _decided(scores, task.negative, cut) != task.negative
    positive = scores.labels != task.negative
    return (
        float(np.average(called[positive], weights=scores.weights[positive])),
        float(np.average(~called[~positive], weights=scores.weights[~positive])),
    )


def _threshold_helps(scores: Scores, task: Task) -> bool:
    """Whether a threshold chosen on one half of the groups beats the most probable class on the other, both ways."""
    assert task.negative is not None
    half = group_folds(scores.groups, 2)
    gains = []
    for side in (0, 1):
        chosen, judged = scores.rows(half == side), scores.rows(half != side)
        kinds = np.unique(chosen.labels), np.unique(judged.labels)
        if min(kinds[0].size, kinds[1].size) < len(task.classes):
            return False
        cut = _curve(chosen, task.negative).balanced()
        with_cut = _balanced_accuracy(judged, _decided(judged, task.negative, cut))
        gains.append(with_cut - _balanced_accuracy(judged, _decided(judged, task.negative, None)))
    return min(gains) >= CLEAR_GAIN


def _balanced_accuracy(scores: Scores, decided: NDArray[np.int64]) -> float:
    right = decided == scores.labels
    recalls = [
        np.average(right[scores.labels == c], weights=scores.weights[scores.labels == c])
        for c in np.unique(scores.labels)
    ]
    return float(np.mean(recalls))
