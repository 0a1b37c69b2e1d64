"""A figure of exactly 0 or 1 -> an interval that still admits doubt; knows nothing of how the figure was computed.

Where no answer was wrong every bootstrap draw is the same, and its "interval" would be the figure itself. Forty right
of forty is no certainty: the bounds then come from Wilson's interval, counted in groups.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hilum.metrics.answers import Answers
from hilum.metrics.intervals import Interval, wilson

READINGS = (0.90, 0.95)
_PROPORTIONS = ("accuracy", "sensitivity", "recall", "specificity")
_UNIT = (
    "precision", "f0.5", "f1", "f2", "auroc", "auprc", "detection_auroc",
    *(f"{one}_at_{other}_{level:.2f}" for one, other in (("sensitivity", "specificity"), ("specificity", "sensitivity"))
      for level in READINGS),
)  # fmt: skip


def widened(name: str, interval: Interval, answers: Answers, of_class: int | None) -> Interval:
    """The interval, or where every draw is the same and the figure is 0 or 1, Wilson's over groups.

    `of_class`: the class whose figures these are; None for those of the whole task.
    """
    if interval.low != interval.high:
        return interval
    if name in _PROPORTIONS and len(np.unique(answers.groups[_denominator(name, answers, of_class)])) < 2:
        return Interval(interval.value)  # one patient: nothing is known of the spread
    if interval.value not in (0.0, 1.0):
        return interval
    if name.startswith(("ppv_", "npv_")):
        return _of_predictive_value(name, interval, answers)
    if name == "balanced_accuracy" or (name == "recall" and of_class is None and answers.positive is None):
        cases = [answers.labels == i for i in np.unique(answers.labels)]
    elif name in _PROPORTIONS:
        cases = [_denominator(name, answers, of_class)]
    elif name in _UNIT:
        cases = [_fewest(answers)]
    else:
        return interval
    each = [wilson(interval.value * n, n) for n in (len(np.unique(answers.groups[rows])) for rows in cases)]
    return Interval(
        interval.value, math.fsum(w.low for w in each) / len(each), math.fsum(w.high for w in each) / len(each)
    )


def _of_predictive_value(name: str, interval: Interval, answers: Answers) -> Interval:
    """A predictive value of 1 or 0: Bayes with Wilson's bound of the one share that was never met.

    At 1 that is the share of false answers, at 0 that of right ones.
    """
    diseased = answers.labels != answers.negative
    right_kind = diseased if name.startswith("ppv") else ~diseased
    answered_so = answers.answered & ((answers.predicted != answers.negative) == name.startswith("ppv"))
    prevalence = float(name.rpartition("_")[2])
    share = prevalence if name.startswith("ppv") else 1 - prevalence
    unmet, met = (~right_kind, right_kind) if interval.value == 1.0 else (right_kind, ~right_kind)
    groups = len(np.unique(answers.groups[unmet]))
    if not groups or not answered_so[met].any():
        return interval
    bound, known = wilson(0, groups).high, float(answered_so[met].mean())
    right, wrong = (known, bound) if interval.value == 1.0 else (bound, known)
    end = right * share / (right * share + wrong * (1 - share))
    return Interval(interval.value, min(end, interval.value), max(end, interval.value))


def _fewest(answers: Answers) -> NDArray[np.bool_]:
    """(N,) the cases of the class with the fewest groups."""
    members = [answers.labels == i for i in np.unique(answers.labels)]
    return min(members, key=lambda rows: len(np.unique(answers.groups[rows])))


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
