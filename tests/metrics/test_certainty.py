"""Perfect answers: every figure keeps a doubt that shrinks with the number of groups."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.metrics.answers import Answers
from hilum.metrics.certainty import widened
from hilum.metrics.figures import figures
from hilum.metrics.intervals import Interval, wilson


def perfect(n: int, classes: int = 2) -> Answers:
    """Every case its own group, every answer right and sure."""
    labels = np.arange(n) % classes
    return Answers(np.eye(classes)[labels], labels, labels, np.arange(n), 0, (0.01, 0.5))


def test_ppv_of_a_rare_disease_stays_in_doubt() -> None:
    """No false alarm among 50 allows for 7% of them, which at 1% prevalence leaves little of the PPV."""
    found = figures(perfect(100), draws=20)
    alarms = 1 - wilson(50, 50).low
    assert found["ppv_at_prevalence_0.01"].value == 1.0
    assert found["ppv_at_prevalence_0.01"].low == pytest.approx(0.01 / (0.01 + alarms * 0.99))
    assert found["npv_at_prevalence_0.01"].low == pytest.approx(0.99 / (0.99 + alarms * 0.01))


@pytest.mark.parametrize("classes", [2, 4])
def test_no_perfect_figure_is_certain(classes: int) -> None:
    """Each figure of 1 has a lower end below it, and a higher one with more cases."""
    few, many = figures(perfect(40, classes), draws=20), figures(perfect(400, classes), draws=20)
    ones = [name for name, found in few.items() if found.value == 1.0]
    assert {"accuracy", "auroc", "f1", "specificity", "sensitivity_at_specificity_0.95"} <= set(ones)
    for name in ones:
        assert few[name].low < many[name].low < 1.0, name
        assert few[name].high == 1.0


def test_an_interval_with_spread_is_left_as_it_is() -> None:
    """Only what the bootstrap cannot say is said by Wilson."""
    for found in (Interval(1.0, 0.9, 1.0), Interval(0.5, 0.5, 0.5)):
        assert widened("accuracy", found, perfect(10), None) == found


def test_cases_of_one_patient_say_nothing_of_the_spread() -> None:
    """Ten images of one, six found: no interval, as of any figure of a single group."""
    labels = np.repeat([0, 1], [40, 10])
    predicted = labels.copy()
    predicted[-4:] = 0
    groups = np.append(np.arange(40), np.full(10, 99))
    found = figures(Answers(np.eye(2)[predicted], predicted, labels, groups, 0, ()), draws=50)
    assert (found["sensitivity"].value, found["sensitivity"].to_json()["low"]) == (0.6, None)
    assert found["specificity"].to_json()["low"] is not None


def test_a_reading_of_nought_keeps_a_doubt() -> None:
    labels = np.repeat([0, 1], 20)
    score = np.where(labels == 1, 0.2, 0.8)  # every positive below every negative
    answers = Answers(np.stack([1 - score, score], axis=1), np.zeros(40, int), labels, np.arange(40), 0, ())
    found = figures(answers, draws=20)["sensitivity_at_specificity_0.95"]
    assert found.value == 0.0
    assert found.high > 0.05
