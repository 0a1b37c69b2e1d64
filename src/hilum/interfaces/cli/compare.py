"""A source and names of networks -> the same data learned by each, side by side."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hilum.durable import write_whole
from hilum.errors import UsageError
from hilum.evaluate.compare_report import as_html, as_json, as_text
from hilum.flows.compare import compare_networks
from hilum.interfaces.cli.progress import Bars
from hilum.interfaces.cli.source import add_source_arguments, open_labelled
from hilum.interfaces.cli.train import changes_of, quiet_libraries
from hilum.learn.compare import plans_of
from hilum.learn.networks import NETWORKS
from hilum.learn.plan import Plan
from hilum.learn.planning import check_seed
from hilum.settings import Settings
from hilum.task import find_task

DESCRIPTION = "Train several networks on one split and show parameters, accuracy with interval and time side by side."
EXAMPLES = f"""examples:
  hilum compare images/ --task pneumonia-cxr --networks residual-m,cnn-3block,cnn-2block
  hilum compare images/ --task my.toml --networks residual-s,resnet50-transfer --report out/ --set epochs=5

networks: {", ".join(NETWORKS)}

Every network is trained on the same images and answers the same held-back ones; the locked test stays shut. Stopped by
Ctrl+C or a crash, the same command goes on where it was. Figures and times are for this data and this machine.

exit code: 0 done, 1 the data cannot carry a training, or it failed, 2 wrong use, 3 the source cannot be read,
130 stopped by Ctrl+C or SIGTERM"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_source_arguments(parser)
    parser.add_argument("--task", required=True, metavar="T", help="a task, or a task file of your own")
    parser.add_argument("--networks", required=True, metavar="A,B,…", help="names with commas")
    parser.add_argument("--set", action="append", default=[], metavar="LINE", help="a line of the plan: epochs=3")
    parser.add_argument("--seed", type=int, default=0, help="of split and training (default 0)")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write the page into this folder")
    parser.add_argument("--json", action="store_true", help="the comparison as JSON on stdout")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Compare the networks named."""
    quiet_libraries()
    task = find_task(arguments.task)
    wanted = tuple(name.strip() for name in arguments.networks.split(",") if name.strip())
    if not wanted:
        raise UsageError(f"--networks: name at least one of {', '.join(NETWORKS)}")
    plans_of(wanted, Plan(), arguments.set)  # what is mistyped is said before anything is read
    check_seed(arguments.seed)
    if arguments.report:
        arguments.report.mkdir(parents=True, exist_ok=True)  # what keeps it from being written is said before the work
    with Bars(file=settings.progress_file) as bars:
        dataset = open_labelled(arguments, settings, bars, task)
        plan = (changes_of(arguments), arguments.seed)
        contenders = compare_networks(dataset, task, wanted, plan, (settings.home / "runs", bars))
        if arguments.report:
            write_whole(arguments.report / "index.html", as_html(contenders, task).encode())
            bars.say(f"report: {arguments.report / 'index.html'}")
    print(json.dumps(as_json(contenders, task)) if arguments.json else as_text(contenders, task))
    return 0
