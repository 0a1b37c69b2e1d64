"""Operating points of a handful of scores, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from hilum.learn.operating import operating_points
from hilum.learn.scores import make_scores
from hilum.model.calibration import OperatingPoint
from tests.learn.test_calibrate import task_of

HEALTHY = [-4.0, -3.0, -2.0, -1.0]  # log odds of the disease


def points(healthy: list[float], diseased: list[float], copies: int = 1) -> dict[str, OperatingPoint]:
    """Of two classes; the last one of the diseased is there so many times."""
    odds = np.array([*healthy, *diseased, *diseased[-1:] * (copies - 1)])
    labels = np.array([0] * len(healthy) + [1] * (len(odds) - len(healthy)))
    groups = np.minimum(np.arange(odds.size), len(healthy) + len(diseased) - 1)
    scores = make_scores(np.stack([np.zeros_like(odds), odds], axis=1), labels, groups)
    return {point.name: point for point in operating_points(scores, task_of(2))}


def test_a_threshold_stands_in_the_middle_of_the_gap() -> None:
    found = points(HEALTHY, [2.0, 3.0])
    assert [point.threshold for point in found.values()] == pytest.approx([expit(0.5)] * 3)
    assert {(point.sensitivity, point.specificity, point.note) for point in found.values()} == {(1.0, 1.0, "")}
    assert (found["balanced"].positives, found["balanced"].negatives) == (2, 4)


def test_screening_misses_nobody_and_ruling_in_alarms_nobody_at_the_least_cost_of_the_other() -> None:
    found = points(HEALTHY, [-2.5, 1.0, 2.0, 3.0])
    expected = {"screening": (-2.75, 1.0, 0.5), "balanced": (-1.5, 0.75, 0.75), "rule-in": (0.0, 0.75, 1.0)}
    for name, (odds, sensitivity, specificity) in expected.items():
        assert found[name].threshold == pytest.approx(expit(odds)), name
        assert (found[name].sensitivity, found[name].specificity) == (sensitivity, specificity), name
        assert not found[name].note


def test_copies_of_one_picture_move_no_threshold() -> None:
    assert points(HEALTHY, [1.0, 2.0, 3.0, -2.5], copies=50) == points(HEALTHY, [1.0, 2.0, 3.0, -2.5])


@pytest.mark.parametrize(
    ("healthy", "diseased", "name"),
    [(HEALTHY, [-5.0, 1.0, 2.0, 3.0], "screening"), ([*HEALTHY, 5.0], [1.0, 2.0, 3.0], "rule-in")],
)
def test_where_only_everybody_or_nobody_reaches_the_target_the_balanced_threshold_is_used_and_it_is_said(
    healthy: list[float], diseased: list[float], name: str
) -> None:
    found = points(healthy, diseased)
    assert found[name].threshold == found["balanced"].threshold
    assert [point.name for point in found.values() if "could not be reached" in point.note] == [name]


def test_a_target_is_reached_by_one_standard_error_of_the_number_of_groups() -> None:
    """Of 400 the error of 95% is 1.09%: 385 are caught, not 380; and as many healthy ones let go."""
    odds = np.arange(400) / 20 - 10.0
    found = points((odds - 5.01).tolist(), odds.tolist())
    assert found["screening"].sensitivity == 385 / 400
    assert found["rule-in"].specificity == 385 / 400
    assert found["screening"].threshold < found["balanced"].threshold < found["rule-in"].threshold
