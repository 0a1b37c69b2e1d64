"""A backup -> checked, then an installation again where HILUM_HOME says."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from hilum.interfaces.cli.opened import missing
from hilum.settings import Settings

DESCRIPTION = """Check the hashes of a backup and verify its records and images, then copy it into an empty HILUM_HOME.
Nothing is restored over what is there. What was erased since the backup is back: erase it again."""
EXAMPLES = """examples:
  HILUM_HOME=/srv/hilum hilum restore /backup/2026-07-01

exit code: 0 restored, 1 the backup is damaged or does not verify (nothing was restored), 2 wrong use"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("source", metavar="DIR", type=Path, help="what `hilum backup` wrote")
    parser.add_argument("--with-faults", action="store_true", help="restore records that do not verify, too")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Restore; returns the exit code."""
    try:
        from hilum.flows.backup import restore
        from hilum.interfaces.cli.progress import bars_on_a_terminal
    except ModuleNotFoundError as error:
        raise missing(error) from error
    with bars_on_a_terminal(settings.progress_file, as_json=arguments.json) as bars:
        found = restore(arguments.source, settings, with_faults=arguments.with_faults, listener=bars)
    restored = found is None or not found.faults or arguments.with_faults
    if arguments.json:
        print(json.dumps({"restored": restored, **(asdict(found) if found else {})}, indent=2))
        return not restored
    for fault in found.faults if found else ():
        print(fault, file=sys.stderr)
    records = f"{found.rows} records, {found.images} kept images" if found else "no records"
    if restored:
        print(f"restored {records} to {settings.home}")
    else:
        print(f"nothing was restored: {len(found.faults) if found else 0} fault(s) in {records}; --with-faults does")
    return not restored
