"""An evaluation and its rows -> one self-contained HTML page; every figure on it is the evaluation's own.

The pictures of the error gallery and the fidelity of explanations come ready-made; knows no image and no model.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from markupsafe import Markup

from hilum.data.report_page import render_page
from hilum.evaluate import charts, words
from hilum.evaluate.drawing import Chart
from hilum.evaluate.evaluation import Evaluation, Part
from hilum.evaluate.rows import Rows
from hilum.evaluate.sentences import against, parts, sentences, warnings
from hilum.metrics.intervals import Interval
from hilum.task import Task

PAGES = Path(__file__).parent / "pages"


@dataclass(frozen=True, slots=True)
class Shown:
    """One case of the gallery; pictures are PNG bytes."""

    row: int  # index into the rows
    picture: bytes
    heatmap: bytes | None = None


@dataclass(frozen=True, slots=True)
class Extras:
    """What the figures do not hold: pictures, and how faithful explanations are (method -> deletion, insertion)."""

    gallery: tuple[Shown, ...] = ()
    fidelity: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)


def notable(rows: Rows, most: int = 24) -> tuple[int, ...]:
    """Which cases the gallery should show: wrong answers, those whose own class has the highest probability first."""
    wrong = np.flatnonzero((rows.predicted != rows.labels) & ~rows.refused)
    stated = rows.probabilities[wrong, rows.predicted[wrong]]
    return tuple(int(i) for i in wrong[np.argsort(-stated, kind="stable")][:most])


def report(evaluation: Evaluation, rows: Rows, task: Task, extras: Extras | None = None) -> str:
    """The page as text of an .html file; it asks nothing of any other machine and reads without a script."""
    extras = extras or Extras()
    setting = evaluation.setting
    values: dict[str, object] = {
        "e": evaluation,
        "task": task,
        "titles": [label.title for label in task.labels],
        "sentences": sentences(evaluation, task),
        "warnings": warnings(evaluation),
        "parts": parts(evaluation),
        "trivial": ["majority", *rows.baselines],
        "names": list(evaluation.metrics),
        "words": words,
        "charts": _charts(rows, task, setting.threshold or 0.5),
        "undrawn": len(charts.two_ways(rows, task)) - len(charts.drawn(rows, task)),
        "explorer": _explorer(rows, task, evaluation),
        "gallery": [_shown(one, rows, task) for one in extras.gallery],
        "wrong": int(((rows.predicted != rows.labels) & ~rows.refused).sum()),
        "fidelity": extras.fidelity,
        "subgroup_names": ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "auroc"),
        "gaps": {facet: _gap(parts_) for facet, parts_ in evaluation.subgroups.items()},
        "versus": evaluation.versus,
        "against": against(evaluation),
        "Interval": Interval,
    }
    return render_page(PAGES, "evaluation.html", values)


def _charts(rows: Rows, task: Task, threshold: float) -> dict[str, Markup | None]:
    drawn: dict[str, Chart | None] = {
        "roc": charts.roc(rows, task) if charts.two_ways(rows, task) else None,
        "precision_recall": charts.precision_recall(rows, task) if charts.two_ways(rows, task) else None,
        "reliability": charts.reliability(rows),
        "risk_coverage": charts.risk_coverage(rows),
        "decision": charts.decision(rows, task),
        "scores": charts.scores(rows, task, threshold),
    }
    return {name: chart.svg() if chart else None for name, chart in drawn.items()}


def _explorer(rows: Rows, task: Task, evaluation: Evaluation) -> dict[str, object] | None:
    """Counts for the script, and the same figures as a table for those without one."""
    setting = evaluation.setting
    points = dict(setting.points)
    if setting.threshold is not None:
        points[setting.operating_point] = setting.threshold
    counts = charts.explorer(rows, task, points.values())
    if counts is None:
        return None
    prevalence = task.prevalences[len(task.prevalences) // 2] if task.prevalences else 0.1
    named = [(f"{value:.3f} ({name})", value) for name, value in sorted(points.items(), key=lambda one: one[1])]
    steps = [(f"{value:g}", value) for value in (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)]
    table = [(name, *_at(counts, value, prevalence)) for name, value in (*named, *steps)]
    return {
        "counts": counts,
        "points": points,
        "prevalence": prevalence,
        "start": setting.threshold if setting.threshold is not None else 0.5,
        "table": table,
    }


def _at(counts: Mapping[str, object], threshold: float, prevalence: float) -> tuple[float, float, float, float]:
    """Sensitivity, specificity, PPV and NPV at a threshold; the same arithmetic as the page's script."""
    thresholds = np.asarray(counts["thresholds"])
    place = min(int(np.searchsorted(thresholds, threshold - 1e-9)), len(thresholds) - 1)
    n = {name: np.asarray(count).reshape(-1) for name, count in counts.items()}
    diseased, healthy = int(n["diseased"][0]), int(n["healthy"][0])
    found, alarms = n["found"][place] / diseased, n["alarms"][place] / healthy
    missed = 1 - found - n["diseased_refused"][0] / diseased
    cleared = 1 - alarms - n["healthy_refused"][0] / healthy
    positive = found * prevalence + alarms * (1 - prevalence)
    negative = cleared * (1 - prevalence) + missed * prevalence
    ppv = found * prevalence / positive if positive > 0 else math.nan
    return (
        float(found),
        float(cleared),
        float(ppv),
        float(cleared * (1 - prevalence) / negative if negative else math.nan),
    )


def _shown(one: Shown, rows: Rows, task: Task) -> dict[str, object]:
    answer, i = int(rows.predicted[one.row]), one.row
    return {
        "id": rows.ids[i],
        "truth": task.labels[int(rows.labels[i])].title,
        "answer": task.labels[answer].title if answer >= 0 else "refused",
        "probability": words.percent(float(rows.probabilities[i, answer])) if answer >= 0 else "",
        "reasons": ", ".join(rows.reasons[i]) if rows.reasons else "",
        "picture": _uri(one.picture),
        "heatmap": _uri(one.heatmap) if one.heatmap else "",
    }


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _gap(values: Mapping[str, Part]) -> float:
    """The distance between the best and the worst subgroup's accuracy."""
    known = [part.metrics["accuracy"].value for part in values.values()]
    return max(known) - min(known)
