"""The settings -> a table of names, values and meanings."""

from __future__ import annotations

import argparse
import json
import os
import sys

from hilum.settings import SETTINGS, Settings, warnings_of, without_secrets

DESCRIPTION = "Every setting, its value now and what it is for. Settings are environment variables HILUM_…"
EXAMPLES = """examples:
  hilum settings
  HILUM_HOME=/srv/hilum hilum settings --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Show the settings as they were read."""
    for words in warnings_of(settings):
        print(f"hilum settings: {words}", file=sys.stderr)
    rows = [(f"HILUM_{s.name}", _shown(s.name, settings), s.help) for s in SETTINGS]
    if arguments.json:
        print(json.dumps({name: {"value": value, "help": text} for name, value, text in rows}, indent=2))
        return 0
    for name, value, text in rows:
        print(f"{name:<20} {value or '(not set)'}{'' if name in os.environ else '   (default)'}\n{'':20} {text}")
    return 0


def _shown(name: str, settings: Settings) -> str:
    """The value as it is written, without what is secret in it."""
    found = getattr(settings, name.lower())
    if isinstance(found, tuple):
        value = (os.pathsep if name == "DATA_ROOTS" else ",").join(map(str, found))
    else:
        value = "" if found is None else str(found)
    return "(hidden)" if value and name.endswith("_SECRET") else without_secrets(value)
