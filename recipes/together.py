"""The members of a task -> one network that answers with the mean of their logits, and its held-out logits.

A residual network from a random start and a tuned one err on different images; seeds of one design err on the same.
Weights are moved to where few bits hold them (hilum/learn/halve.py), so that both fit a package.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from hilum.learn.halve import rounded
from hilum.learn.networks.mixture import mixture_of
from recipes import brain, chest
from recipes.ground import Ground, prepared
from recipes.handover import load, save, save_logits


def combine(task: str, ground: Ground, out: Path) -> None:
    """Write `out/<task>/`: the mixture, its logits of the held-out parts, and the parts."""
    recipe = chest if task == "pneumonia-cxr" else brain
    folders = [out / member.folder / task for member in recipe.MEMBERS]
    members = [load(folder) for folder in folders]
    largest = max((made for _, made in members), key=lambda made: made.preparation.size)
    sides = [made.preparation.size for _, made in members]
    network = mixture_of([rounded(one) for one, _ in members], sides)
    parts = [{"name": made.name, "config": _plain(made.config), "side": made.preparation.size} for _, made in members]
    config = {"classes": len(largest.classes), "members": parts}
    notes = {f"{made.name} {key}": value for _, made in members for key, value in made.notes.items()}
    save(out / task, network, replace(largest, name="mixture", config=config, notes=notes))
    held = np.load(folders[0] / "logits.npz")
    rows, truth, how = held["index"], held["labels"], largest.preparation
    copies = chest.stressed(ground, rows, truth, how) if recipe is chest else None
    pixels = prepared([ground.films[i] for i in rows], how)
    save_logits(out / task / "logits.npz", network, ground, rows, pixels, truth, copies)
    shutil.copyfile(folders[0] / "parts.csv", out / task / "parts.csv")


def _plain(config: object) -> dict[str, object]:
    return {key: value for key, value in dict(config).items() if key != "classes"}  # type: ignore[call-overload]
