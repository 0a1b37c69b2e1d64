"""An evaluation -> the lines a terminal shows; the same figures as the report's first screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hilum.errors import printable
from hilum.evaluate import words
from hilum.evaluate.evaluation import Evaluation
from hilum.evaluate.sentences import against, figures, sentences, warnings
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
    "ece_if_calibrated",
    "brier",
)

LISTED = 10  # files on a terminal; the report and --json have all


def text(evaluation: Evaluation, task: Task) -> str:
    """Sentences, warnings, the main figures of every part beside the trivial baseline, the classes, the other model."""
    lines = [*sentences(evaluation, task)]
    lines += [f"Beware: {warning}" for warning in warnings(evaluation)]
    lines += ["", *aligned(figures(evaluation, SHOWN)), ""]
    by_class = [["class", "images", "sensitivity", "precision"]]
    for label in task.labels:
        part = evaluation.per_class[label.name]
        cells = [words.with_interval(name, part.metrics[name]) for name in ("sensitivity", "precision")]
        by_class.append([label.name, str(part.n), *cells])
    refused = [(case, ", ".join(codes)) for case, _, codes in evaluation.refusals]
    lists = [*_listed("could not be read", evaluation.setting.unreadable), *_listed("refused", refused)]
    return "\n".join([*lines, *aligned(by_class), *_versus(evaluation), *lists])


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, columns padded to one width."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _listed(title: str, found: Sequence[tuple[str, str]]) -> list[str]:
    """The first files with their reasons, and how many more there are."""
    if not found:
        return []
    more = [f"  … {len(found) - LISTED:,} more: --json or --report DIR"] if len(found) > LISTED else []
    return ["", f"{title}:", *(f"  {printable(file)}: {reason}" for file, reason in found[:LISTED]), *more]


def _versus(evaluation: Evaluation) -> list[str]:
    """The tests and every difference with its interval; nothing where no second model answered."""
    if not evaluation.versus:
        return []
    other, found = evaluation.versus["model"], evaluation.versus["differences"]
    rows = [["this minus the other", "difference", "95% interval"]]
    rows += [_difference(name, each) for name, each in found.items() if each["value"] is not None]
    title = f"Against {other.get('name', 'another model')} {other.get('version', '')}".rstrip()
    return ["", f"{title}: {against(evaluation)}", "", *aligned(rows)]


def _difference(name: str, found: Mapping[str, float | None]) -> list[str]:
    low, high = found["low"], found["high"]
    ends = words.DASH if low is None or high is None else f"{low:+.4f} to {high:+.4f}"
    return [words.meaning(name).title, f"{found['value']:+.4f}", ends]
