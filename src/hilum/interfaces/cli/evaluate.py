"""A labelled source and a package -> how good its answers are, as text, JSON and a report with pictures."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from hilum import bootstrap
from hilum.errors import UsageError, printable_lines
from hilum.evaluate.text import text
from hilum.evaluate.versus import compare, with_versus
from hilum.flows.evaluate import Measured, evaluate_source
from hilum.flows.explain import METHODS, lime
from hilum.flows.predict import Desk, Options, check_options
from hilum.flows.report import write_evaluation_report
from hilum.flows.speaker import Speaker
from hilum.interfaces.cli.progress import Bars
from hilum.interfaces.cli.source import add_source_arguments, open_labelled
from hilum.model.calibration import read_prevalence
from hilum.registry.pins import champion_for
from hilum.settings import Settings
from hilum.task import Task

DESCRIPTION = "Measure a package on labelled images: exactly what is served, refusals counted as wrong, 95% intervals."
EXAMPLES = """examples:
  hilum evaluate test/ --task pneumonia-cxr
  hilum evaluate images/ --task brain-tumor-mri --report out/     curves, errors with heatmaps: out/index.html
  hilum evaluate images/ --task my.toml --report out/ --method lime    its errors explained by LIME
  hilum evaluate labels.csv --task my.toml --model ./mine --json  the evaluation object
  hilum evaluate test/ --task pneumonia-cxr --versus other@2      paired test against another model

exit code: 0 measured, 2 wrong use, 3 the source or some of its files cannot be read (the others are measured)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_source_arguments(parser)
    parser.add_argument("--task", required=True, metavar="T", help="a task, or a task file of your own")
    parser.add_argument("--model", metavar="REF", help="the package to measure (default: the task's champion)")
    parser.add_argument("--versus", metavar="REF", help="a second package: McNemar and paired bootstrap")
    parser.add_argument("--operating-point", default="balanced", metavar="NAME", help="balanced (default), screening …")
    parser.add_argument("--prevalence", metavar="P", help="share with disease where this is used, or one share a class")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write the report into this folder")
    parser.add_argument("--method", choices=METHODS, help="kind of heatmap in the report (default: cam)")
    parser.add_argument("--json", action="store_true", help="the evaluation object on stdout")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Measure; 3 where some case could not be read."""
    task = bootstrap.task_named(arguments.task, settings)
    options = Options(arguments.operating_point, read_prevalence(arguments.prevalence))
    if arguments.method and not arguments.report:
        raise UsageError("--method says how the heatmaps of --report DIR are drawn: name that folder, too")
    if arguments.method == "lime":
        lime()  # that it is missing is said before the work, too
    if arguments.report:
        arguments.report.mkdir(parents=True, exist_ok=True)  # what keeps it from being written is said before the work
    with Bars(quiet=arguments.json and not arguments.report, file=settings.progress_file) as bars:
        speaker = _speaker(arguments.model or str(champion_for(task.name, settings)), task, settings)
        other = _speaker(arguments.versus, task, settings) if arguments.versus else None
        for asked in filter(None, (speaker, other)):  # what is misspelt is said before anything is read
            check_options(options, Desk((asked,)))
        dataset = open_labelled(arguments, settings, bars, speaker.package.task)
        measured = evaluate_source(dataset, speaker, options, bars)
        if other:
            measured = _against(measured, evaluate_source(dataset, other, options, bars), task)
        if arguments.report:
            bars.stage("writing the report")
            page = write_evaluation_report(measured, dataset, speaker, arguments.report, arguments.method or "cam")
            bars.say(f"report: {page}")
    evaluation = measured.evaluation
    print(json.dumps(evaluation.to_json()) if arguments.json else printable_lines(text(evaluation, task)))
    return 3 if evaluation.setting.unreadable else 0


def _speaker(reference: str, task: Task, settings: Settings) -> Speaker:
    """The package named.

    Raises:
        UsageError: it answers another task, or with other classes.
    """
    speaker = bootstrap.speaker(settings, reference)
    answered = speaker.package.task
    if answered.name != task.name:
        raise UsageError(f"{reference} answers {answered.name}, not {task.name}")
    if answered.classes != task.classes:
        said, asked = ", ".join(answered.classes), ", ".join(task.classes)
        raise UsageError(f"{reference} answers {answered.name} with the classes {said}, not {asked}")
    return speaker


def _against(first: Measured, second: Measured, task: Task) -> Measured:
    """The first with its comparison with the second."""
    versus = compare(first.rows, second.rows, task, second.evaluation.setting)
    return replace(first, evaluation=with_versus(first.evaluation, versus))
