"""Rows of a task -> the charts of the report; refused cases have no score and are in none of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.evaluate.drawing import Axis, Bars, Chart, Dot, Line, Points
from hilum.evaluate.rows import Rows
from hilum.evaluate.words import percent
from hilum.metrics import calibration, ranking
from hilum.task import Task

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_MOST_POINTS = 300
_MOST_LINES = 6


def two_ways(rows: Rows, task: Task) -> list[tuple[str, Floats, Bools]]:
    """Each question the scores answer: name, score (A,), truth (A,), over the answered cases; undefined ones left out.

    Any disease first where the task has a negative class, then each class against the rest.
    """
    answered = ~rows.refused
    probabilities, labels = rows.probabilities[answered], rows.labels[answered]
    found: list[tuple[str, Floats, Bools]] = []
    if task.negative is not None:
        name = (
            next(label.title for label in task.labels if not label.negative) if len(task.labels) == 2 else "Any of them"
        )
        found.append((name, 1.0 - probabilities[:, task.negative], labels != task.negative))
    if len(task.labels) > 2 or task.negative is None:
        found += [
            (label.title, probabilities[:, i], labels == i) for i, label in enumerate(task.labels) if i != task.negative
        ]
    return [one for one in found if one[2].any() and not one[2].all()]


def drawn(rows: Rows, task: Task) -> list[tuple[str, Floats, Bools]]:
    """As many of them as colours can tell apart: of more classes those whose AUROC is least, in the task's order."""
    asked = two_ways(rows, task)
    kept = 0 if presence(rows, task) is None else 1  # any disease stays
    areas = [-1.0] * kept + [float(ranking.auroc(score, truth)) for _, score, truth in asked[kept:]]
    hardest = sorted(range(len(asked)), key=areas.__getitem__)[:_MOST_LINES]
    return [asked[i] for i in sorted(hardest)]


def presence(rows: Rows, task: Task) -> tuple[Floats, Bools] | None:
    """Score and truth of any disease over the answered cases; None without a negative class or cases of both kinds."""
    answered = ~rows.refused
    truth = rows.labels[answered] != task.negative
    if task.negative is None or truth.all() or not truth.any():
        return None
    return 1.0 - rows.probabilities[answered, task.negative], truth


def roc(rows: Rows, task: Task) -> Chart:
    """Sensitivity against false alarms; dots are the answers as given, at the operating point."""
    lines, dots = [Line("", ((0, 0), (1, 1)), style=0)], []
    for place, (name, score, truth) in enumerate(drawn(rows, task), 1):
        curve = ranking.roc_curve(score, truth)
        lines.append(Line(name, _thin(curve.x, curve.y), place))
    if task.negative is not None:
        answered, diseased = rows.predicted[~rows.refused], rows.labels[~rows.refused] != task.negative
        if diseased.any() and not diseased.all():
            called = answered != task.negative
            x, y = float(called[~diseased].mean()), float(called[diseased].mean())
            dots = [Dot(f"At the operating point: sensitivity {percent(y)}, false alarms {percent(x)}", x, y)]
    title = "ROC curve: the share of disease found against the share of false alarms"
    return Chart(title, Axis("False alarms (1 - specificity)"), Axis("Sensitivity"), tuple(lines), tuple(dots))


def curves(rows: Rows, task: Task) -> dict[str, Any]:
    """What a package keeps so that its curves can be drawn without the images: points in [0, 1].

    roc: name -> (false alarms, sensitivity); reliability: (stated, right, images).
    """
    found: dict[str, Any] = {"roc": {line.name: list(line.points) for line in roc(rows, task).lines if line.name}}
    answered = ~rows.refused
    if answered.any():
        bins = calibration.reliability(rows.probabilities[answered], rows.labels[answered])
        found["reliability"] = [
            (round(float(c), 5), round(float(a), 5), int(n))
            for c, a, n in zip(bins.confidence, bins.accuracy, bins.count, strict=True)
        ]
    return found


def precision_recall(rows: Rows, task: Task) -> Chart:
    """Precision against recall; the guide is the share of disease in the set, which a coin would reach."""
    asked = drawn(rows, task)
    lines = [
        Line(name, _thin(curve.x, curve.y), place)
        for place, (name, score, truth) in enumerate(asked, 1)
        for curve in [ranking.pr_curve(score, truth)]
    ]
    if len(asked) == 1:
        share = float(asked[0][2].mean())
        lines.append(Line(f"A coin: {percent(share)}", ((0, share), (1, share)), style=0))
    title = "Precision-recall curve: the share of right disease answers against the share of disease found"
    return Chart(title, Axis("Recall (sensitivity)"), Axis("Precision"), tuple(lines))


