"""A source and a task -> a sealed package with its report; the door of the learn flow."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

from hilum.data.audit import audit
from hilum.data.audit_report import write_audit_report
from hilum.data.dataset import Dataset
from hilum.data.split import make_split
from hilum.errors import UsageError
from hilum.evaluate.text import text
from hilum.flows.alone import place_held, sweep_place
from hilum.flows.backed_up import check_openable
from hilum.flows.enough import tell_ahead
from hilum.flows.learn import Learned, Wishes, check_carries, learn, planned
from hilum.flows.report import write_evaluation_report
from hilum.interfaces.cli.progress import Bars
from hilum.interfaces.cli.source import add_source_arguments, open_labelled
from hilum.learn.plan import Plan, check_taken, override
from hilum.learn.planning import check_seed
from hilum.learn.tracking import hush, store_uri
from hilum.registry.pins import pin, trained_folder
from hilum.settings import Settings
from hilum.task import Task, find_task, task_text

DESCRIPTION = "Audit, split, plan, train, calibrate, seal and measure: from labelled images to a package."
EXAMPLES = """examples:
  hilum train chest-xray/ --task pneumonia-cxr
  hilum train images/ --task ./my-task.toml --set epochs=10 --set network=cnn-3block
  hilum train images/ --task brain-tumor-mri --tune 20       search learning rate, dropout, head, augmentation first
  hilum train images/ --task brain-tumor-mri --plan          print the plan and its reasons, train nothing

SOURCE is most simply one folder a class (or train/ and test/ with such folders); about 20 images of each class at
least, some hundreds for figures worth having. Unreadable files are left out and listed. A run lies in HILUM_HOME/runs;
its package goes to HILUM_HOME/models or --out and answers nobody until `hilum promote`. Stopped by Ctrl+C or a crash,
the same command goes on where it was, searches of --tune too.

