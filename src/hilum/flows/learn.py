"""source -> audit -> split -> plan -> train -> calibrate -> seal -> evaluate on the locked test -> a package.

A run that was killed goes on where it was: prepared images, checkpoints and searches lie in its run folder, which is
named by all that training reads (see naming.py). What a search chose is trained in a folder of its own inside it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.data.audit import audit
from hilum.data.dataset import Dataset, middle
from hilum.data.findings import Audit
from hilum.data.split import Split, folds, make_split
from hilum.durable import write_whole
from hilum.errors import DataError
from hilum.evaluate.card import card
from hilum.evaluate.charts import curves
from hilum.flows.alone import alone, left
from hilum.flows.enough import check_enough, check_folds, tell_ahead
from hilum.flows.evaluate import Known, Measured, evaluate_cases
from hilum.flows.hearing import TRAINING, heard_by
from hilum.flows.material import Material, digest_of_data, material
from hilum.flows.model_card import facts_for_card
from hilum.flows.naming import mark_of, run_name
from hilum.flows.predict import Options
from hilum.flows.progress import Listener
from hilum.flows.references import FOLDS_TAKE_ALL, Looked, logits_of, references, restyled
from hilum.flows.speaker import Speaker
from hilum.image.prepare import prepare
from hilum.learn.calibrate import fit
from hilum.learn.distill import distill
from hilum.learn.facts import facts_of
from hilum.learn.fitting import fit_network
from hilum.learn.folds import train_folds
from hilum.learn.graph import check_agreement, export_graph
from hilum.learn.means import means_here
from hilum.learn.networks import feature_widths, parameters
from hilum.learn.plan import Plan, check_taken
from hilum.learn.planning import make_plan
from hilum.learn.scores import Scores, make_scores
from hilum.learn.seal import Sealing, Trained, put_in_place, seal, with_figures
from hilum.learn.tracking import Run, track
from hilum.learn.train import TrainedNetwork
from hilum.learn.tune import Search, trials_table, tune
from hilum.learn.tune_plot import draw_trials
from hilum.learn.watch import Ears, one_of
from hilum.model.calibration import Calibration
from hilum.model.engine import Engine
from hilum.model.package import FINGERPRINTS, NOVELTY, Trust, open_package
from hilum.task import Task

NOTE = "mlflow-"  # of a run: its id in the store, for each number of trials
SEALED = "sealed"  # of a run: its package until all of the run is done
WITHOUT_NOVELTY = (
    "It holds no novelty reference: an image that the gate admits is answered however unlike the training images it is."
)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user asks for beside the data and the task.

    name, version, task_text: of the package. changes: lines of the plan, such as "epochs=3".
    trials: of a search before training, 0 = none. keep_split: leave a supplied split as it is even where it leaks.
    runs: folder of the run folders. out: where the package goes. tracking: MLflow store, "" = none.
    """

    name: str
    version: str
    task_text: str
    runs: Path
    out: Path
    changes: tuple[str, ...] = ()
    trials: int = 0
    keep_split: bool = False
    seed: int = 0
    tracking: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class Learned:
    """What a run gave: the package, its digest, its figures on the locked test, and the run's own folder.

    workplace: inside the folder or the same; what belongs to this package alone, for example its report.
    """

    package: Path
    digest: str
    measured: Measured
    plan: Plan
    folder: Path
    workplace: Path
    audit: Audit
    speaker: Speaker


@dataclass(frozen=True, eq=False, slots=True)
class _Bench:
    """All that the steps of one run share; `workplace` keeps the checkpoints of this plan's training."""

    dataset: Dataset
    task: Task
    wishes: Wishes
    found: Audit
    split: Split
    plan: Plan
    made: Material
    workplace: Path
    listener: Listener
    run: Run

    def looked(self) -> Looked:
        """What references are made from."""
        return Looked(self.made, self.found, self.task, self.plan)