def reliability(rows: Rows) -> Chart | None:
    """Stated probability against the share that was right; on the diagonal both agree."""
    answered = ~rows.refused
    if not answered.any():
        return None
    bars = calibration.reliability(rows.probabilities[answered], rows.labels[answered])
    low = math.floor(10 * min(float(bars.confidence.min()), float(bars.accuracy.min()))) / 10
    step = 0.1 if low >= 0.4 else 0.2
    ticks = tuple(round(1.0 - step * i, 6) for i in range(int((1.0 - low) / step + 1e-9), -1, -1))
    dots = tuple(
        Dot(f"{int(n)} images: stated {percent(c)}, right {percent(a)}", float(c), float(a))
        for c, a, n in zip(bars.confidence, bars.accuracy, bars.count, strict=True)
    )
    points: Points = list(zip(bars.confidence.tolist(), bars.accuracy.tolist(), strict=True))
    bins = calibration.bins_for(int(answered.sum()))
    name = f"This model, {bins} equal bins" if bins > 1 else "This model, all images"
    lines = (Line("Perfectly calibrated", ((low, low), (1, 1)), style=0), Line(name, points, 1))
    title = "Reliability: the share of right answers against the stated probability"
    return Chart(title, Axis("Stated probability", low, 1, ticks), Axis("Share right", low, 1, ticks), lines, dots)


def risk_coverage(rows: Rows) -> Chart | None:
    """Errors among the most confident part, as more is answered."""
    answered = ~rows.refused
    if not answered.any():
        return None
    curve = calibration.risk_coverage(rows.probabilities[answered], rows.labels[answered], rows.predicted[answered])
    high, ticks = _nice(max(float(curve.risk.max()), 0.01))
    title = "Errors among the images answered, when only the most confident are answered"
    lines = (Line("", _thin(curve.coverage, curve.risk), 1),)
    return Chart(title, Axis("Share of images answered"), Axis("Errors among them", 0, high, ticks), lines)


def decision(rows: Rows, task: Task) -> Chart | None:
    """Net benefit of acting on the model against acting on everyone and on no one."""
    asked = presence(rows, task)
    if task.negative is None or asked is None:
        return None
    score, truth = asked
    thresholds = np.linspace(0.01, 0.95, 95)
    model = ranking.net_benefit(score, truth, thresholds)
    everyone = ranking.net_benefit(np.ones(len(truth)), truth, thresholds)
    high, ticks = _nice(float(truth.mean()))
    low = -ticks[1]
    lines = (
        Line("Acting on the model", _pairs(thresholds, model), 1),
        Line("Acting on every image", [(x, y) for x, y in _pairs(thresholds, everyone) if y >= low], 2),
        Line("Acting on none", ((0, 0), (1, 0)), 3),
    )
    y = Axis("Net benefit per image", low, high, (low, *ticks), percent=False)
    title = "Decision curve: what acting on the model is worth, by how sure one wants to be before acting"
    return Chart(title, Axis("Probability at which one would act"), y, lines, size=(560, 320))


def scores(rows: Rows, task: Task, threshold: float) -> Chart | None:
    """How the summed probability of disease is spread over images with and without it."""
    asked = presence(rows, task)
    if task.negative is None or asked is None:
        return None
    score, truth = asked
    edges = np.linspace(0, 1, 41)
    spread = [np.histogram(score[kind], edges)[0] / max(int(kind.sum()), 1) for kind in (~truth, truth)]
    high, ticks = _nice(max(float(each.max()) for each in spread))
    negative = task.labels[task.negative].title
    bars = (
        Bars(negative, edges.tolist(), spread[0].tolist(), 1),
        Bars("Disease", edges.tolist(), spread[1].tolist(), 2),
    )
    title = "Spread of the stated probability of disease over images with and without disease"
    x, y = Axis("Stated probability of disease"), Axis("Share of images", 0, high, ticks)
    return Chart(title, x, y, bars=bars, mark=threshold, mark_name="Threshold", size=(560, 260))


def explorer(rows: Rows, task: Task, points: Iterable[float]) -> dict[str, object] | None:
    """What the threshold explorer needs: who is called diseased at some 300 thresholds, rising, `points` among them."""
    asked = presence(rows, task)
    if task.negative is None or asked is None:
        return None
    score, truth = asked
    distinct = np.unique(np.round(score, 4))
    places = np.unique(np.linspace(0, len(distinct) - 1, min(_MOST_POINTS, len(distinct))).astype(int))
    thresholds = np.unique(np.append(distinct[places], [0.0, 0.5, 1.0, *points]))
    refused, diseased = rows.refused, rows.labels != task.negative
    return {
        "thresholds": thresholds.tolist(),
        "found": [int((score[truth] >= t).sum()) for t in thresholds],
        "alarms": [int((score[~truth] >= t).sum()) for t in thresholds],
        "diseased": int(diseased.sum()),
        "healthy": int((~diseased).sum()),
        "diseased_refused": int((diseased & refused).sum()),
        "healthy_refused": int((~diseased & refused).sum()),
    }


def _thin(x: Floats, y: Floats) -> Points:
    """At most 300 points of a curve, its ends and corners of the coarse walk kept."""
    if len(x) <= _MOST_POINTS:
        return _pairs(x, y)
    travelled = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    wanted = np.linspace(0.0, travelled[-1], _MOST_POINTS)
    places = np.unique(np.append(np.searchsorted(travelled, wanted), len(x) - 1).clip(0, len(x) - 1))
    return _pairs(x[places], y[places])


def _pairs(x: Floats, y: Floats) -> Points:
    return [(round(float(a), 5), round(float(b), 5)) for a, b in zip(x, y, strict=True)]


def _nice(largest: float) -> tuple[float, tuple[float, ...]]:
    """An axis end at or above `largest` and four to six even ticks from 0."""
    rough = largest / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough - 1e-12)
    count = math.ceil(largest / step - 1e-9)
    return step * count, tuple(round(step * i, 10) for i in range(count + 1))
