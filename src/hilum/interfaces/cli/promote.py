"""A package and a reason -> it speaks for its task from now on, and that stands on record."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from hilum.errors import UsageError
from hilum.interfaces.cli.opened import records_of
from hilum.model.package import digest_of
from hilum.registry.pins import champion_for
from hilum.settings import Settings

if TYPE_CHECKING:  # SQLAlchemy stands behind it: not for `hilum --help`
    from hilum.registry.history import Event

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


def add_reason(parser: argparse.ArgumentParser) -> None:
    """What every change of who speaks needs."""
    parser.add_argument("--why", required=True, metavar="TEXT", help="the reason, for whoever reads the history")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Promote; returns the exit code."""
    why = reason(arguments.why)
    with records_of(settings) as records:
        from hilum.access.caller import CONSOLE
        from hilum.flows.promotion import Decision, promote

        event = promote(arguments.model, records, settings, Decision(CONSOLE.id, why))
    tell(event, as_json=arguments.json)
    if not arguments.json and event.before is None and event.digest == digest_of(champion_for(event.task, settings)):
        print("it answered by default already; from now on it stays where a later release ships another")
    return 0


def reason(said: str) -> str:
    """The reason, in one line.

    Raises:
        UsageError: there is none, or a whole report.
    """
    why = " ".join(said.split())
    if not why or len(why) > 2000:
        raise UsageError("--why: give a reason, in at most 2,000 characters")
    return why


def tell(event: Event, *, as_json: bool) -> None:
    """Say what changed."""
    if as_json:
        print(json.dumps(asdict(event)))
        return
    before = "the shipped package" if event.before is None else event.before[:12]
    print(f"{event.reference} speaks for {event.task} from now on; before: {before}")
