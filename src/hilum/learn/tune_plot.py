"""The trials of a search -> one picture: the score of each trial, the best so far, and the score by each line."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hilum.learn.tune import Trial

FEW = 4  # marks on an axis: more lie on one another
BLUE, GREY = "#2f6db5", "#8a8f98"


def draw_trials(trials: Sequence[Trial], score_name: str) -> bytes:
    """PNG bytes; `score_name` is what the task selects by."""
    buffer = io.BytesIO()
    trials_figure(trials, score_name).savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def trials_figure(trials: Sequence[Trial], score_name: str) -> Figure:
    """One axis for the course of the search and one for each line that was searched."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.lines))
    figure = Figure(figsize=(3.2 * (1 + len(names)), 3.2), layout="constrained")
    axes = figure.subplots(1, 1 + len(names), squeeze=False)[0]
    _draw_course(axes[0], trials, score_name)
    for name, place in zip(names, axes[1:], strict=True):
        _draw_line(place, trials, name)
    return figure


def _draw_course(place: Axes, trials: Sequence[Trial], score_name: str) -> None:
    numbers = [trial.number for trial in trials]
    best = np.fmax.accumulate([trial.score for trial in trials])
    place.scatter(numbers, [trial.score for trial in trials], color=GREY, s=18, label="trial")
    place.step(numbers, best, where="post", color=BLUE, label="best so far")
    place.xaxis.set_major_locator(MaxNLocator(FEW, integer=True))
    place.set(xlabel="trial", ylabel=f"{score_name} on the tune part")
    place.legend(frameon=False, fontsize=8)


def _draw_line(place: Axes, trials: Sequence[Trial], name: str) -> None:
    pairs = [(trial.lines[name], trial.score) for trial in trials if name in trial.lines]
    try:
        values = [float(value) for value, _ in pairs]
    except ValueError:
        words = sorted({value for value, _ in pairs})
        place.scatter([words.index(value) for value, _ in pairs], [score for _, score in pairs], color=BLUE, s=18)
        place.set_xticks(range(len(words)), words, fontsize=8)
    else:
        place.scatter(values, [score for _, score in pairs], color=BLUE, s=18)
        if name == "learning_rate":
            place.set_xscale("log")
            place.set_xticks(ends := sorted({min(values), max(values)}), [f"{value:.2g}" for value in ends])
            place.minorticks_off()  # several to a decade, whose labels lie on one another
        else:
            place.xaxis.set_major_locator(MaxNLocator(FEW))
    place.set_xlabel(name.replace("_", " "))
