"""The curves that a package keeps are those of the report, whole, in order, and fit for JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hilum.evaluate.charts import (
    curves,
    decision,
    drawn,
    explorer,
    precision_recall,
    reliability,
    risk_coverage,
    roc,
    scores,
)
from hilum.evaluate.rows import Rows
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


def answered(rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stated probability of disease, truth and answer, of the cases that were not refused."""
    kept = ~rows.refused
    return 1 - rows.probabilities[kept, CHEST.negative], rows.labels[kept] != CHEST.negative, rows.predicted[kept]


def test_the_decision_curve_is_what_is_won_less_what_the_false_alarms_cost() -> None:
    rows = made_rows(CHEST)
    score, truth, _ = answered(rows)
    model, everyone, none = decision(rows, CHEST).lines
    assert none.points == ((0, 0), (1, 0))
    for line, called_at in ((model, lambda t: score >= t), (everyone, lambda _: np.ones_like(truth))):
        for t, worth in line.points[::7]:
            called = called_at(t)
            expected = (called & truth).mean() - (called & ~truth).mean() * t / (1 - t)
            assert worth == pytest.approx(expected, abs=1e-5)
    assert len(everyone.points) > 20


def test_the_dot_on_the_roc_curve_stands_where_the_answers_are() -> None:
    rows = made_rows(CHEST)
    _, truth, predicted = answered(rows)
    (dot,) = roc(rows, CHEST).dots
    called = predicted != CHEST.negative
    assert (dot.x, dot.y) == pytest.approx((called[~truth].mean(), called[truth].mean()))


def test_the_spread_of_those_without_the_disease_bears_their_name() -> None:
    rows = made_rows(CHEST, skill=6.0)
    chart = scores(rows, CHEST, 0.42)
    score, truth, _ = answered(rows)
    for bars, kind in zip(chart.bars, (~truth, truth), strict=True):
        assert sum(bars.heights) == pytest.approx(1.0)
        middles = (np.array(bars.edges[1:]) + bars.edges[:-1]) / 2
        assert np.dot(middles, bars.heights) == pytest.approx(score[kind].mean(), abs=0.0125)
    assert [bars.name for bars in chart.bars] == [CHEST.labels[CHEST.negative].title, "Disease"]
    assert chart.mark == 0.42


def test_a_coin_reaches_the_share_of_disease_among_the_answered() -> None:
    rows = made_rows(CHEST)
    share = answered(rows)[1].mean()
    coin = precision_recall(rows, CHEST).lines[-1]
    assert coin.name.startswith("A coin")
    assert coin.points == ((0, pytest.approx(share)), (1, pytest.approx(share)))


def test_the_last_point_of_risk_is_the_share_of_wrong_answers_and_reliability_is_of_the_answered() -> None:
    rows = made_rows(CHEST)
    kept = ~rows.refused
    assert risk_coverage(rows).lines[0].points[-1] == (
        1.0,
        pytest.approx(np.mean((rows.predicted != rows.labels)[kept]), abs=1e-5),
    )
    stated, right = np.transpose(reliability(rows).lines[1].points)
    sizes = [int(dot.name.split(" ")[0]) for dot in reliability(rows).dots]
    assert np.average(stated, weights=sizes) == pytest.approx(rows.probabilities[kept].max(axis=1).mean())
    assert np.average(right, weights=sizes) == pytest.approx(
        np.mean(rows.probabilities[kept].argmax(axis=1) == rows.labels[kept])
    )
