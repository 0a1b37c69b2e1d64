"""Rows, a task and a setting -> the evaluation: every figure with its interval, by class, part and subgroup.

A pure function of its arguments: the report, the card and `--json` all show this value. Knows no image and no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.errors import DataError
from hilum.evaluate.rows import Rows, Setting
from hilum.evaluate.subgroups import facets
from hilum.metrics.classification import confusion
from hilum.metrics.figures import Answers, class_figures, figures
from hilum.metrics.intervals import Interval, bootstrap_all, certain
from hilum.task import Task

Figures = Mapping[str, Interval]

BASELINE_FIGURES = (
    "accuracy", "balanced_accuracy", "precision", "recall", "f0.5", "f1", "f2", "sensitivity", "specificity",
)  # fmt: skip
SUBGROUP_FIGURES = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "auroc")


@dataclass(frozen=True, slots=True)
class Part:
    """The figures of some of the cases."""

    n: int
    groups: int
    refused: int
    metrics: Figures
    baseline: Mapping[str, Figures] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        counts = {"n": self.n, "groups": self.groups, "refused": self.refused, "metrics": _plain(self.metrics)}
        return counts | ({"baseline": _plain_all(self.baseline)} if self.baseline else {})


@dataclass(frozen=True, slots=True)
class Coverage:
    """How the conformal sets did: the share of cases whose set holds the truth (refused left out), and their size."""

    overall: Interval
    per_class: Figures
    mean_size: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good the answers are: `whole` is all cases; `clean` and `copied` part them where training images were met."""

    task: str
    classes: tuple[str, ...]
    negative: int | None
    setting: Setting
    whole: Part
    per_class: Mapping[str, Part]  # each class against the rest; n, groups and refused are of its own cases
    confusion: tuple[tuple[int, ...], ...]  # (C, C + 1): truth by answer, last column refused
    clean: Part | None = None
    copied: Part | None = None
    copies_looked_for: bool = False
    subgroups: Mapping[str, Mapping[str, Part]] = field(default_factory=dict)
    refusals: tuple[tuple[str, str, tuple[str, ...]], ...] = ()  # case, true class, codes
    coverage: Coverage | None = None
    versus: Mapping[str, Any] = field(default_factory=dict)

    @property
    def metrics(self) -> Figures:
        """Figures of all cases."""
        return self.whole.metrics

    def to_json(self) -> dict[str, Any]:
        """The evaluation object; docs/reference/evaluation-object.md describes each field."""
        setting = self.setting
        told: dict[str, Any] = {
            "task": self.task, "model": dict(setting.model), "source": setting.source, "n": self.whole.n,
            "groups": self.whole.groups, "refused": self.whole.refused, "operating_point": setting.operating_point,
            "threshold": setting.threshold, "metrics": _plain(self.whole.metrics),
            "per_class": {name: {"n": part.n, **_plain(part.metrics), "baseline": _plain_all(part.baseline)}
                          for name, part in self.per_class.items()},
            "confusion": {truth: dict(zip((*self.classes, "refused"), row, strict=True))
                          for truth, row in zip(self.classes, self.confusion, strict=True)},
            "baseline": _plain_all(self.whole.baseline),
            "subgroups": {facet: {value: part.to_json() for value, part in parts.items()}
                          for facet, parts in self.subgroups.items()},
            "refusals": [{"file": case, "label": label, "reasons": list(codes)}
                         for case, label, codes in self.refusals],
            "unreadable": [{"file": file, "error": reason} for file, reason in setting.unreadable],
            "shortcuts": dict(setting.cues), "marks": list(setting.marks),
            "interval": {"level": 0.95, "method": "cluster bootstrap", "draws": setting.draws, "seed": setting.seed},
        }  # fmt: skip
        if setting.prevalence is not None:
            told["prevalence"] = setting.prevalence
        for name, part in (("clean", self.clean), ("copied", self.copied)):
            told |= {name: part.to_json()} if part else {}
        if self.coverage:
            told["conformal"] = {
                "coverage": self.coverage.overall.to_json(), "per_class": _plain(self.coverage.per_class),
                "mean_size": round(self.coverage.mean_size, 4),
            }  # fmt: skip
        return told | ({"versus": dict(self.versus)} if self.versus else {})


def evaluate(rows: Rows, task: Task, setting: Setting) -> Evaluation:
    """Every figure of the answers, refused cases counted as wrong.

    Raises:
        DataError: there is no case to evaluate.
        ValueError: labels, predictions or probabilities that do not fit the task.
    """
    if not rows.ids:
        raise DataError(f"{setting.source}: no labelled image to evaluate")
    answers = rows.answers(task)
    clean, copied = _by_copies(rows, task, setting)
    table = confusion(answers.predicted, answers.labels, answers.classes).astype(int)
    return Evaluation(
        task=task.name,
        classes=task.classes,
        negative=task.negative,
        setting=setting,
        whole=_part(rows, task, setting, np.ones(len(rows.ids), dtype=bool)),
        per_class={name: _class_part(rows, task, setting, i) for i, name in enumerate(task.classes)},
        confusion=tuple(tuple(int(count) for count in row) for row in table),
        clean=clean,
        copied=copied,
        copies_looked_for=rows.copied is not None,
        subgroups=_subgroups(rows, task, setting),
        refusals=_refusals(rows, task),
        coverage=_coverage(rows, task, setting),
    )


