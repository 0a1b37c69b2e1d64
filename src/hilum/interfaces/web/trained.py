"""Trainings as they lie on the disk -> curves, figures with their intervals, runs side by side. Knows no request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hilum.interfaces.http.works import curve
from hilum.interfaces.web.charts import SERIES_MOST, Chart, Series
from hilum.interfaces.web.words import DASH, figure, meaning, percent
from hilum.jobs.works import Work, Works

NETWORKS = {  # a test compares them with what can be trained; torch is too heavy to be asked
    "": "As the data asks for",
    "residual-s": "Small residual network, 0.2 M parameters",
    "residual-m": "Residual network, 1.3 M parameters",
    "residual-l": "Wide residual network, 2.9 M parameters",
    "efficientnet-lite0": "EfficientNet-Lite0, from ImageNet",
    "cnn-3block": "Three convolutions with batch norm",
    "cnn-2block": "Two convolutions, flatten, dense",
    "cnn-4block": "Four convolutions, flatten, dense",
    "resnet50-transfer": "ResNet-50, last layers trained",
    "xception-transfer": "Xception, exit flow trained",
}
HEADLINE = "balanced_accuracy"
COMPARED = ("accuracy", HEADLINE, "sensitivity", "specificity", "auroc", "f1", "ece", "brier")


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure of a package: its name for people, what it says, its value with the interval."""

    name: str
    title: str
    says: str
    written: str


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a training. reference: how the package is named. n: images it was measured on."""

    digest: str
    task: str
    reference: str
    n: int
    refused: int
    figures: tuple[Measured, ...]
    classes: tuple[tuple[str, int, str, str], ...]
    confusion: tuple[tuple[str, tuple[int, ...]], ...]
    baseline: tuple[Measured, ...]
    marks: tuple[str, ...]

    def of(self, name: str) -> str:
        """One figure as it is written; a dash where it was not measured."""
        return next((one.written for one in self.figures if one.name == name), DASH)

    @property
    def answers(self) -> tuple[str, ...]:
        """The columns of the confusion table."""
        return (*(truth for truth, _ in self.confusion), "refused")


def run_of(said: Any) -> Run | None:
    """What the result of a training says; None where there is none or it cannot be read."""
    if not isinstance(said, dict) or "evaluation" not in said:
        return None
    found = said["evaluation"]
    model = found.get("model", {})
    return Run(
        digest=said["digest"],
        task=found["task"],
        reference=f"{model.get('name', '')}@{model.get('version', '')}",
        n=found["n"],
        refused=found["refused"],
        figures=_measured(found["metrics"]),
        classes=tuple(
            (name, part["n"], _one(part, "sensitivity"), _one(part, "specificity"))
            for name, part in found["per_class"].items()
        ),
        confusion=tuple((truth, tuple(row.values())) for truth, row in found["confusion"].items()),
        baseline=tuple(
            Measured(name, name.replace("_", " "), "", _one(part, "accuracy") if isinstance(part, dict) else DASH)
            for name, part in found.get("baseline", {}).items()
        ),
        marks=tuple(found.get("marks", ())),
    )


def side_by_side(runs: Sequence[Run]) -> list[tuple[Measured, tuple[str, ...]]]:
    """Each figure that any of them has, with the value of each."""
    names = [name for name in COMPARED if any(run.of(name) != DASH for run in runs)]
    return [
        (Measured(name, meaning(name).title, meaning(name).says, ""), tuple(run.of(name) for run in runs))
        for name in names
    ]


def charts(known: Works, works: Sequence[Work]) -> list[Chart]:
    """Score and loss, epoch by epoch, one line a training."""
    return [_chart(known, works[:SERIES_MOST], "score"), _chart(known, works[:SERIES_MOST], "loss")]


def best(known: Works, work: Work) -> str:
    """The best score on the tune part so far."""
    scores = [point["score"] for point in curve(known.steps(work.id)) if point["score"] is not None]
    return percent(max(scores)) if scores else DASH


def name_of(work: Work, works: Sequence[Work]) -> str:
    """A training's title; with the start of its id where others have the same."""
    return work.title if [one.title for one in works].count(work.title) == 1 else f"{work.title} ({work.id[:4]})"


def _chart(known: Works, works: Sequence[Work], what: str) -> Chart:
    rows = {work.id: {int(point["epoch"] or 0): point[what] for point in curve(known.steps(work.id))} for work in works}
    every = sorted({epoch for row in rows.values() for epoch in row})
    series = tuple(Series(name_of(work, works), tuple(rows[work.id].get(epoch) for epoch in every)) for work in works)
    labels = tuple(map(str, every))
    if what == "score":
        says = "Balanced accuracy on the tune part: images the network does not learn from."
        return Chart("score", "Score", says, labels, series, "lines", 1.0, across="Epoch",
                     empty="No epoch is over yet.", written=lambda value: percent(value, 0))  # fmt: skip
    says = "How far the network is from the labels it learns from."
    return Chart("loss", "Loss", says, labels, series, "lines", counts=False, across="Epoch",
                 empty="No epoch is over yet.", written=lambda value: f"{value:.2f}")  # fmt: skip


def _measured(found: dict[str, Any]) -> tuple[Measured, ...]:
    return tuple(
        Measured(name, meaning(name).title, meaning(name).says, figure(name, found[name]))
        for name in (*COMPARED, *(name for name in found if name not in COMPARED))
        if name in found
    )


def _one(part: dict[str, Any], name: str) -> str:
    return figure(name, part[name]) if isinstance(part.get(name), dict) else DASH
