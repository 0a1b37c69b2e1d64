"""A package or a task, what is to be done with it, and a reason -> done, told, and on record."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

from hilum.errors import UsageError
from hilum.interfaces.cli.opened import records_of
from hilum.model.package import digest_of
from hilum.registry.pins import champion_for
from hilum.settings import Settings
from hilum.task import is_shipped

if TYPE_CHECKING:  # SQLAlchemy stands behind it: not for `hilum --help`
    from hilum.registry.history import Event


def add_reason(parser: argparse.ArgumentParser) -> None:
    """What every change of who speaks needs."""
    parser.add_argument("--why", required=True, metavar="TEXT", help="the reason, for whoever reads the history")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def decide(act: Literal["promote", "rollback"], subject: str, arguments: argparse.Namespace, settings: Settings) -> int:
    """Do it as whoever sits at the console; returns the exit code.

    Raises:
        UsageError: no reason is given, or a whole report; or there is nothing to be done.
        MissingExtra: the serving part is not installed.
        PackageError: the package must not speak.
    """
    why = _reason(arguments.why)
    with records_of(settings) as records:
        from hilum.access.caller import CONSOLE
        from hilum.flows.promotion import Decision, promote, roll_back
        from hilum.registry.history import history

        done = {"promote": promote, "rollback": roll_back}[act]
        event = done(subject, records, settings, Decision(CONSOLE.id, why))
        before = _before(event, history(records, event.task))
    _tell(event, before, as_json=arguments.json)
    if act == "promote" and not arguments.json and _answered_before(event, settings):
        print("it answered by default already; from now on it stays where a later release ships another")
    return 0


def _answered_before(event: Event, settings: Settings) -> bool:
    return (
        event.before is None
        and is_shipped(event.task)
        and event.digest == digest_of(champion_for(event.task, settings))
    )


def _reason(said: str) -> str:
    why = " ".join(said.split())
    if not why or len(why) > 2000:
        raise UsageError("--why: give a reason, in at most 2,000 characters")
    return why


def _tell(event: Event, before: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(event)))
        return
    print(f"{event.reference} speaks for {event.task} from now on; before: {before}")
    print("a server that runs follows within seconds")


def _before(event: Event, events: Sequence[Event]) -> str:
    """Who spoke before, by name and version, which are on record with its promotion though it may be removed since."""
    if event.before is not None:
        reference = next(one.reference for one in events if one.digest == event.before)
        return f"{reference} ({event.before[:12]})"
    return "the shipped package" if is_shipped(event.task) else "nobody"
