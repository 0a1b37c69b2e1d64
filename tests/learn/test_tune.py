"""The search: it finds what an objective prefers, goes on where it stopped, and shows its trials."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from hilum.errors import DataError, Diverged
from hilum.learn.fitting import fit_network
from hilum.learn.networks import full_config
from hilum.learn.plan import RANGES, Plan
from hilum.learn.tune import Search, Trial, search_plans, trials_table, tune
from hilum.learn.tune_plot import draw_trials, trials_figure
from tests.learn.made import TASK, TINY, cases


def preferring(plan: Plan, _: int) -> float:
    """Best at a learning rate of 0.001 with light augmentation."""
    return -abs(math.log10(plan.learning_rate) + 3) + (0.5 if plan.augmentation == "light" else 0.0)


def test_the_search_never_ends_below_the_plan_and_says_why(tmp_path: Path) -> None:
    plan = Plan(network="residual-m", dropout=0.1, learning_rate=3e-3)
    tuned = search_plans(plan, preferring, Search(tmp_path, trials=16))
    assert tuned.trials[0].score == preferring(plan, 0)
    assert tuned.best.score > tuned.trials[0].score
    assert tuned.best.score == max(trial.score for trial in tuned.trials)
    assert preferring(tuned.plan, 0) == tuned.best.score
    assert tuned.plan.augmentation == "light"
    assert "best of 16 trials" in tuned.plan.reasons["learning_rate"]


def test_a_stopped_search_goes_on_and_another_plan_starts_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("optuna").addHandler(caplog.handler)  # it hands nothing on to the root
    asked = []

    def counted(plan: Plan, number: int) -> float:
        asked.append(number)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return preferring(plan, number)

    plan = Plan(network="residual-m")
    with pytest.raises(KeyboardInterrupt):
        search_plans(plan, counted, Search(tmp_path, trials=6))
    logging.getLogger("optuna").removeHandler(caplog.handler)
    assert not caplog.records  # Ctrl+C is no fault: no traceback of it
    heard: list[int] = []
    tuned = search_plans(plan, counted, Search(tmp_path, trials=6), told=heard.append)
    assert len(tuned.trials) == 6
    assert heard == [3, 4, 5, 6]
    assert len(asked) == 7  # the one that was cut off is asked again
    search_plans(plan, counted, Search(tmp_path, trials=6))
    search_plans(plan, counted, Search(tmp_path, trials=2), told=heard.append)
    assert heard[-1] == 2
    assert len(asked) == 7
    search_plans(replace(plan, size=96), counted, Search(tmp_path, trials=1))
    assert len(asked) == 8


def test_a_search_that_was_stopped_tries_what_it_would_have_tried(tmp_path: Path) -> None:
    """A trial that a kill cut off stays in the store as one that runs: what was tried there must not be shunned."""
    asked = []

    def stopped(plan: Plan, number: int) -> float:
        asked.append(number)
        if len(asked) % 3 == 0:
            raise KeyboardInterrupt
        return preferring(plan, number)

    plan = Plan(network="residual-m")
    whole = search_plans(plan, preferring, Search(tmp_path / "whole", trials=10))
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            search_plans(plan, stopped, Search(tmp_path / "stopped", trials=10))
    again = search_plans(plan, stopped, Search(tmp_path / "stopped", trials=10))
    assert [(trial.lines, trial.score) for trial in again.trials] == [
        (trial.lines, trial.score) for trial in whole.trials
    ]
    assert again.plan == whole.plan


@pytest.mark.parametrize(
    "plan",
    [
        Plan(network="residual-m"),
        Plan(network="cnn-3block", size=224),
        Plan(network="residual", width=8, dropout=0.8),
        Plan(network="cnn-2block", size=150, hidden=96),
    ],
    ids=lambda plan: plan.network,
)
def test_the_first_trial_is_the_plan_as_it_was(tmp_path: Path, plan: Plan) -> None:
    plan, tried = replace(plan, learning_rate=0.00123456789, augmentation="light"), []

    def kept(changed: Plan, number: int) -> float:
        tried.append(changed)
        return -float(number)

    tuned = search_plans(plan, kept, Search(tmp_path, trials=2))
    for first in (tried[0], tuned.plan):
        assert full_config(first.network, first.network_config(2)) == full_config(plan.network, plan.network_config(2))
        assert (first.learning_rate, first.augmentation) == (plan.learning_rate, "light")


@pytest.mark.parametrize("rate", RANGES["learning_rate"])
def test_no_trial_leaves_what_a_plan_may_say(tmp_path: Path, rate: float) -> None:
    tuned = search_plans(Plan(learning_rate=rate), preferring, Search(tmp_path, trials=8))
    assert len(tuned.trials) == 8


def test_a_first_trial_that_was_cut_off_is_run_again(tmp_path: Path) -> None:
    tried = []

    def counted(changed: Plan, number: int) -> float:
        tried.append(changed.learning_rate)
        if len(tried) == 1:
            raise KeyboardInterrupt
        return preferring(changed, number)

    plan = Plan(network="residual-m")
    with pytest.raises(KeyboardInterrupt):
        search_plans(plan, counted, Search(tmp_path, trials=3))
    tuned = search_plans(plan, counted, Search(tmp_path, trials=3))
    assert tried[0] == tried[1] == plan.learning_rate
    assert len(tuned.trials) == 3
    assert tuned.trials[0].lines["width"] == "32"


def test_a_trial_that_diverges_is_one_that_came_to_nothing(tmp_path: Path) -> None:
    asked = []

    def some(plan: Plan, number: int) -> float:
        asked.append(number)
        if number in (0, 3):
            raise Diverged("the loss is nan in epoch 1: lower the learning rate")
        return preferring(plan, number)

    plan = Plan(network="residual-m")
    for _ in range(2):
        tuned = search_plans(plan, some, Search(tmp_path, trials=6))
        assert asked == [0, 1, 2, 3, 4, 5]
    assert tuned.best.score == max(trial.score for trial in tuned.trials if trial.number not in (0, 3))
    assert [row.split()[1] for row in trials_table(tuned.trials).splitlines()[-2:]] == ["diverged", "diverged"]
    assert draw_trials(tuned.trials, "auroc").startswith(b"\x89PNG")

    def none(plan: Plan, number: int) -> float:
        raise Diverged("the loss is nan in epoch 1: lower the learning rate")

    with pytest.raises(Diverged, match="every trial"):
        search_plans(replace(plan, size=96), none, Search(tmp_path, trials=2))


def test_what_another_search_left_of_a_trial_is_not_taken_up(tmp_path: Path) -> None:
    other = replace(TINY, width=16)
    fit_network(replace(other, epochs=1), cases(), TASK, tmp_path / "trial-0")
    (tmp_path / "trial-5").mkdir()
    tuned = tune(TINY, cases(), TASK, Search(tmp_path, trials=1, epochs=1))
    assert tuned.best.lines["width"] == "8"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trials.db"]


def test_real_training_runs_are_judged_on_the_tune_part(tmp_path: Path) -> None:
    heard = []
    tuned = tune(TINY, cases(), TASK, Search(tmp_path, trials=2, epochs=1), told=heard.append)
    assert heard == [0, 1, 2]
    assert all(0.0 <= trial.score <= 1.0 for trial in tuned.trials)
    assert tuned.plan.epochs == TINY.epochs
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trials.db"]


def test_trials_make_a_table_and_a_picture(tmp_path: Path) -> None:
    tuned = search_plans(Plan(network="residual-m"), preferring, Search(tmp_path, trials=5))
    table = trials_table(tuned.trials).splitlines()
    assert len(table) == 6
    assert table[0].split() == ["trial", "score", "seconds", "learning_rate", "dropout", "width", "augmentation"]
    assert table[1].split()[0] == str(tuned.best.number)
    assert draw_trials(tuned.trials, "auroc").startswith(b"\x89PNG")


def test_marks_on_the_axes_of_the_picture_do_not_lie_on_one_another() -> None:
    rates = ("0.0015", "0.000767", "0.000773", "0.0021", "0.00031")
    trials = [
        Trial(number, 0.25, 1.0, {"learning_rate": rate, "dropout": f"0.{300 + 31 * number}", "augmentation": "light"})
        for number, rate in enumerate(rates, 1)
    ]
    figure = trials_figure(trials, "auroc")
    FigureCanvasAgg(figure).draw()
    for place in figure.axes:
        low, high = place.get_xlim()
        marks = [*place.xaxis.get_major_ticks(), *place.xaxis.get_minor_ticks()]
        shown = [mark.label1 for mark in marks if low <= mark.get_loc() <= high and mark.label1.get_text()]
        boxes = sorted((label.get_window_extent() for label in shown), key=lambda box: box.x0)
        assert all(before.x1 < after.x0 for before, after in pairwise(boxes)), place.get_xlabel()
    assert all(float(x).is_integer() for x in figure.axes[0].get_xticks())  # there is no trial one and a half


def test_a_search_without_an_image_to_choose_by_is_refused(tmp_path: Path) -> None:
    """Every trial would score the same, and the table would say that the plan was the best of them."""
    few = cases()
    with pytest.raises(DataError, match="none is left to choose by"):
        tune(TINY, few.with_parts(few.train, few.tune[:0]), TASK, Search(tmp_path, trials=2))
