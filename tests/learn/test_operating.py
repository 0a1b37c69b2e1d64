"""Operating points of a handful of scores, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from hilum.learn.operating import operating_points
from hilum.learn.scores import group_folds, make_scores
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


@pytest.mark.parametrize("helps_both", [True, False])
def test_a_threshold_that_helps_in_one_half_of_the_groups_only_is_not_taken(helps_both: bool) -> None:
    """In one half the diseased are torn between two diseases, in the other a lower threshold alarms the healthy."""
    labels = np.repeat([0, 1, 2], 60)
    groups = np.arange(labels.size)
    torn = (group_folds(groups, 2) == 0) | helps_both
    odds = np.where(labels == 0, np.where(torn, -4.0, -1.5), np.where(torn, 0.3, 1.0))
    logits = np.zeros((labels.size, 3))
    logits[:, 1:] = (odds - np.log(2))[:, None]
    for disease in (1, 2):
        share = np.where(torn, 0.51, 0.9)[labels == disease]
        logits[labels == disease, disease] = odds[labels == disease] + np.log(share)
        logits[labels == disease, 3 - disease] = odds[labels == disease] + np.log(1 - share)
    found = {point.name: point for point in operating_points(make_scores(logits, labels, groups), task_of(3))}
    assert found["balanced"].threshold == (pytest.approx(expit(-1.85)) if helps_both else None)


def test_copies_of_one_picture_do_not_decide_whether_a_threshold_helps() -> None:
    """A fifth of one disease is found by a threshold alone, for one healthy picture that is there 301 times."""
    labels, groups = np.repeat([0, 1, 2], 60), np.arange(180)
    half = group_folds(groups, 2)
    odds = np.where(labels == 0, -4.0, 3.0)
    torn = np.concatenate([np.flatnonzero((labels == 1) & (half == side))[:6] for side in (0, 1)])
    odds[torn], odds[0] = 0.3, 0.4
    share = np.full((180, 2), 0.5)
    share[labels == 1], share[labels == 2], share[torn] = (0.9, 0.1), (0.1, 0.9), (0.51, 0.49)
    logits = np.concatenate([np.zeros((180, 1)), odds[:, None] + np.log(share)], axis=1)
    rows = np.concatenate([groups, np.zeros(300, np.int64)])
    found = {point.name: point for point in operating_points(make_scores(logits[rows], labels[rows], rows), task_of(3))}
    assert found["balanced"].threshold == pytest.approx(expit(-1.85))
    assert found["balanced"].specificity == pytest.approx(59 / 60)
