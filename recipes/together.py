"""The same recipe trained from several seeds -> one network that answers with the mean of their logits.

Under another hospital's films what differs between seeds is chance; the mean leaves more of what they agree in. Weights
are moved to where 16 bits hold them (hilum/learn/halve.py), so that two networks fit the size of one.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from hilum.learn.halve import rounded
from hilum.learn.networks.average import average_of
from recipes.handover import load, save

SEEDS = (0, 1)


def folder_of(out: Path, seed: int) -> Path:
    """Where the networks of one seed lie."""
    return out / f"seed-{seed}"


def combine(task: str, out: Path) -> None:
    """Write `out/<task>/`: the mean of all seeds' members, their mean logits, and the parts, which are the same."""
    members = [load(folder_of(out, seed) / task) for seed in SEEDS]
    made = members[0][1]
    config = {"classes": len(made.classes), "member": made.name, "config": dict(made.config), "count": len(SEEDS)}
    notes = {
        "members": len(SEEDS),
        "seeds": list(SEEDS),
        "epochs": made.notes["epochs"],
        "seconds": sum(one.notes["seconds"] for _, one in members),
        "computing": made.notes["computing"],
    }
    network = average_of([rounded(one) for one, _ in members])
    save(out / task, network, replace(made, name="average", config=config, notes=notes))
    _mean_logits([folder_of(out, seed) / task / "logits.npz" for seed in SEEDS], out / task / "logits.npz")
    shutil.copyfile(folder_of(out, SEEDS[0]) / task / "parts.csv", out / task / "parts.csv")


def _mean_logits(files: list[Path], target: Path) -> None:
    each = [np.load(file) for file in files]
    arrays = {name: each[0][name] for name in each[0].files}
    if any(not np.array_equal(one["index"], arrays["index"]) for one in each):
        raise ValueError(f"{files}: the members were not tried on the same images")
    scored = [name for name in arrays if name == "logits" or name.startswith("stress_")]
    arrays |= {name: np.mean([one[name] for one in each], axis=0) for name in scored}
    np.savez_compressed(target, **arrays)
