"""The curves that a package keeps are those of the report, whole, in order, and fit for JSON."""

from __future__ import annotations

import json

import pytest

from hilum.evaluate.charts import curves
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


def test_nothing_answered_leaves_no_reliability() -> None:
    assert "reliability" not in curves(made_rows(CHEST, n=12, refused=12), CHEST)
