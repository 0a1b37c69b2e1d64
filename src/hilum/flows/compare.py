"""source -> audit -> split -> each network named -> contenders, measured on the calibration part, never on the test.

A comparison that was killed goes on where it was; a network that was trained by the same plan on the same parts is not
trained again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from hilum.data.audit import audit
from hilum.data.dataset import Dataset
from hilum.data.split import make_split
from hilum.errors import DataError
from hilum.evaluate.compare_report import Contender
from hilum.evaluate.evaluation import evaluate
from hilum.evaluate.rows import Rows, Setting
from hilum.flows.alone import alone
from hilum.flows.enough import check_enough, tell_ahead
from hilum.flows.material import Material, material
from hilum.flows.naming import mark_of, run_name
from hilum.flows.progress import Listener
from hilum.learn.compare import Candidate, Contest, compare, plans_of
from hilum.learn.facts import facts_of
from hilum.learn.means import means_here
from hilum.learn.planning import make_plan
from hilum.learn.train import Progress
from hilum.learn.watch import Ears
from hilum.model.package import FINGERPRINTS
from hilum.task import Task


def compare_networks(
    dataset: Dataset,
    task: Task,
    names: Sequence[str],
    plan: tuple[Sequence[str], int],
    places: tuple[Path, Listener],
) -> tuple[Contender, ...]:
    """Train each of `names` on one split; plan = (changed lines, seed), places = (folder of the runs, listener).

    Raises:
        UsageError: a name is unknown, or the same comparison is running. DataError: nothing can be read.
    """
    (changes, seed), (runs, listener) = plan, places
    listener.stage("auditing", len(dataset))
    found = audit(dataset, progress=listener.done)
    if found.statistics is None:
        raise DataError(f"{dataset.name}: no labelled image can be read")
    split = make_split(dataset, found, seed=seed)
    check_enough(dataset, found, split)
    tell_ahead(listener, found, split, task.smallest_side)
    facts, means = facts_of(found.statistics, found.shortcuts), replace(means_here(), weights=False)
    planned = make_plan(facts, task, means=means, changes=changes, seed=seed)
    plans = plans_of(names, planned, changes)
    folder = runs / f"compare-{run_name(dataset, task, found, split, planned)}"
    with alone(folder):
        found.fingerprints.save(folder / FINGERPRINTS)  # which pictures there are: an erasure finds them by it
        made = material(dataset, found, split, folder, listener)
        contest = Contest(made.cases(), made.parts["calibrate"])
        candidates = [
            each
            for name, own in plans.items()
            for each in compare({name: own}, contest, task, folder / mark_of(own), ears=partial(_ears, listener))
        ]
    neighbour = found.baseline.of(made.numbers[made.parts["calibrate"]], split.groups)
    baseline = {} if neighbour is None else {"nearest neighbour": neighbour}
    setting = Setting(dataset.name, baseline=baseline, cues=found.shortcuts, marks=split.marks)
    return tuple(_contender(each, made, task, setting) for each in candidates)


def _contender(candidate: Candidate, made: Material, task: Task, setting: Setting) -> Contender:
    held = made.parts["calibrate"]
    answers = candidate.answers
    rows = Rows(
        ids=tuple(made.dataset.cases[i].id for i in made.numbers[held]),
        labels=np.asarray(answers.labels),
        groups=np.asarray(answers.groups),
        probabilities=np.asarray(answers.probabilities),
        predicted=np.asarray(answers.predicted),
    )
    return Contender(
        name=candidate.label,
        start=candidate.start,
        parameters=candidate.parameters,
        size_bytes=candidate.graph_bytes,
        train_seconds=candidate.seconds,
        image_seconds=candidate.image_seconds,
        evaluation=evaluate(rows, task, setting),
        note=f"{candidate.epochs} epochs{_best(candidate)}, {candidate.size} px",
    )


def _best(candidate: Candidate) -> str:
    """Which epoch was kept, where a tune part chose it."""
    return f", best {candidate.best_epoch + 1}" if candidate.best_epoch >= 0 else ""


def _ears(listener: Listener, name: str) -> Ears:
    begun = False

    def hear(now: Progress) -> None:
        nonlocal begun
        if not begun:  # what comes before, as images made at this network's size, has a stage of its own
            begun = True
            listener.stage(f"training {name}", now.steps)
        listener.done(now.step, now.steps, f"epoch {now.epoch + 1}/{now.epochs}, loss {now.loss:.3f}")

    return Ears(hear)
