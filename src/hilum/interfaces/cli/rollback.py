"""A task and a reason -> the package that spoke before the last promotion speaks again, and that stands on record."""

from __future__ import annotations

import argparse

from hilum.errors import UnknownTask
from hilum.interfaces.cli.decided import add_reason, decide
from hilum.interfaces.cli.opened import recorded
from hilum.registry.pins import known_packages
from hilum.settings import Settings

DESCRIPTION = """Take the last promotion of a task back: who spoke before speaks again. Nothing is deleted; the history
gets one more line. Given again it takes back the promotion before that one, down to the shipped package."""
EXAMPLES = """examples:
  hilum rollback pneumonia-cxr --why "refuses too many films of the mobile unit"
  hilum history pneumonia-cxr                       who spoke when

exit code: 0 done, 1 the earlier package is damaged or not trusted any more, 2 wrong use (nothing was promoted)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("task", metavar="TASK", help="the clinical question, as `hilum tasks` lists it")
    add_reason(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Roll back; returns the exit code."""
    if not recorded(settings) and arguments.task not in {known.task for known in known_packages(settings)}:
        raise UnknownTask(f"no package answers {arguments.task!r}; `hilum models` lists those there are")
    return decide("rollback", arguments.task, arguments, settings)
