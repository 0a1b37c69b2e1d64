"""The records -> who spoke for which task since when, who decided it, and why."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hilum.errors import UnknownTask, printable
from hilum.interfaces.cli.opened import records_of
from hilum.registry.questions import known_tasks
from hilum.settings import Settings
from hilum.task import is_shipped

if TYPE_CHECKING:  # SQLAlchemy stands behind it: not for `hilum --help`
    from hilum.registry.history import Event

DESCRIPTION = """Who spoke for which task since when, newest first: every promotion and every rollback with its reason.
Before the first line of a task its shipped package spoke."""
EXAMPLES = """examples:
  hilum history                                 every task
  hilum history pneumonia-cxr --json            one task; times in microseconds since 1970, UTC"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("task", nargs="?", metavar="TASK", help="one task only")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """List; returns the exit code."""
    with records_of(settings) as records:
        from hilum.registry.history import history

        events = history(records, arguments.task)
    names = [task.name for task in known_tasks(settings)]
    if arguments.task and not events and arguments.task not in names:
        raise UnknownTask(f"no task '{arguments.task}' on record; there are: {', '.join(names)}")
    if arguments.json:
        print(json.dumps([asdict(event) for event in events], indent=2))
        return 0
    for event in events:
        print(_row(event))
    if not events:
        print(f"nothing was promoted: {_by_default(arguments.task)}")
    return 0


def _by_default(task: str | None) -> str:
    if task is None:
        return "each shipped package speaks"
    return "its shipped package speaks" if is_shipped(task) else "nobody speaks for it on a server yet"


def _row(event: Event) -> str:
    at = datetime.fromtimestamp(event.at / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
    by_default = "shipped" if is_shipped(event.task) else "–"
    digest = by_default if event.digest is None else event.digest[:12]
    head = f"{at}Z  {event.act:<8}  {event.task:<26} {event.reference:<32} {digest:<12}  by {event.caller}"
    return f"{head}\n    {printable(event.why) or 'no reason given'}"
