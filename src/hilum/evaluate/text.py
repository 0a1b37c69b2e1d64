"""An evaluation -> the lines a terminal shows; the same figures as the report's first screen."""

from __future__ import annotations

from collections.abc import Sequence

from hilum.evaluate import words
from hilum.evaluate.evaluation import Evaluation
from hilum.evaluate.sentences import figures, sentences, warnings
from hilum.task import Task

SHOWN = (
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "precision",
    "f1",
    "auroc",
    "auprc",
    "ece",
    "brier",
)


def text(evaluation: Evaluation, task: Task) -> str:
    """Sentences, warnings, the main figures of every part beside the trivial baseline, and the classes."""
    lines = [*sentences(evaluation, task)]
    lines += [f"Beware: {warning}" for warning in warnings(evaluation)]
    lines += ["", *aligned(figures(evaluation, SHOWN)), ""]
    by_class = [["class", "images", "sensitivity", "precision"]]
    for label in task.labels:
        part = evaluation.per_class[label.name]
        cells = [words.with_interval(name, part.metrics[name]) for name in ("sensitivity", "precision")]
        by_class.append([label.name, str(part.n), *cells])
    return "\n".join([*lines, *aligned(by_class)])


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, columns padded to one width."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