exit code: 0 done, 1 the data cannot carry a training, or it failed, 2 wrong use, 3 the source cannot be read,
130 stopped by Ctrl+C or SIGTERM"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_source_arguments(parser)
    parser.add_argument("--task", required=True, metavar="T", help="a task, or a task file of your own")
    parser.add_argument("--network", metavar="N", help="a network by name instead of the planned one")
    parser.add_argument("--set", action="append", default=[], metavar="LINE", help="a line of the plan: epochs=3")
    parser.add_argument("--tune", type=int, default=0, metavar="N", help="trials of a search before training")
    parser.add_argument(
        "--folds", type=int, default=0, metavar="K", help="train K networks, average them (no novelty check then)"
    )
    parser.add_argument("--distill", action="store_true", help="with --folds: one network learns from all K instead")
    parser.add_argument("--seed", type=int, default=0, help="of split and training (default 0)")
    parser.add_argument("--keep-split", action="store_true", help="keep a split that leaks; figures are marked")
    parser.add_argument("--plan", action="store_true", help="print the plan with its reasons and stop")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the package goes (default: HILUM_HOME/models)")
    parser.add_argument("--no-tracking", action="store_true", help="do not record the run in MLflow")
    parser.add_argument("--json", action="store_true", help="package and evaluation (or the plan) as one JSON object")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Train and say what came of it."""
    quiet_libraries()
    task = find_task(arguments.task)
    if arguments.tune < 0 or arguments.folds < 0 or arguments.folds == 1:
        raise UsageError("--tune: 1 trial or more; --folds: 2 networks or more; without them, leave the option out")
    plan = override(Plan(), changes_of(arguments))  # what is mistyped is said before anything is read
    check_seed(arguments.seed)
    if arguments.network:
        check_taken(plan)
    check_openable(settings.home)
    with Bars(file=settings.progress_file) as bars:
        dataset = open_labelled(arguments, settings, bars, task)
        if arguments.plan:
            _show_plan(dataset, task, arguments, bars)
            return 0
        wishes = _wishes(arguments, settings, task.name)
        pages: dict[str, str] = {}

        def finish(learned: Learned) -> None:
            """All before the package is in its place: there a kill, or a full disk, must not leave it untrusted."""
            pages.update(_reports(learned, dataset, bars))
            pin(settings, learned.package, f"trained on {dataset.name}", wishes.out.resolve())

        with place_held(wishes.out):
            learned = learn(dataset, task, wishes, bars, finish)
    if arguments.json:
        found = learned.measured.evaluation.to_json()
        said = {"package": str(learned.package), "digest": learned.digest, "reports": pages, "evaluation": found}
        print(json.dumps(said))
    else:
        print(text(learned.measured.evaluation, task))
        print(f"\npackage  {learned.package}\ndigest   {learned.digest}")
        print(f"report   {pages['evaluation']}\naudit    {pages['audit']}")
    return 0


def quiet_libraries() -> None:
    """Keep the libraries' own chatter off the terminal; what matters is said by us."""
    warnings.filterwarnings("ignore", module=r"(lightning|torch|monai|mlflow|optuna)")
    for name in ("lightning", "lightning.pytorch", "mlflow", "alembic", "optuna", "torch.onnx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    hush()


def changes_of(arguments: argparse.Namespace) -> tuple[str, ...]:
    """The lines of the plan that the command line changes."""
    named = [f"network={arguments.network}"] if getattr(arguments, "network", None) else []
    folds = [f"folds={arguments.folds}"] if getattr(arguments, "folds", 0) else []
    distill = ["distill=yes"] if getattr(arguments, "distill", False) else []
    return (*named, *folds, *distill, *arguments.set)


def _wishes(arguments: argparse.Namespace, settings: Settings, name: str) -> Wishes:
    out = arguments.out or _claimed(trained_folder(settings) / name)
    return Wishes(
        name=name,
        version=_now() if arguments.out else out.name,
        task_text=task_text(arguments.task),
        runs=settings.home / "runs",
        out=out,
        changes=changes_of(arguments),
        trials=arguments.tune,
        keep_split=arguments.keep_split,
        seed=arguments.seed,
        tracking="" if arguments.no_tracking else store_uri(settings.home),
    )


def _claimed(folder: Path) -> Path:
    """A place named by the time, held by an empty folder: two trainings may begin in one second, and end hours later.

    A kill leaves such a folder behind, and so does every try of a training that is killed again and again: the next
    one takes them away.

    Raises:
        OSError: the disk does not take it.
    """
    for old in folder.glob("[0-9]*.[0-9]*"):
        sweep_place(old)
    while True:
        out = folder / _now()
        with contextlib.suppress(FileExistsError):
            out.mkdir(parents=True)
            return out
        time.sleep(0.1)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y%m%d.%H%M%S")


def _show_plan(dataset: Dataset, task: Task, arguments: argparse.Namespace, bars: Bars) -> None:
    """The plan, and then what a training would refuse: a plan for data that carry none must not look like one."""
    bars.stage("auditing", len(dataset))
    found = audit(dataset, progress=bars.done)
    plan = planned(dataset, task, found, (changes_of(arguments), arguments.seed))
    split = make_split(dataset, found, seed=arguments.seed, keep=arguments.keep_split)
    tell_ahead(bars, found, split, task.smallest_side)
    if arguments.json:
        print(json.dumps({"plan": {name: {"value": value, "reason": reason} for name, value, reason in plan.lines()}}))
    else:
        print("\n".join(f"{name:<18} {value:<14} {reason}".rstrip() for name, value, reason in plan.lines()))
    check_carries(dataset, found, split, plan)


def _reports(learned: Learned, dataset: Dataset, bars: Bars) -> dict[str, str]:
    """The pages of the run, by what they are of."""
    bars.stage("writing the reports")
    audited = write_audit_report(learned.audit, dataset, learned.folder / "audit")
    evaluated = write_evaluation_report(learned.measured, dataset, learned.speaker, learned.workplace / "report")
    for prepared in learned.folder.glob("prepared-*.npy"):
        prepared.unlink()
    return {"evaluation": str(evaluated.resolve()), "audit": str(audited.resolve())}
