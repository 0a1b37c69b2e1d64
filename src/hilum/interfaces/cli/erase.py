"""Which predictions -> their images, names, notes and training copies gone; the records say that they were erased."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict

from hilum.errors import UsageError
from hilum.interfaces.cli.opened import places_of
from hilum.settings import Settings

DESCRIPTION = "Erase the image, file name, notes and training copies of predictions. What was answered stays on record."
EXAMPLES = """examples:
  hilum erase 6b0c4f3e-…          one prediction, and every other one of the very same image
  hilum erase --older-than 365    everything from more than 365 days ago
  hilum erase --caller key-7      everything that one caller sent
  hilum erase --left-over         images that no record names, left behind by a crash more than an hour ago"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("id", nargs="?", metavar="ID", help="of a prediction")
    parser.add_argument("--older-than", type=int, metavar="DAYS", help="everything that is older")
    parser.add_argument("--caller", metavar="ID", help="everything of one caller")
    parser.add_argument("--left-over", action="store_true", help="images that no record names")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Erase; returns the exit code."""
    given = [arguments.id is not None, arguments.older_than is not None, bool(arguments.caller), arguments.left_over]
    if sum(given) != 1:
        raise UsageError("say what to erase: an ID, --older-than DAYS, --caller ID or --left-over; one of them")
    if arguments.older_than is not None and arguments.older_than < 0:
        raise UsageError(f"--older-than {arguments.older_than}: must not be negative")
    with places_of(settings) as places:
        from hilum.flows.erase import erase_caller, erase_older, erase_one, sweep

        if arguments.left_over:
            swept = sweep(places)
            print(json.dumps({"images": swept}) if arguments.json else f"removed {swept} image(s) that no record names")
            return 0
        if arguments.id is not None:
            done = erase_one(arguments.id, places)
        elif arguments.caller:
            done = erase_caller(arguments.caller, places)
        else:
            done = erase_older((int(time.time()) - arguments.older_than * 86_400) * 1_000_000, places, why="age")
    if arguments.json:
        print(json.dumps(asdict(done)))
    else:
        print(
            f"erased {done.images} image(s), {done.personal} name(s) and note(s) and {done.copies} training copies "
            f"of {done.predictions} prediction(s)"
        )
    return 0
