"""The records -> sound, or a sentence for each thing that is not."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.flows.backed_up import as_backed_up
from hilum.interfaces.cli.opened import places_of, secret_of
from hilum.settings import Settings
from hilum.sqlite import writable

if TYPE_CHECKING:  # SQLAlchemy stands behind it: not for `hilum --help`
    from hilum.flows.verify import Verified
    from hilum.interfaces.cli.progress import Bars

DESCRIPTION = "Check that no record was changed, deleted, reordered or cut off, and that every kept image is there."
EXAMPLES = """examples:
  hilum verify                     every row, checkpoint and kept image
  hilum verify --no-images         the records only
  HILUM_HOME=/media/audit hilum verify      a backup, or a copy on a read-only disc: nothing is written

exit code: 0 everything fits, 1 something does not (each in a sentence), 2 wrong use"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--no-images", action="store_true", help="leave out the kept images")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Check; returns the exit code."""
    from hilum.interfaces.cli.progress import bars_on_a_terminal

    with bars_on_a_terminal(settings.progress_file, as_json=arguments.json) as bars:
        found = _verified(settings, bars, images=not arguments.no_images)
    if arguments.json:
        print(json.dumps(asdict(found) | {"sound": not found.faults}, indent=2))
        return bool(found.faults)
    for fault in found.faults:
        print(fault, file=sys.stderr)
    looked = f"{found.rows} records, {found.checkpoints} checkpoints, {found.images} kept images"
    print(f"{len(found.faults)} fault(s) in {looked}" if found.faults else f"sound: {looked}")
    return bool(found.faults)


def _verified(settings: Settings, bars: Bars, *, images: bool) -> Verified:
    file = Path(settings.database_url.removeprefix("sqlite:///"))
    if file.is_file() and (as_backed_up(settings.home) or not writable(file)):
        from hilum.flows.verify import Lying, verify_as_it_lies

        at = Lying(file, settings.heads, settings.images_url if images else None)
        return verify_as_it_lies(at, secret_of(settings), bars)
    with places_of(settings) as places:
        from hilum.flows.verify import verify

        return verify(places.records, places.images if images else None, bars)
