"""The shared folders -> the three shipped networks, trained and sealed below OUT/sealed, without figures yet.

`make models` runs it, then figures.py, and puts what came of both in the place of `models/`.
Usage: python recipes/shipped.py [--data ../shared/data] [--out models-build] [--only seal|train]
About two hours and a half on two cores that compute in bf16; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the script is run by its path

from recipes import brain, chest
from recipes.ground import read_ground
from recipes.sealing import seal_task
from recipes.together import combine

TASKS = ("pneumonia-cxr", "brain-tumor-mri", "brain-tumor-presence-mri")


def main() -> None:
    """Train what is asked for, then seal it."""
    options = _options()
    if options.only != "seal":
        for recipe in (chest, brain):
            for member in recipe.MEMBERS:
                recipe.make(options.data, options.out, member)
    if options.only != "train":
        sealed = options.out / "sealed"
        shutil.rmtree(sealed, ignore_errors=True)  # of a run before: a sealed package is never written over
        ground = read_ground(options.data)
        for task in TASKS:
            combine(task, ground, options.out)
            print(task, seal_task(task, ground, options.out, sealed), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HILUM_DATA", "../shared/data")))
    parser.add_argument("--out", type=Path, default=Path("models-build"))
    parser.add_argument("--only", choices=("train", "seal"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
