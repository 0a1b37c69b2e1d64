"""What a training depends on -> the name of the folder that keeps its work; reads no image.

Work is taken up again only where the same would be done again: with the same images in the same parts and groups, the
same labels, task and finished plan, from the same published weights.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hilum.data.dataset import Dataset
from hilum.data.findings import Audit
from hilum.data.split import Split, folds
from hilum.flows.material import digest_of_data, places
from hilum.learn.networks import takes
from hilum.learn.networks.pretrained import IMAGENET_LITE0, at_hand
from hilum.learn.plan import LINES, Plan
from hilum.task import Task


def run_name(dataset: Dataset, task: Task, found: Audit, split: Split, plan: Plan) -> str:
    """The task's name and twelve digits, which are others where anything that training reads is another.

    The data's digest alone would not do: patients and what the audit binds together are not part of it.
    """
    numbers, parts = places(split)
    grounds = {
        "data": digest_of_data(dataset, found),
        "task": asdict(task),
        "plan": mark_of(plan),
        "cases": [found.digests[i] for i in numbers],
        "labels": dataset.labels[numbers].tolist(),
        "groups": np.unique(split.groups[numbers], return_inverse=True)[1].tolist(),
        "parts": {name: part.tolist() for name, part in parts.items()},
        "folds": [np.searchsorted(numbers, held).tolist() for _, held in folds(split, plan.folds)]
        if plan.folds
        else [],
    }
    return f"{task.name}-{_digits(grounds)}"


def mark_of(plan: Plan) -> str:
    """Twelve digits of a finished plan and the weights that its network starts from; reasons do not count."""
    return _digits({**{name: getattr(plan, name) for name in LINES}, "start": _start(plan)})


def _start(plan: Plan) -> str:
    """The weights at hand, as far as this can be told without asking anybody."""
    if plan.weights == "none" or not takes(plan.network, "weights"):
        return ""
    if plan.weights == "auto":
        return str(at_hand(IMAGENET_LITE0))
    file = Path(plan.weights)
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def _digits(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
