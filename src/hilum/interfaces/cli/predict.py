"""Paths -> a readable table or one JSON object a line; the door of the predict flow."""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from hilum import bootstrap
from hilum.errors import UsageError
from hilum.flows.bulk import Line, Unread, predict_paths
from hilum.flows.predict import Options
from hilum.flows.reading import Item
from hilum.interfaces.cli.inputs import expand
from hilum.interfaces.cli.table import NOTHING, PredictionTable
from hilum.model.calibration import read_prevalence
from hilum.settings import Settings

DESCRIPTION = (
    "Classify images: PNG, JPEG, TIFF, BMP, WebP and DICOM files, folders of them, s3:// gs:// az:// https://."
)
EXAMPLES = """examples:
  hilum predict scan.dcm                                   which task fits is found out (--task auto)
  hilum predict images/ --task pneumonia-cxr --json        one JSON object a line on stdout
  hilum predict film.png --operating-point screening       miss as little as possible
  hilum predict film.png --prevalence 0.02                 probabilities for a place where 2% are ill
  hilum predict film.png --explain why/                    heatmaps into why/
  hilum predict s3://bucket/films/ https://host/a.dcm      fetched while the first are answered, kept nowhere

A DICOM file is seen through its first window: docs/how-to/choose-a-dicom-window.md says why, and what else to do.
exit code: 0 done (a refusal is an answer), 2 wrong use, 3 some input was unreadable (the others were answered)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="files, folders, addresses; - reads paths from stdin",
    )
    parser.add_argument(
        "--task", default="auto", help="a task, a task file, or auto (default): a shipped one that fits"
    )
    parser.add_argument("--model", metavar="REF", help="name, name@version, digest prefix or path of a package")
    parser.add_argument("--operating-point", default="balanced", metavar="NAME", help="balanced (default), screening …")
    parser.add_argument("--prevalence", metavar="P", help="share with disease where this is used, or one share a class")
    parser.add_argument("--explain", type=Path, metavar="DIR", help="write heatmaps into this folder")
    parser.add_argument("--method", choices=("cam", "occlusion", "lime"), help="kind of heatmap (default: cam)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Answer every path; returns the exit code."""
    if arguments.method and not arguments.explain:
        raise UsageError("--method says how the heatmaps of --explain DIR are drawn: name that folder, too")
    options = Options(arguments.operating_point, read_prevalence(arguments.prevalence))
    paths = expand(arguments.paths, arguments.explain)
    lines = _explained(paths, arguments, settings, options) if arguments.explain else None
    if lines is None:
        opening = functools.partial(bootstrap.desk, settings, task=arguments.task, model=arguments.model)
        alone = functools.partial(opening, threads=settings.threads)
        lines = predict_paths(paths, opening, options, workers=settings.workers, here=alone)
    unread = _print_json(lines) if arguments.json else _print_table(lines)
    return 3 if unread else 0


def to_json(line: Line) -> str:
    """One line of --json."""
    if isinstance(line, Unread):
        return json.dumps({"file": line.file, "error": line.error, "code": line.code})
    return json.dumps(line.to_json())


def _print_json(lines: Iterator[Line]) -> int:
    unread, some = 0, False
    for line in lines:
        unread, some = unread + isinstance(line, Unread), True
        sys.stdout.write(to_json(line) + "\n")
    if not some:
        print(f"hilum predict: {NOTHING}", file=sys.stderr)
    return unread


def _print_table(lines: Iterator[Line]) -> int:
    table = PredictionTable()
    for line in lines:
        table.add(line)
    table.close()
    return table.unread


def _explained(
    paths: Iterator[Item], arguments: argparse.Namespace, settings: Settings, options: Options
) -> Iterator[Line]:
    from hilum.flows.explain import explain_paths  # drawing is opened only where asked for

    desk = bootstrap.desk(settings, task=arguments.task, model=arguments.model, threads=settings.threads)
    return explain_paths(paths, desk, options, folder=arguments.explain, method=arguments.method or "cam")
