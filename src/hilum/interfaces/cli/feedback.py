"""The id of a recorded answer and what is right -> on record beside the answer."""

from __future__ import annotations

import argparse
import json

from hilum.errors import UsageError
from hilum.interfaces.cli.opened import places_of
from hilum.settings import Settings

DESCRIPTION = """Say whether a recorded answer was right, as the page Read and POST /feedback do: it stands on record
beside the answer, never in its place, said by whoever sits at the console."""
EXAMPLES = """examples:
  hilum feedback 6b0c4f3e-… --agree                            the answer is right
  hilum feedback 6b0c4f3e-… --label pneumonia --note "lingula"  another class is; notes can be erased
  hilum feedback 6b0c4f3e-… --withdraw                         what the console said before counts no more"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("id", metavar="ID", help="of the prediction")
    said = parser.add_mutually_exclusive_group(required=True)
    said.add_argument("--label", metavar="CLASS", help="the right class, in the task's words or a synonym")
    said.add_argument("--agree", action="store_true", default=None, help="the answer is right")
    said.add_argument("--withdraw", action="store_true", help="take back what the console said to it")
    parser.add_argument("--note", default="", metavar="TEXT", help="for people; kept apart and erasable")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Put it on record; returns the exit code."""
    note = arguments.note.encode("utf-8", "replace").decode()  # what a terminal sent in other letters
    with places_of(settings) as places:
        from hilum.access.caller import CONSOLE
        from hilum.flows.feedback import NOTE, Said, give_feedback

        if len(note) > NOTE:
            raise UsageError(f"--note: at most {NOTE:,} letters")
        said = Said(arguments.label, arguments.agree, arguments.withdraw, note)
        done = give_feedback(arguments.id, said, CONSOLE.id, places.records, settings)
    print(json.dumps(done) if arguments.json else _words(done["class"], agrees=done["agrees"]))
    return 0


def _words(label: str | None, *, agrees: bool | None) -> str:
    if label is None:
        return "taken back: what the console said to this answer counts no more"
    return f"on record: {label}, {'as answered' if agrees else 'which is not what was answered'}"
