"""Perfect answers: every figure keeps a doubt that shrinks with the number of groups."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.metrics.answers import Answers
from hilum.metrics.certainty import widened
from hilum.metrics.figures import class_figures, figures
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


def test_what_is_counted_for_each_figure_decides_its_doubt() -> None:
    """Three classes of 40, 20 and 10 patients with two images each, all right: by the classes that a figure is of."""
    labels = np.repeat([0, 1, 2], [80, 40, 20])
    answers = Answers(np.eye(3)[labels], labels, labels, np.arange(140) // 2, 0, ())
    found = figures(answers, draws=20)
    of = {n: wilson(n, n).low for n in (70, 40, 30, 20, 10)}
    each = (of[40] + of[20] + of[10]) / 3
    expected = {"accuracy": of[70], "balanced_accuracy": each, "recall": each, "sensitivity": of[30],
                "specificity": of[40], "auroc": of[10], "f1": of[10]}  # fmt: skip
    assert {name: found[name].low for name in expected} == pytest.approx(expected)
    own = class_figures(answers, 1, draws=20)
    assert own["sensitivity"].low == own["recall"].low == pytest.approx(of[20])
    assert own["specificity"].low == pytest.approx(wilson(50, 50).low)


def test_of_two_classes_recall_is_of_the_disease_alone() -> None:
    labels = np.repeat([0, 1], [40, 10])
    found = figures(Answers(np.eye(2)[labels], labels, labels, np.arange(50), 0, ()), draws=20)
    assert found["recall"].low == found["sensitivity"].low == pytest.approx(wilson(10, 10).low)


def test_two_patients_are_few_but_not_one() -> None:
    labels = np.repeat([0, 1], [40, 10])
    groups = np.append(np.arange(40), np.repeat([98, 99], 5))
    found = figures(Answers(np.eye(2)[labels], labels, labels, groups, 0, ()), draws=20)
    assert found["sensitivity"].low == pytest.approx(wilson(2, 2).low)


def test_a_refused_case_is_no_hit_of_a_predictive_value() -> None:
    """Of 20 diseased ten were refused: half of a true part that is weighed against the false alarms that may be."""
    labels = np.repeat([0, 1], 20)
    predicted = np.where(np.arange(40) < 30, labels, -1)
    found = figures(Answers(np.eye(2)[labels], predicted, labels, np.arange(40), 0, (0.1,)), draws=20)
    alarms = 1 - wilson(20, 20).low
    assert found["ppv_at_prevalence_0.1"].value == 1.0
    assert found["ppv_at_prevalence_0.1"].low == pytest.approx(0.05 / (0.05 + alarms * 0.9))


def test_a_predictive_value_of_an_answer_that_nobody_got_is_none() -> None:
    labels = np.repeat([0, 1], 20)
    healthy = Answers(np.eye(2)[np.zeros(40, int)], np.zeros(40, int), labels, np.arange(40), 0, (0.1,))
    assert np.isnan(figures(healthy, draws=20)["ppv_at_prevalence_0.1"].value)


def test_predictive_values_of_nought_keep_a_doubt() -> None:
    """No disease found in 20: up to a sixth of it could be, so that the PPV of the alarms is not surely 0."""
    labels = np.repeat([0, 1], [40, 20])
    predicted = np.where(np.arange(60) < 10, 1, 0)  # ten false alarms, every disease missed
    found = figures(Answers(np.eye(2)[predicted], predicted, labels, np.arange(60), 0, (0.1,)), draws=50)
    bound = wilson(0, 20).high
    assert found["ppv_at_prevalence_0.1"].value == 0.0
    assert found["ppv_at_prevalence_0.1"].low == 0.0
    assert found["ppv_at_prevalence_0.1"].high == pytest.approx(bound * 0.1 / (bound * 0.1 + 0.25 * 0.9))

    reversed_ = figures(Answers(np.eye(2)[1 - labels], 1 - labels, labels, np.arange(60), 0, (0.1,)), draws=50)
    assert reversed_["npv_at_prevalence_0.1"].value == 0.0
    assert reversed_["npv_at_prevalence_0.1"].high > 0.0


def test_cases_of_one_patient_say_nothing_of_their_own_class_either() -> None:
    """Three classes; the ten images of the second one are of one patient, six of them found."""
    labels = np.repeat([0, 1, 2], [40, 10, 40])
    predicted = labels.copy()
    predicted[40:44] = 0
    groups = np.where(labels == 1, 99, np.arange(90))
    answers = Answers(np.eye(3)[predicted], predicted, labels, groups, 0, ())
    own = class_figures(answers, 1, draws=50)
    assert (own["sensitivity"].value, own["sensitivity"].to_json()["low"]) == (0.6, None)
    assert class_figures(answers, 2, draws=50)["sensitivity"].low == pytest.approx(wilson(40, 40).low)


def test_the_doubt_of_a_predictive_value_is_of_patients_and_not_of_their_images() -> None:
    labels = np.repeat([0, 1], 40)
    found = figures(Answers(np.eye(2)[labels], labels, labels, np.arange(80) // 4, 0, (0.1,)), draws=20)
    alarms = 1 - wilson(10, 10).low  # of forty healthy images of ten people
    assert found["ppv_at_prevalence_0.1"].low == pytest.approx(0.1 / (0.1 + alarms * 0.9))
