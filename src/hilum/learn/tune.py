"""A plan -> a better plan: a search over learning rate, dropout, head size and augmentation, judged on the tune part.

The search is Optuna's (tree-structured Parzen estimator); every trial is stored as it ends, so that a killed search
goes on, and tries what it would have tried. The calibration part and the locked test take no part. Knows no calibration
and no package.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from hilum.errors import DataError, Diverged
from hilum.learn.fitting import Cases, fit_network
from hilum.learn.networks import full_config
from hilum.learn.plan import RANGES, STRENGTHS, Plan, override
from hilum.task import Task

Objective = Callable[[Plan, int], float]  # plan and trial number -> score, higher is better
SIZES = {"width": (16, 24, 32, 48), "hidden": (32, 64, 128, 256, 512)}
DROPOUT = 0.6  # the most that is tried
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)  # pruned: those that came to nothing; not those cut off
AS_PLANNED = "as planned"  # the mark of the trial that changes nothing


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
    """One finished trial: score on the tune part by the task's `select_by`, seconds, and the lines it set.

    score: NaN where training with these lines came to nothing, because its loss was no longer a number.
    """

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


def tune(
    plan: Plan, cases: Cases, task: Task, search: Search, *, told: Callable[[int], None] = lambda _: None
) -> Tuned:
    """Search with real training runs; `told` hears how many trials are done, first of those of an earlier run.

    Raises:
        Diverged: so did every trial. DataError: no image is left to judge by.
    """
    if not len(cases.tune):
        raise DataError("too few images for a search: none is left to choose by; add images, or train without --tune")

    for left in search.folder.glob("trial-*"):  # of searches that were killed
        shutil.rmtree(left, ignore_errors=True)

    def objective(changed: Plan, number: int) -> float:
        folder = search.folder / f"trial-{number}"
        score = fit_network(changed, cases, task, folder).best_score
        shutil.rmtree(folder, ignore_errors=True)
        return score

    return search_plans(plan, objective, search, told=told)


def search_plans(
    plan: Plan, objective: Objective, search: Search, *, told: Callable[[int], None] = lambda _: None
) -> Tuned:
    """Search with any objective; it raises Diverged for a plan that comes to nothing."""
    search.folder.mkdir(parents=True, exist_ok=True)
    study = _study(plan, search)

    def run(trial: optuna.Trial) -> float:
        lines = _lines(trial, plan)
        shorter = [] if search.epochs is None else [f"epochs={search.epochs}"]
        try:
            return objective(override(plan, [*lines, *shorter]), trial.number)
        except Diverged as error:
            raise optuna.TrialPruned from error

    def done() -> int:
        return min(len(_finished(study)), search.trials)

    told(done())
    for _ in range(search.trials - done()):
        study.sampler = _sampler(search.seed, len(_finished(study)))
        study.optimize(run, n_trials=1)
        told(done())
    trials = tuple(_trial(frozen) for frozen in _finished(study))
    sound = [trial for trial in trials if not math.isnan(trial.score)]
    if not sound:
        raise Diverged("the loss of every trial is no longer a number: lower the learning rate")
    best = max(sound, key=lambda trial: (trial.score, -trial.number))
    why = f"best of {len(trials)} trials on the tune part"
    changed = override(plan, [f"{name}={value}" for name, value in best.lines.items()])
    reasons = {**changed.reasons, **dict.fromkeys(best.lines, why)}
    return Tuned(replace(changed, reasons=reasons), best, trials)


def trials_table(trials: tuple[Trial, ...]) -> str:
    """The trials as text, best first."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.lines))
    head = ["trial", "score", "seconds", *names]
    rows = [
        [str(t.number), _score(t), f"{t.seconds:.0f}", *(t.lines.get(name, "") for name in names)]
        for t in sorted(trials, key=lambda trial: -np.nan_to_num(trial.score, nan=-np.inf))
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]
    )


def _score(trial: Trial) -> str:
    return "diverged" if math.isnan(trial.score) else f"{trial.score:.4f}"


def _study(plan: Plan, search: Search) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # its warning of a trial cut off is a traceback of Ctrl+C
    lines = {name: value for name, value, _ in plan.lines()}
    identity = hashlib.sha256(json.dumps([lines, search.epochs]).encode()).hexdigest()[:12]
    storage = optuna.storages.RDBStorage(f"sqlite:///{(search.folder / 'trials.db').resolve()}")
    study = optuna.create_study(
        storage=storage,
        study_name=f"{plan.network}-{identity}",
        direction="maximize",
        load_if_exists=True,
    )
    kept = study.get_trials(deepcopy=False, states=(*FINISHED, TrialState.WAITING))
    if not any(AS_PLANNED in trial.user_attrs for trial in kept):
        study.enqueue_trial(_own(plan), user_attrs={AS_PLANNED: True})
    return study


def _sampler(seed: int, finished: int) -> optuna.samplers.BaseSampler:
    """What is tried next hangs on the trials that came to an end alone, not on whether a search was killed meanwhile.

    A trial that a kill cut off is called running for ever: told of it, the sampler would shun what was tried there.
    """
    drawn = int(np.random.SeedSequence((seed, finished)).generate_state(1)[0])
    return optuna.samplers.TPESampler(seed=drawn, n_startup_trials=5, constant_liar=False)


def _own(plan: Plan) -> dict[str, Any]:
    """What a search may change, as the plan and its network's own defaults have it; of a design only what it has."""
    config = full_config(plan.network, plan.network_config(2))
    of_network = ("dropout", "hidden" if "hidden" in config else "width")
    known = {name: config[name] for name in of_network if name in config}
    return {"learning_rate": plan.learning_rate, **known, "augmentation": plan.augmentation}


def _lines(trial: optuna.Trial, plan: Plan) -> list[str]:
    """The lines that a trial changes; those of the first say what is so anyway."""
    asked = {name: _asked(trial, name, own) for name, own in _own(plan).items()}
    exact = AS_PLANNED in trial.user_attrs
    lines = [
        f"{name}={value:.3g}" if isinstance(value, float) and not exact else f"{name}={value}"
        for name, value in asked.items()
    ]
    trial.set_user_attr("lines", lines)
    return lines


def _asked(trial: optuna.Trial, name: str, own: Any) -> Any:
    """What a trial tries for a line; `own` is always among what it may be."""
    if name == "learning_rate":
        least, most = RANGES[name]
        return trial.suggest_float(name, max(own / 10, least), min(own * 5, most), log=True)
    if name == "dropout":
        return trial.suggest_float(name, 0.0, max(DROPOUT, own))
    if name == "augmentation":
        return trial.suggest_categorical(name, tuple(STRENGTHS))
    return trial.suggest_categorical(name, tuple(sorted({*SIZES[name], own})))


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(deepcopy=False, states=FINISHED)


def _trial(frozen: optuna.trial.FrozenTrial) -> Trial:
    lines = dict(line.split("=", 1) for line in frozen.user_attrs["lines"])
    seconds = frozen.duration.total_seconds() if frozen.duration else 0.0
    return Trial(frozen.number, math.nan if frozen.value is None else float(frozen.value), seconds, lines)