@dataclass(frozen=True, eq=False, slots=True)
class _Fitted:
    """A trained network, its graph, and what it says of cases it did not learn from."""

    trained: Trained
    graph: bytes
    engine: Engine
    scores: Scores
    origin: str


def learn(
    dataset: Dataset, task: Task, wishes: Wishes, listener: Listener, finish: Callable[[Learned], object] | None = None
) -> Learned:
    """The learn flow.

    The package is sealed and measured in the run's own folder and moved to where it was wished for as the last act: a
    run that is killed leaves nothing there, and the same wishes go on.

    finish: what else belongs to the run, such as its reports; called before that last act, with the package still in
    the run's folder.

    Raises:
        DataError: the data cannot carry a training. TrainingError: the run failed. UsageError: a wish does not fit.
    """
    with prepared_bench(dataset, task, wishes, listener) as begun:
        bench = _searched(begun) if wishes.trials else begun
        bench.run.parameters({name: value for name, value, _ in bench.plan.lines()})
        fitted = _fit(bench)
        calibration = _calibrate(bench, fitted)
        digest = _seal(bench, fitted, calibration)
        learned = _measure(bench, fitted, digest)
        if finish is not None:
            finish(learned)
        return _published(learned, wishes.out)


def _published(learned: Learned, out: Path) -> Learned:
    put_in_place(learned.package, out)
    return replace(learned, package=out, speaker=Speaker(open_package(out, Trust({learned.digest})), threads=1))


@contextlib.contextmanager
def prepared_bench(dataset: Dataset, task: Task, wishes: Wishes, listener: Listener) -> Iterator[_Bench]:
    """Audit, split, plan and hold the run's folder and its track until the block ends."""
    listener.stage("auditing", len(dataset))
    found = audit(dataset, progress=listener.done)
    plan = planned(dataset, task, found, (wishes.changes, wishes.seed))
    split = make_split(dataset, found, seed=wishes.seed, keep=wishes.keep_split)
    check_carries(dataset, found, split, plan)
    folder = wishes.runs / run_name(dataset, task, found, split, plan)
    with alone(folder):
        _tell(listener, found, split, plan, task.smallest_side)
        _keep(folder, found, split, plan)
        note = folder / f"{NOTE}{wishes.trials}"
        made = material(dataset, found, split, folder, listener)
        with track(wishes.tracking, folder.name, note=note, dead=_dead(wishes.runs, folder)) as run:
            yield _Bench(dataset, task, wishes, found, split, plan, made, folder, listener, run)


def _dead(runs: Path, own: Path) -> Callable[[str], bool]:
    """Whether a tracked run is one of these folders', and its process is gone; that of `own`, held here, is."""
    notes = {note.read_text(encoding="utf-8"): note.parent for note in runs.glob(f"*/{NOTE}*")}
    return lambda run: run in notes and (notes[run] == own or left(notes[run]))


def _searched(bench: _Bench) -> _Bench:
    bench.made.pixels(bench.plan.preparation())
    bench.listener.stage("searching", bench.wishes.trials)
    search = Search(bench.made.folder / "search", bench.wishes.trials, seed=bench.wishes.seed)
    tuned = tune(bench.plan, bench.made.cases(), bench.task, search, told=bench.listener.done)
    bench.listener.say(trials_table(tuned.trials))
    write_whole(bench.made.folder / "trials.txt", trials_table(tuned.trials).encode())
    write_whole(bench.made.folder / "trials.png", draw_trials(tuned.trials, bench.task.select_by))
    bench.run.artifact(bench.made.folder / "trials.png")
    return replace(bench, plan=tuned.plan, workplace=bench.made.folder / f"tuned-{mark_of(tuned.plan)}")


def _fit(bench: _Bench) -> _Fitted:
    plan, made = bench.plan, bench.made
    made.pixels(plan.preparation())
    made.listener.stage(TRAINING)
    ears = heard_by(made.listener, bench.run.on_epoch)
    if plan.folds:
        return _fit_folds(bench, ears)
    return _alone(bench, fit_network(plan, made.cases(), bench.task, bench.workplace / "checkpoints", ears=ears))


