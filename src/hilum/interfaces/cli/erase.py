"""Which predictions or uploads -> images, names, notes and copies gone; the records say that they were erased."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hilum.errors import UsageError
from hilum.interfaces.cli.opened import places_of
from hilum.secret import read_secret
from hilum.settings import Settings

if TYPE_CHECKING:  # SQLAlchemy stands behind it: not for `hilum --help`
    from hilum.flows.erase import Places

DESCRIPTION = """Erase the image, file name, notes and training copies of predictions, and the same picture in batches
that still wait, fetched data sets and runs of trainings. What was answered stays on record. Uploads of audits and
evaluations that hold it, and packages that learned from it, are named. By age also the addresses of failed sign-ins."""
EXAMPLES = """examples:
  hilum erase 6b0c4f3e-…          one prediction, and every other one of the very same image
  hilum erase --older-than 365    everything from more than 365 days ago
  hilum erase --caller rita       everything that one user sent, unfinished batches and uploads too
  hilum erase --caller h3x9Qk2L…  the same for the user of a key (`hilum users key list` says its id)
  hilum erase --work 2f61…        the upload of one audit or evaluation, with its report and result
  hilum erase --left-over         images, whole or half, that no record names, left by a crash more than an hour ago"""

WORDS = (
    "erased {images} image(s), {personal} name(s), note(s) and address(es) and {copies} training copies "
    "of {predictions} prediction(s), and {files} file(s) of batches, uploads and trainings"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("id", nargs="?", metavar="ID", help="of a prediction")
    parser.add_argument("--older-than", type=int, metavar="DAYS", help="everything that is older")
    parser.add_argument("--caller", metavar="WHO", help="everything of one user: name, id, or id of a key")
    parser.add_argument("--work", metavar="ID", help="the upload, report and result of an audit or evaluation")
    parser.add_argument("--left-over", action="store_true", help="images that no record names")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Erase; returns the exit code."""
    days, chosen = arguments.older_than, (arguments.id, arguments.older_than, arguments.caller, arguments.work)
    if sum(one is not None for one in chosen) + arguments.left_over != 1:
        raise UsageError(
            "say what to erase: an ID, --older-than DAYS, --caller WHO, --work ID or --left-over; one of them"
        )
    if days is not None and days < 0:
        raise UsageError(f"--older-than {days}: must not be negative")
    with places_of(settings) as places:
        from hilum.flows.erase import erase_caller, erase_older, erase_one, sweep
        from hilum.flows.retention import days_ago

        if arguments.left_over:
            return _told({"images": sweep(places)}, "removed {images} image(s) that no record names", arguments)
        if arguments.work is not None:
            return _told(
                {"files": _remove(arguments.work, settings)}, "removed {files} upload(s) and what came of it", arguments
            )
        if arguments.id is not None:
            done = erase_one(arguments.id, places)
        elif arguments.caller is not None:
            done = erase_caller(_caller(arguments.caller, places, settings), places)
        else:
            done = erase_older(days_ago(days), places, why="age")
    _told(asdict(done), WORDS, arguments)
    for said in () if arguments.json else done.removed:
        print(f"removed whole  {said}")
    for said in () if arguments.json else done.still:
        print(f"STILL THERE  {said}")
    for said in () if arguments.json else done.unsearched:
        print(f"not looked into  {said}")
    return 0


def _caller(said: str, places: Places, settings: Settings) -> str:
    """Who is meant, as the records name them.

    Raises:
        UsageError: nobody.
    """
    from hilum.access.access import open_access
    from hilum.access.caller import LOCAL
    from hilum.errors import NotFound

    if said == LOCAL.id or places.records.has_caller(said):
        return said
    access = open_access(settings.database_url, read_secret(settings.secret_file))
    try:
        owner = next((key.user for key in access.keys.all() if key.id == said), said)
        return access.users.find(owner).id
    except NotFound as error:
        raise UsageError(
            f"--caller {said[:64]!r}: no user, no key and nothing on record of that name; give a user's name or id "
            "(`hilum users list`), the id of a key (`hilum users key list`), or local where nobody signs in"
        ) from error
    finally:
        access.close()


def _remove(identity: str, settings: Settings) -> int:
    from hilum.jobs.erasing import WORKS, Uploads

    return Uploads(settings.home / WORKS, lambda _: "").remove(identity)


def _told(said: dict[str, Any], words: str, arguments: argparse.Namespace) -> int:
    print(json.dumps(said) if arguments.json else words.format(**said))
    return 0
