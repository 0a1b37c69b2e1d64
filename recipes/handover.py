"""A trained network -> what calibration and sealing read: weights, how to build it, logits of held-out parts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from hilum.image.prepare import Preparation
from hilum.learn.networks import build
from hilum.learn.train import logits
from recipes.ground import Ground

HELD_OUT = ("tune", "calibrate", "test")


@dataclass(frozen=True, slots=True)
class Made:
    """What a recipe decided."""

    task: str
    classes: tuple[str, ...]
    config: Mapping[str, Any]  # of the network; `classes` is the number of logits
    preparation: Preparation
    notes: Mapping[str, Any]  # seconds, epochs, seed: for the card
    name: str = "residual"


def save(folder: Path, network: nn.Module, made: Made) -> None:
    """weights.safetensors and network.json."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: value.contiguous() for name, value in network.state_dict().items()}, folder / "weights.safetensors"
    )
    said = asdict(made)
    (folder / "network.json").write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")


def load(folder: Path) -> tuple[nn.Module, Made]:
    """What `save` wrote, the network in eval mode."""
    said = json.loads((folder / "network.json").read_text(encoding="utf-8"))
    network = build(said["name"], said["config"])
    network.load_state_dict(load_file(folder / "weights.safetensors"))
    made = Made(
        said["task"],
        tuple(said["classes"]),
        said["config"],
        Preparation(**said["preparation"]),
        said["notes"],
        said["name"],
    )
    return network.eval(), made


def save_logits(
    file: Path, network: nn.Module, ground: Ground, rows: NDArray[np.int64], pixels: NDArray[np.uint8], truth: Any,
    copies: Mapping[str, NDArray[np.uint8]] | None = None,
) -> None:  # fmt: skip
    """Logits of the held-out rows in full precision.

    pixels: (n, 1, S, S) of `rows`; truth: (n,) index of the class, -1 where the task's classes do not say it.
    copies: stressed copies of the same rows, stored as `stress_<kind>`.
    """
    arrays = {
        "index": rows, "logits": logits(network, pixels), "labels": np.asarray(truth), "groups": ground.group[rows],
        "sources": ground.source[rows], "parts": ground.part[rows], "paths": np.array([ground.path[i] for i in rows]),
    }  # fmt: skip
    arrays |= {f"stress_{kind}": logits(network, stressed) for kind, stressed in (copies or {}).items()}
    np.savez_compressed(file, **arrays)