def _alone(bench: _Bench, result: TrainedNetwork) -> _Fitted:
    """One network, tried on the calibration part, which it did not learn from."""
    plan, made = bench.plan, bench.made
    trained = Trained(result.network, plan.network, plan.network_config(len(bench.task.classes)))
    graph = export_graph(trained.network, plan.size)
    engine = Engine(graph, size=plan.size, threads=2)
    held, pixels = made.parts["calibrate"], made.pixels(plan.preparation())
    scores = make_scores(logits_of(engine, pixels[held]), made.labels[held], made.groups[held])
    return _Fitted(trained, graph, engine, scores, "calibration part")


def _fit_folds(bench: _Bench, ears: Ears) -> _Fitted:
    plan, made = bench.plan, bench.made
    sides = [
        (np.searchsorted(made.numbers, np.array(kept)), np.searchsorted(made.numbers, np.array(held)))
        for kept, held in folds(bench.split, plan.folds)
    ]
    folded = train_folds(plan, made.cases(), bench.task, sides, bench.workplace / "folds", ears=ears)
    if plan.distill:
        folder, last = bench.workplace / "student", one_of(ears, plan.folds, plan.folds + 1)
        return _alone(bench, distill(plan, made.cases(), bench.task, folded.networks, folder, ears=last))
    classes = len(bench.task.classes)
    config = {"classes": classes, "member": plan.network, "config": plan.network_config(classes), "count": plan.folds}
    trained = Trained(folded.average(), "average", config)
    graph = export_graph(trained.network, plan.size)
    return _Fitted(trained, graph, Engine(graph, size=plan.size, threads=2), folded.scores, "out of fold")


def _calibrate(bench: _Bench, fitted: _Fitted) -> Calibration:
    made, stress = bench.made, None
    if fitted.origin == "calibration part":
        found = restyled(bench.looked())
        if found is not None:
            logits = np.concatenate([logits_of(fitted.engine, copies) for copies in found.copies.values()])
            labels, groups = made.labels[found.rows], made.groups[found.rows]
            times = len(found.copies)
            stress = make_scores(logits, np.tile(labels, times), np.tile(groups, times))
    evenly = bench.plan.balance or bench.plan.class_weights == "balanced"
    return fit(fitted.scores, bench.task, stress=stress, origin=fitted.origin, evenly=evenly)


def _seal(bench: _Bench, fitted: _Fitted, calibration: Calibration) -> str:
    plan, made = bench.plan, bench.made
    widths = feature_widths(fitted.trained.network)
    known = references(fitted.engine, widths, bench.looked())
    bench.listener.stage("sealing")
    sealing = Sealing(
        name=bench.wishes.name,
        version=bench.wishes.version,
        trained=fitted.trained,
        task_text=bench.wishes.task_text,
        preparation=plan.preparation(),
        calibration=calibration,
        plan=plan.to_json(),
        check=np.asarray(made.pixels(plan.preparation())[made.parts["calibrate"]]),
        references=known,
        data={
            "name": bench.dataset.name,
            "digest": digest_of_data(bench.dataset, bench.found),
            "images": len(bench.dataset),
            "parts": bench.split.sizes,
        },
        graph=fitted.graph,
    )
    folder = bench.workplace / SEALED
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    return seal(sealing, folder)


