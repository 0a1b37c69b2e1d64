"""Answers with their truth -> every figure by name, with its interval; the one list of what is reported.

Two rules hold throughout. A refused case is wrong in every figure about answers. It has no score, so figures about
scores (auroc, auprc, ece, brier, readings at a given sensitivity or specificity) are of the answered cases; where any
are refused, `auroc_refused_worst` gives them the worst score there is. Of fewer than 100 answered cases `ece` is NaN,
and so is `ece_if_calibrated` beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hilum.metrics import calibration, ranking
from hilum.metrics import classification as decisions
from hilum.metrics.answers import Answers
from hilum.metrics.certainty import READINGS, widened
from hilum.metrics.intervals import DRAWS, Interval, bootstrap_all

__all__ = ["Answers", "class_figures", "figure", "figures", "values"]

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]
Statistics = Callable[[Floats], dict[str, Floats]]

CHANCE = "ece_if_calibrated"
_RAISED_BY_NOISE = ("ece",)


def figures(
    answers: Answers, draws: int = DRAWS, seed: int = 0, names: tuple[str, ...] | None = None
) -> dict[str, Interval]:
    """All figures, or those of `names`, with their 95% intervals; docs/reference/metrics.md defines each."""

    def statistics(weights: Floats) -> dict[str, Floats]:
        found = values(answers, weights) if names is None else _some(answers, weights, names)
        return {name: each for name, each in found.items() if names is None or name in names}

    found = _intervals(answers, statistics, draws, seed)
    return found | _chance(answers, seed) if "ece" in found and (names is None or CHANCE in names) else found


def _chance(answers: Answers, seed: int) -> dict[str, Interval]:
    """What stands beside `ece`; it is no statistic of the cases that were drawn, so it has draws of its own."""
    probabilities = answers.probabilities[answers.answered]
    told = len(probabilities) >= calibration.LEAST
    return {CHANCE: calibration.ece_if_calibrated(probabilities, seed=seed) if told else Interval(math.nan)}


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
    """The same as `values`, without the work that no name asks for."""
    found = _of_decisions(answers, weights)
    if set(names) <= set(found) or not answers.answered.any():
        return found
    found |= _areas(answers, weights[..., answers.answered])
    return found if set(names) <= set(found) else {**found, **_of_scores(answers, weights)}


def class_figures(
    answers: Answers, index: int, draws: int = DRAWS, seed: int = 0, *, with_scores: bool = True
) -> dict[str, Interval]:
    """The figures of one class against all others, with their intervals; areas only `with_scores`."""
    positives = answers.labels == index

    def statistics(weights: Floats) -> dict[str, Floats]:
        table = decisions.confusion(answers.predicted, answers.labels, answers.classes, weights)
        found = {
            "precision": decisions.precisions(table)[..., index],
            "sensitivity": decisions.recalls(table)[..., index],
            "recall": decisions.recalls(table)[..., index],
            "specificity": decisions.specificities(table)[..., index],
            "f1": decisions.f_scores(table, 1.0)[..., index],
        }
        rows = answers.answered
        if with_scores and rows.any():
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
    found = _areas(answers, kept)
    if answers.negative is not None and not rows.all():
        score, truth = np.full(rows.size, np.nan), answers.labels != answers.negative
        score[rows] = answers.presence()[0]
        score[~rows] = np.where(truth[~rows], -np.inf, np.inf)
        found["auroc_refused_worst"] = np.asarray(ranking.auroc(score, truth, weights))
    brier = np.asarray(calibration.brier(probabilities, labels, weights=kept))
    told = labels.size >= calibration.LEAST
    ece = calibration.ece(probabilities, labels, weights=kept) if told else np.full(brier.shape, np.nan)
    return found | {"brier": brier, "ece": np.asarray(ece)}


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
    return {name: widened(name, interval, answers, of_class) for name, interval in found.items()}
