"""Networks trained and evaluated alike -> one table of them, as HTML, as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hilum.data.report_page import render_page
from hilum.errors import DataError
from hilum.evaluate import words
from hilum.evaluate.evaluation import Evaluation
from hilum.evaluate.forest import forest
from hilum.evaluate.report import PAGES
from hilum.evaluate.text import aligned
from hilum.metrics.intervals import Interval
from hilum.task import Task

FIGURES = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "auroc", "ece")
TOLD = ("accuracy", "balanced_accuracy", "auroc")  # on a terminal
TRIVIAL = {"majority": "majority class"}


@dataclass(frozen=True, slots=True)
class Contender:
    """One network of the comparison."""

    name: str
    start: str  # "from random start", or what the weights were pretrained on
    parameters: int
    size_bytes: int  # of the ONNX file
    train_seconds: float
    image_seconds: float  # one image, one core, the engine alone
    evaluation: Evaluation
    note: str = ""  # "24 epochs, best 13, 224 px"


def ranked(contenders: Sequence[Contender], task: Task) -> list[Contender]:
    """Best first by what the task selects by; the smaller network first where they tie.

    Raises:
        DataError: nothing to compare, or evaluations of different cases.
    """
    if not contenders:
        raise DataError("there is no network to compare")
    if len({(one.evaluation.whole.n, one.evaluation.setting.source) for one in contenders}) > 1:
        raise DataError("networks can only be compared on the same cases")
    return sorted(contenders, key=lambda one: (-_selecting(one, task), one.parameters, one.name))


def as_json(contenders: Sequence[Contender], task: Task) -> dict[str, Any]:
    """`{"task", "source", "n", "groups", "select_by", "baseline", "networks": [best first]}`."""
    rows = ranked(contenders, task)
    first = rows[0].evaluation
    told = first.to_json()
    return {
        "task": task.name, "source": first.setting.source, "n": first.whole.n, "groups": first.whole.groups,
        "select_by": task.select_by, "baseline": told["baseline"],
        "networks": [
            {
                "name": one.name, "start": one.start, "parameters": one.parameters, "size_bytes": one.size_bytes,
                "train_seconds": round(one.train_seconds, 1), "image_seconds": round(one.image_seconds, 5),
                "note": one.note, "refused": one.evaluation.whole.refused,
                "metrics": {name: found.to_json() for name, found in one.evaluation.metrics.items()},
            }
            for one in rows
        ],
    }  # fmt: skip


def as_text(contenders: Sequence[Contender], task: Task) -> str:
    """Two tables for a terminal: the figures, the trivial answers in their last lines; how each network was made."""
    rows = ranked(contenders, task)
    names = _with(TOLD, _figure_of(task, rows[0].evaluation))
    head = ["network", *(_titled(name) for name in names), "training", "one image"]
    lines = [
        [one.name, *_cells(names, one.evaluation.metrics), duration(one.train_seconds), duration(one.image_seconds)]
        for one in rows
    ]
    trivial = rows[0].evaluation.whole.baseline
    base = [[f"({TRIVIAL.get(who, who)})", *_cells(names, found), "", ""] for who, found in trivial.items()]
    made = [["network", "start", "parameters", "size", "epochs and input"]]
    made += [[one.name, one.start, f"{one.parameters:,}", f"{one.size_bytes / 1e6:.1f} MB", one.note] for one in rows]
    return "\n".join([*aligned([head, *lines, *base]), "", *aligned(made)])


def as_html(contenders: Sequence[Contender], task: Task) -> str:
    """One self-contained page."""
    rows = ranked(contenders, task)
    whole = rows[0].evaluation.whole
    selecting = _figure_of(task, rows[0].evaluation)
    trivial = whole.baseline["majority"].get(selecting)
    values: dict[str, object] = {
        "task": task,
        "rows": rows,
        "names": [name for name in dict.fromkeys((*FIGURES, selecting)) if name in whole.metrics],
        "whole": whole,
        "setting": rows[0].evaluation.setting,
        "selecting": selecting,
        "chart": forest(selecting, [(one.name, one.evaluation.metrics[selecting]) for one in rows], trivial),
        "alike": _alike(rows, selecting),
        "duration": duration,
        "words": words,
    }
    return render_page(PAGES, "compare.html", values)


def duration(seconds: float) -> str:
    """A time as people say it: 0.8 ms, 12 s, 18 min, 2.4 h."""
    if seconds < 1:
        return f"{1000 * seconds:.2g} ms" if seconds < 0.1 else f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _with(names: Sequence[str], selecting: str) -> list[str]:
    """The names with the figure that the order goes by; on a terminal's width it takes the last one's place."""
    return list(names) if selecting in names else [*names[:-1], selecting]


def _titled(name: str) -> str:
    title = words.meaning(name).title
    return title if title[:2].isupper() or title[1:2].isdigit() else title.lower()


def _cells(names: Sequence[str], found: Mapping[str, Interval]) -> list[str]:
    """A figure each with its interval; a constant answer's AUROC has no spread, and none is written."""
    known = [found.get(name) for name in names]
    return [
        words.DASH if each is None else words.value(name, each.value) if each.low == each.high
        else words.with_interval(name, each) for name, each in zip(names, known, strict=True)
    ]  # fmt: skip


def _figure_of(task: Task, evaluation: Evaluation) -> str:
    return task.select_by if task.select_by in evaluation.metrics else "balanced_accuracy"


def _selecting(one: Contender, task: Task) -> float:
    value = one.evaluation.metrics[_figure_of(task, one.evaluation)].value
    return value if value == value else -1.0  # noqa: PLR0124  not NaN


def _alike(rows: Sequence[Contender], figure: str) -> list[str]:
    """Networks whose interval holds the best one's figure: the order among them may be chance."""
    best = rows[0].evaluation.metrics[figure].value
    return [one.name for one in rows[1:] if one.evaluation.metrics[figure].high >= best]