def _measure(bench: _Bench, fitted: _Fitted, digest: str) -> Learned:
    """Open the locked test for the sealed package, and put its figures and its card into it."""
    out, split, found = bench.workplace / SEALED, bench.split, bench.found
    test = np.array(split.open_test(digest), dtype=np.int64)
    part = bench.dataset.subset(test.tolist())
    speaker = Speaker(open_package(out, Trust({digest})), threads=1)
    neighbour = found.baseline.of(test, split.groups)
    known = Known(
        groups=split.groups[test],
        copied=_met_in_training(found, split)[test],
        baseline={} if neighbour is None else {"nearest neighbour": neighbour},
        cues=found.shortcuts,
        marks=split.marks,
    )
    measured = evaluate_cases(part, speaker, Options(), known, bench.listener)
    preparation = bench.plan.preparation()
    pixels = np.stack([prepare(middle(part.images(case)), preparation) for case in measured.cases])
    agreement = check_agreement(fitted.trained.network, fitted.graph, pixels)
    weights = parameters(fitted.trained.network)
    facts = facts_for_card(bench.dataset, found, split, bench.plan, (speaker.package, weights))
    if not speaker.package.has(NOVELTY):
        facts = replace(facts, limits=(*facts.limits, WITHOUT_NOVELTY))
    words = card(measured.evaluation, facts, bench.task)
    figures = {**measured.evaluation.to_json(), "curves": curves(measured.rows, bench.task)}
    digest = with_figures(out, figures, words, agreement)
    speaker = Speaker(open_package(out, Trust({digest})), threads=1)
    bench.run.tags({"package": digest, "data": digest_of_data(bench.dataset, found)})
    bench.run.figures({name: figure.value for name, figure in measured.evaluation.whole.metrics.items()})
    return Learned(out, digest, measured, bench.plan, bench.made.folder, bench.workplace, found, speaker)


def _met_in_training(found: Audit, split: Split) -> NDArray[np.bool_]:
    """(N,) whether a case is a copy of one in an open part: only where a supplied split that leaks was kept."""
    seen = {i for cases in split.parts.values() for i in cases}
    copies = found.grouping.copies  # of many exact copies not every pair is listed
    met = np.isin(copies, copies[sorted(seen)])
    for pair in found.pairs:
        met[pair.a] |= pair.b in seen
        if pair.b is not None:
            met[pair.b] |= pair.a in seen
    return met


def planned(dataset: Dataset, task: Task, found: Audit, wished: tuple[Sequence[str], int]) -> Plan:
    """The plan of a run, with what its folds cost; wished = (changed lines, seed).

    Raises:
        UsageError: a line does not fit. DataError: nothing can be read.
    """
    if found.statistics is None:
        raise DataError(f"{dataset.name}: no labelled image can be read")
    changes, seed = wished
    facts = facts_of(found.statistics, found.shortcuts)
    plan = make_plan(facts, task, means=means_here(), changes=changes, seed=seed)
    check_taken(plan)
    if not plan.folds or plan.distill:
        return plan
    why = f"{plan.reasons.get('folds', '')}; no novelty reference: {FOLDS_TAKE_ALL}".removeprefix("; ")
    return replace(plan, reasons={**plan.reasons, "folds": why})


def check_carries(dataset: Dataset, found: Audit, split: Split, plan: Plan) -> None:
    """Nothing, where the data can carry what is planned.

    Raises:
        DataError: a class has too few images. UsageError: there are more folds than it fills.
    """
    check_enough(dataset, found, split, 0 if plan.distill else plan.folds)
    check_folds(dataset, split, plan.folds)


def _keep(folder: Path, found: Audit, split: Split, plan: Plan) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in (
        ("audit.json", found.to_json()),
        ("split.json", split.to_json(found.paths)),
        ("plan.json", plan.to_json()),
    ):
        write_whole(folder / name, json.dumps(value, indent=1).encode())
    found.fingerprints.save(folder / FINGERPRINTS)  # which pictures there are: an erasure finds them by it


def _tell(listener: Listener, found: Audit, split: Split, plan: Plan, side: int) -> None:
    tell_ahead(listener, found, split, side)
    listener.say("plan:")
    for name, value, reason in plan.lines():
        if reason:
            listener.say(f"  {name:<18} {value:<12} {reason}")
