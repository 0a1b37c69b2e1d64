"""A package and a reason -> it speaks for its task from now on, and that stands on record."""

from __future__ import annotations

import argparse

from hilum.interfaces.cli.decided import add_reason, decide
from hilum.settings import Settings

DESCRIPTION = """Let a package speak for its task from now on. It is opened, checked and tried out first; who did it,
when and why stays on record (`hilum history`). A running server that shares the database takes the change over within
seconds, without a restart or a failed request. The package that answers by default can be promoted, too: it then stays
where a later release ships another. `hilum predict` asks no database: name a package with its --model."""
EXAMPLES = """examples:
  hilum promote pneumonia-cxr@2.0.0 --why "0.02 better AUROC on our own films, see report 12"
  hilum promote 3f9c1d --why "trained on the new scanner too"      by the start of a digest, as `hilum models` lists it
  hilum promote pneumonia-cxr@1.1.0 --why "validated here"         the shipped one: no upgrade puts another in its place

exit code: 0 it speaks, 1 the package is damaged or not trusted, 2 wrong use (no such package; promoted already)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", metavar="REF", help="name@version, name@latest, or the start of a digest")
    add_reason(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Promote; returns the exit code."""
    return decide("promote", arguments.model, arguments, settings)
