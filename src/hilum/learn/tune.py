"""A plan -> a better plan: a search over learning rate, dropout, head size and augmentation, judged on the tune part.

The search is Optuna's (tree-structured Parzen estimator); every trial is stored as it ends, so that a killed search
goes on. The calibration part and the locked test take no part. Knows no calibration and no package.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna

from hilum.learn.fitting import Cases, fit_network
from hilum.learn.networks import takes
from hilum.learn.plan import STRENGTHS, Plan, override
from hilum.task import Task

Objective = Callable[[Plan, int], float]  # plan and trial number -> score, higher is better
WIDTHS = (16, 24, 32, 48)
HEADS = (32, 64, 128, 256, 512)


@dataclass(frozen=True, slots=True)
class Search:
    """How far to search.

    folder: keeps the search between runs. trials: how many in all, those of an earlier run included.
    epochs: of each trial, None = the plan's. seed: of the sampler.
    """

    folder: Path
    trials: int = 20
    epochs: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """One finished trial: score on the tune part by the task's `select_by`, seconds, and the lines it set."""

    number: int
    score: float
    seconds: float
    lines: dict[str, str]


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best plan, and all trials in their order. The first trial is the plan as it was."""

    plan: Plan
    best: Trial
    trials: tuple[Trial, ...]


def tune(plan: Plan, cases: Cases, task: Task, search: Search, *, told: Callable[[Trial], None] | None = None) -> Tuned:
    """Search with real training runs; `told` hears of each trial as it ends."""

    def objective(changed: Plan, number: int) -> float:
        folder = search.folder / f"trial-{number}"
        score = fit_network(changed, cases, task, folder).best_score
        shutil.rmtree(folder, ignore_errors=True)
        return score

    return search_plans(plan, objective, search, told=told)


def search_plans(
    plan: Plan, objective: Objective, search: Search, *, told: Callable[[Trial], None] | None = None
) -> Tuned:
    """Search with any objective."""
    search.folder.mkdir(parents=True, exist_ok=True)
    study = _study(plan, search)

    def run(trial: optuna.Trial) -> float:
        lines = _lines(trial, plan)
        shorter = [] if search.epochs is None else [f"epochs={search.epochs}"]
        return objective(override(plan, [*lines, *shorter]), trial.number)

    def heard(_: optuna.Study, frozen: optuna.trial.FrozenTrial) -> None:
        if told and frozen.state == optuna.trial.TrialState.COMPLETE:
            told(_trial(frozen))

    study.optimize(run, n_trials=max(0, search.trials - len(_finished(study))), callbacks=[heard])
    trials = tuple(_trial(frozen) for frozen in _finished(study))
    best = max(trials, key=lambda trial: (trial.score, -trial.number))
    why = f"best of {len(trials)} trials on the tune part"
    changed = override(plan, [f"{name}={value}" for name, value in best.lines.items()])
    reasons = {**changed.reasons, **dict.fromkeys(best.lines, why)}
    return Tuned(replace(changed, reasons=reasons), best, trials)


def trials_table(trials: tuple[Trial, ...]) -> str:
    """The trials as text, best first."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.lines))
    head = ["trial", "score", "seconds", *names]
    rows = [
        [str(t.number), f"{t.score:.4f}", f"{t.seconds:.0f}", *(t.lines.get(name, "") for name in names)]
        for t in sorted(trials, key=lambda trial: -trial.score)
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]
    )


def _study(plan: Plan, search: Search) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    lines = {name: value for name, value, _ in plan.lines()}
    identity = hashlib.sha256(json.dumps([lines, search.epochs]).encode()).hexdigest()[:12]
    storage = optuna.storages.RDBStorage(f"sqlite:///{(search.folder / 'trials.db').resolve()}")
    study = optuna.create_study(
        storage=storage,
        study_name=f"{plan.network}-{identity}",
        direction="maximize",
        load_if_exists=True,
    )
    study.sampler = optuna.samplers.TPESampler(seed=search.seed + len(study.trials), n_startup_trials=5)
    if not study.trials:
        study.enqueue_trial(_start(plan))
    return study


def _start(plan: Plan) -> dict[str, Any]:
    """The plan as it is, in the search's own terms."""
    start: dict[str, Any] = {"learning_rate": plan.learning_rate, "augmentation": plan.augmentation}
    if plan.dropout is not None and takes(plan.network, "dropout"):
        start["dropout"] = plan.dropout
    return start


def _lines(trial: optuna.Trial, plan: Plan) -> list[str]:
    """The lines that a trial changes; a design is asked only for what it has."""
    rate = trial.suggest_float("learning_rate", plan.learning_rate / 10, plan.learning_rate * 5, log=True)
    lines = [f"learning_rate={rate:.3g}"]
    if takes(plan.network, "dropout"):
        lines.append(f"dropout={trial.suggest_float('dropout', 0.0, 0.6):.3g}")
    if takes(plan.network, "hidden"):
        lines.append(f"hidden={trial.suggest_categorical('hidden', HEADS)}")
    elif takes(plan.network, "width"):
        lines.append(f"width={trial.suggest_categorical('width', WIDTHS)}")
    lines.append(f"augmentation={trial.suggest_categorical('augmentation', tuple(STRENGTHS))}")
    trial.set_user_attr("lines", lines)
    return lines


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))


def _trial(frozen: optuna.trial.FrozenTrial) -> Trial:
    lines = dict(line.split("=", 1) for line in frozen.user_attrs["lines"])
    seconds = frozen.duration.total_seconds() if frozen.duration else 0.0
    assert frozen.value is not None
    return Trial(frozen.number, float(frozen.value), seconds, lines)
