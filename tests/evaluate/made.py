"""Made rows for the tests of this room: a classifier of stated skill, with groups, copies, refusals and sources."""

from __future__ import annotations

import numpy as np

from hilum.evaluate.rows import Rows, Setting
from hilum.task import Task, find_task

CHEST = find_task("pneumonia-cxr")
BRAIN = find_task("brain-tumor-mri")


def made_rows(task: Task = CHEST, n: int = 200, skill: float = 2.0, seed: int = 0, refused: int = 6) -> Rows:
    """Pairs of cases make a group; every fifth case is a copy and answered right; the first `refused` are refused."""
    generator = np.random.default_rng(seed)
    classes = len(task.classes)
    labels = generator.integers(0, classes, n)
    labels[:classes] = np.arange(classes)
    logits = generator.normal(size=(n, classes))
    logits[np.arange(n), labels] += skill
    copied = np.arange(n) % 5 == 4
    logits[copied, labels[copied]] += 9
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    predicted[:refused], probabilities[:refused] = -1, np.nan
    return Rows(
        ids=tuple(f"{task.classes[labels[i]]}/image_{i:04d}.png" for i in range(n)),
        labels=labels,
        groups=np.arange(n) // 2,
        probabilities=probabilities,
        predicted=predicted,
        reasons=tuple(("out_of_distribution",) if i < refused else () for i in range(n)),
        subgroups={
            "source": tuple("north" if i % 3 else "south" for i in range(n)),
            "format": ("PNG",) * n,
            "size": tuple(("128 to 255", "512 to 1023", "")[i % 3] for i in range(n)),
        },
        copied=copied,
        sets=np.nan_to_num(probabilities) >= 0.1,
        baselines={"nearest neighbour": np.where(generator.random(n) < 0.8, labels, (labels + 1) % classes)},
    )


def made_setting(**changes: object) -> Setting:
    """Few draws, everything filled in."""
    values: dict[str, object] = {
        "source": "made/images",
        "model": {"name": "made", "version": "1.0", "digest": "ab" * 32},
        "threshold": 0.42,
        "cues": {"file size": 0.91, "brightness": 0.55},
        "unreadable": (("broken.png", "truncated"),),
        "draws": 60,
    }
    return Setting(**(values | changes))  # type: ignore[arg-type]
