"""A folder -> a backup of everything that is kept here, made while the server goes on."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from hilum.interfaces.cli.opened import missing
from hilum.settings import Settings

DESCRIPTION = """Copy records, users, images, the secret, training copies, works, packages and pins into a new folder,
with a hash of each file. A server may go on writing meanwhile. What lies in PostgreSQL or in a bucket is named: it has
tools of its own."""
EXAMPLES = """examples:
  hilum backup /backup/2026-07-01                     one folder for each backup, readable by its owner only
  HILUM_HOME=/backup/2026-07-01 hilum verify          is every record and image in it? nothing is written"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("to", metavar="DIR", type=Path, help="a folder that is new or empty")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Back up; returns the exit code."""
    try:
        from hilum.flows.backup import back_up
        from hilum.interfaces.cli.progress import bars_on_a_terminal
    except ModuleNotFoundError as error:
        raise missing(error) from error
    with bars_on_a_terminal(settings.progress_file, as_json=arguments.json) as bars:
        done = back_up(settings, arguments.to, bars)
    if arguments.json:
        print(json.dumps(asdict(done)))
        return 0
    print(
        f"backed up {done.files} {'file' if done.files == 1 else 'files'}, {done.bytes / 1e6:.1f} MB, in {arguments.to}"
    )
    for said in done.apart:
        print(f"NOT IN IT  {said}")
    return 0
