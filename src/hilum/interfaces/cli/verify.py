"""The records -> sound, or a sentence for each thing that is not."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from hilum.interfaces.cli.opened import places_of
from hilum.settings import Settings

DESCRIPTION = "Check that no record was changed, deleted, reordered or cut off, and that every kept image is there."
EXAMPLES = """examples:
  hilum verify                     every row, checkpoint and kept image
  hilum verify --no-images         the records only

exit code: 0 everything fits, 1 something does not (each in a sentence), 2 wrong use"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--no-images", action="store_true", help="leave out the kept images")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Check; returns the exit code."""
    with places_of(settings) as places:
        from hilum.flows.verify import verify

        found = verify(places.records, None if arguments.no_images else places.images)
    if arguments.json:
        print(json.dumps(asdict(found) | {"sound": not found.faults}, indent=2))
        return bool(found.faults)
    for fault in found.faults:
        print(fault, file=sys.stderr)
    looked = f"{found.rows} records, {found.checkpoints} checkpoints, {found.images} kept images"
    print(f"{len(found.faults)} fault(s) in {looked}" if found.faults else f"sound: {looked}")
    return bool(found.faults)