def _part(rows: Rows, task: Task, setting: Setting, member: NDArray[np.bool_]) -> Part:
    answers = rows.answers(task).taken(member)
    known = {}
    if member.all():  # figures known elsewhere are of the whole source only
        known = {name: {"accuracy": accuracy} for name, accuracy in setting.baseline.items()}
    return Part(
        n=int(member.sum()),
        groups=len(np.unique(answers.groups)),
        refused=int((~answers.answered).sum()),
        metrics=figures(answers, setting.draws, setting.seed),
        baseline=known | _trivial(rows, task, setting, member),
    )


def _trivial(rows: Rows, task: Task, setting: Setting, member: NDArray[np.bool_]) -> dict[str, dict[str, Interval]]:
    """The figures of every trivial classifier on some of the cases."""
    given = {
        name: figures(each.taken(member), setting.draws, setting.seed, BASELINE_FIGURES)
        for name in rows.baselines
        for each in [rows.given_by(name, task)]
    }
    return {"majority": _majority(rows.answers(task).taken(member), setting), **given}


def _class_part(rows: Rows, task: Task, setting: Setting, index: int) -> Part:
    answers, member = rows.answers(task), rows.labels == index
    trivial = {"majority": _constant(answers)} | {name: rows.given_by(name, task) for name in rows.baselines}
    return Part(
        n=int(member.sum()),
        groups=len(np.unique(answers.groups[member])),
        refused=int((member & rows.refused).sum()),
        metrics=class_figures(answers, index, setting.draws, setting.seed),
        baseline={
            name: {figure: found[figure] for figure in ("precision", "sensitivity")}
            for name, each in trivial.items()
            for found in [class_figures(each, index, setting.draws, setting.seed, with_scores=False)]
        },
    )


def _majority(answers: Answers, setting: Setting) -> dict[str, Interval]:
    return figures(_constant(answers), setting.draws, setting.seed, (*BASELINE_FIGURES, "auroc"))


def _constant(answers: Answers) -> Answers:
    """Always the most frequent class of these very cases: the best that a constant answer can do."""
    most = int(np.bincount(answers.labels, minlength=answers.classes).argmax())
    constant = np.full(len(answers.labels), most)
    sure = np.eye(answers.classes)[constant]
    return Answers(sure, constant, answers.labels, answers.groups, answers.negative, answers.prevalences)


def _by_copies(rows: Rows, task: Task, setting: Setting) -> tuple[Part | None, Part | None]:
    """The part that is no copy of a training image, and the part that is; None where there is no such part."""
    if rows.copied is None or not rows.copied.any():
        return None, None
    copied = np.asarray(rows.copied, dtype=bool)
    clean = None if copied.all() else _part(rows, task, setting, ~copied)
    return clean, _part(rows, task, setting, copied)


def _subgroups(rows: Rows, task: Task, setting: Setting) -> dict[str, dict[str, Part]]:
    answers = rows.answers(task)

    def one(member: NDArray[np.bool_]) -> Part:
        some = answers.taken(member)
        found = figures(some, setting.draws, setting.seed, SUBGROUP_FIGURES)
        simple = {name: {"accuracy": each["accuracy"]} for name, each in _trivial(rows, task, setting, member).items()}
        return Part(int(member.sum()), len(np.unique(some.groups)), int((~some.answered).sum()), found, simple)

    return {
        facet: {value: one(member) for value, member in members.items()}
        for facet, members in facets(rows.subgroups).items()
    }


def _refusals(rows: Rows, task: Task) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    codes = rows.reasons or ((),) * len(rows.ids)
    return tuple((rows.ids[i], task.classes[rows.labels[i]], codes[i]) for i in np.flatnonzero(rows.refused))


def _coverage(rows: Rows, task: Task, setting: Setting) -> Coverage | None:
    answered = ~rows.refused
    if rows.sets is None or not answered.any():
        return None
    sets, labels = np.asarray(rows.sets)[answered], rows.labels[answered]
    held = sets[np.arange(len(labels)), labels].astype(np.float64)
    member = np.eye(len(task.classes))[labels]

    def statistics(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        hit, cases = weights @ (member * held[:, None]), weights @ member
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = {name: hit[:, i] / cases[:, i] for i, name in enumerate(task.classes)}
            return {"": hit.sum(axis=1) / cases.sum(axis=1), **shares}

    groups = rows.groups[answered]
    found = bootstrap_all(statistics, groups, setting.draws, setting.seed)
    overall = certain(found.pop(""), groups)
    each = {name: certain(found[name], groups[labels == i]) for i, name in enumerate(task.classes)}
    return Coverage(overall, each, float(sets.sum(axis=1).mean()))


def _plain(metrics: Figures) -> dict[str, Any]:
    return {name: interval.to_json() for name, interval in metrics.items()}


def _plain_all(named: Mapping[str, Figures]) -> dict[str, Any]:
    return {name: _plain(metrics) for name, metrics in named.items()}
