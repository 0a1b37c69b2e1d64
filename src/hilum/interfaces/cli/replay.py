"""The id of a prediction -> whether the same package still gives the same answer."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hilum import bootstrap
from hilum.errors import UnreadableImage
from hilum.interfaces.cli.opened import places_of
from hilum.secret import content_names, read_secret
from hilum.settings import Settings

DESCRIPTION = "Answer a recorded prediction again, with the same package, image, operating point and prevalence."
EXAMPLES = """examples:
  hilum replay 6b0c4f3e-…                     from the kept image
  hilum replay 6b0c4f3e-… --image scan.dcm    where it was not kept; it must be the very same file

exit code: 0 the same class and probabilities (within 1e-6), 1 another answer or no image, 2 wrong use"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("id", metavar="ID", help="of the prediction")
    parser.add_argument("--image", type=Path, metavar="FILE", help="the image, where it was not kept")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Ask again; returns the exit code."""
    with places_of(settings) as places:
        from hilum.flows.replay import Past, replay

        past = Past(
            places.records,
            places.images,
            lambda digest: bootstrap.desk(settings, model=digest),
            content_names(read_secret(settings.secret_file)),
        )
        found = replay(arguments.id, past, None if arguments.image is None else _read(arguments.image))
    if arguments.json:
        print(json.dumps(asdict(found), indent=2))
    else:
        print(f"{found.id}  {found.model}\nthen  {_words(found.then)}\nnow   {_words(found.now)}")
        print(f"{'the same' if found.same else 'NOT the same'} (largest difference {found.difference:.2g})")
        if found.why:
            print(found.why)
    return int(not found.same)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableImage(str(path), f"cannot be opened ({error.strerror})") from error


def _words(said: Any) -> str:
    if said["class"] is None:
        return f"refused: {', '.join(said['reasons'])}"
    return f"{said['class']} {said['probability']:.6f}"
