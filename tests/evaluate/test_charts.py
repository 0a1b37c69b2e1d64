"""The curves that a package keeps are those of the report, whole, in order, and fit for JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hilum.evaluate.charts import curves, decision, drawn, explorer, scores
from hilum.task import Task
from tests.evaluate.made import BRAIN, CHEST, made_rows


@pytest.mark.parametrize(("task", "names"), [(CHEST, 1), (BRAIN, 4)])
def test_a_package_keeps_every_curve(task: Task, names: int) -> None:
    rows = made_rows(task)
    kept = json.loads(json.dumps(curves(rows, task)))
    assert len(kept["roc"]) == names
    for points in kept["roc"].values():
        assert (points[0], points[-1]) == ([0, 0], [1, 1])
        assert points == sorted(points)
    assert sum(count for _, _, count in kept["reliability"]) == int((~rows.refused).sum())
    assert all(0 <= share <= 1 for stated, right, _ in kept["reliability"] for share in (stated, right))


def test_of_many_classes_those_hardest_to_tell_are_drawn() -> None:
    healthy = replace(BRAIN.labels[BRAIN.negative or 0], title="Healthy", negative=True)
    ill = (replace(healthy, name=f"c{i}", title=f"C{i}", negative=False) for i in range(9))
    task = replace(BRAIN, labels=(healthy, *ill))
    rows = made_rows(task, n=600)
    sharp = np.where(np.isin(rows.labels, (2, 5))[:, None], np.eye(10)[rows.labels], rows.probabilities)
    names = [name for name, _, _ in drawn(replace(rows, probabilities=sharp), task)]
    assert len(names) == 6
    assert names[0] == "Any of them"
    assert not {"C1", "C4"} & set(names)
    assert names[1:] == sorted(names[1:])


def test_nothing_answered_leaves_no_reliability() -> None:
    assert "reliability" not in curves(made_rows(CHEST, n=12, refused=12), CHEST)


def test_without_an_image_free_of_disease_nothing_is_drawn_of_its_presence() -> None:
    rows = made_rows(BRAIN)
    ill = np.flatnonzero(rows.labels != BRAIN.negative)
    picked = replace(
        rows, ids=tuple(rows.ids[i] for i in ill), labels=rows.labels[ill], groups=rows.groups[ill],
        probabilities=rows.probabilities[ill], predicted=rows.predicted[ill], sets=None, copied=None, subgroups={},
        reasons=tuple(rows.reasons[i] for i in ill), baselines={},
    )  # fmt: skip
    assert decision(picked, BRAIN) is None
    assert scores(picked, BRAIN, 0.5) is None
    assert explorer(picked, BRAIN, (0.5,)) is None
    assert decision(rows, BRAIN) is not None
