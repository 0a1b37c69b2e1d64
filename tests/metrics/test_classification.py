"""Decisions: the same numbers as scikit-learn, and the rule for refused cases."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from hilum.metrics import classification as c


def answers(n: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels in which every class occurs, and predictions of which about two thirds are right."""
    generator = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), generator.integers(0, classes, n)])
    predicted = np.where(generator.random(labels.size) < 0.65, labels, generator.integers(0, classes, labels.size))
    return predicted, labels


@pytest.mark.parametrize("classes", [2, 4])
@given(seed=st.integers(0, 10_000))
def test_agrees_with_scikit_learn_when_nothing_is_refused(classes: int, seed: int) -> None:
    """Accuracy, balanced accuracy, precision, recall and F-scores are the usual ones."""
    predicted, labels = answers(60, classes, seed)
    assert c.accuracy(predicted, labels) == pytest.approx(sk.accuracy_score(labels, predicted))
    assert c.balanced_accuracy(predicted, labels, classes) == pytest.approx(
        sk.balanced_accuracy_score(labels, predicted)
    )
    for ours, theirs in ((c.precision, sk.precision_score), (c.recall, sk.recall_score)):
        assert ours(predicted, labels, classes) == pytest.approx(
            theirs(labels, predicted, average="macro", zero_division=0)
        )
    for beta in (0.5, 1.0, 2.0):
        expected = sk.fbeta_score(labels, predicted, beta=beta, average="macro", zero_division=0)
        assert c.f_score(predicted, labels, classes, beta) == pytest.approx(expected)
    assert np.array_equal(c.confusion(predicted, labels, classes)[:, :-1], sk.confusion_matrix(labels, predicted))


def test_specificity_is_the_recall_of_the_rest() -> None:
    """One class against all others, read from scikit-learn's binary recall."""
    predicted, labels = answers(80, 3, 1)
    expected = sk.recall_score(labels != 2, predicted != 2)
    assert c.specificity(predicted, labels, 3, positive=2) == pytest.approx(expected)


def test_refused_is_wrong_but_is_no_class() -> None:
    """A refusal costs accuracy, recall and specificity, and leaves precision alone."""
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    answered = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    refused = np.array([-1, 0, 0, 1, 1, 1, 1, -1])
    assert c.accuracy(refused, labels) == c.accuracy(answered, labels) - 2 / 8
    assert c.recall(refused, labels, 2, positive=1) == 3 / 4
    assert c.specificity(refused, labels, 2, positive=1) == 2 / 4
    assert c.precision(refused, labels, 2, positive=1) == 3 / 4
    assert c.f_score(refused, labels, 2, 1.0, positive=1) == pytest.approx(2 * 3 / (2 * 3 + 1 + 1))


@given(seed=st.integers(0, 10_000))
def test_refusing_never_raises_accuracy(seed: int) -> None:
    """Whatever is refused, accuracy, balanced accuracy and specificity do not rise."""
    predicted, labels = answers(30, 3, seed)
    refused = np.where(np.random.default_rng(seed).random(labels.size) < 0.2, c.REFUSED, predicted)
    assert c.accuracy(refused, labels) <= c.accuracy(predicted, labels)
    assert c.balanced_accuracy(refused, labels, 3) <= c.balanced_accuracy(predicted, labels, 3)
    assert c.specificity(refused, labels, 3) <= c.specificity(predicted, labels, 3)


def test_detection_counts_another_disease_as_detected() -> None:
    """A glioma answered as meningioma was detected; answered as no tumour it was missed."""
    table = c.confusion(np.array([1, 2, 2, 0, -1]), np.array([0, 0, 2, 2, 1]), 3)
    assert np.array_equal(c.detection(table, negative=2), [[1, 1, 0], [1, 1, 1]])


def test_predictive_values_follow_bayes() -> None:
    """At the sample's own prevalence PPV and NPV are precision and its mirror image."""
    predicted, labels = answers(200, 2, 3)
    table = c.detection(c.confusion(predicted, labels, 2), negative=0)
    prevalence = float((labels == 1).mean())
    assert float(c.ppv(table, prevalence)) == pytest.approx(sk.precision_score(labels, predicted))
    assert float(c.npv(table, prevalence)) == pytest.approx(sk.precision_score(1 - labels, 1 - predicted))
    assert float(c.ppv(table, 0.001)) < float(c.ppv(table, 0.1)) < float(c.ppv(table, 0.9))


def test_weights_mean_repetition() -> None:
    """Weights of 0, 1, 2 give what repeating the rows gives."""
    predicted, labels = answers(40, 3, 5)
    times = np.random.default_rng(0).integers(0, 3, labels.size)
    repeated_p, repeated_l = np.repeat(predicted, times), np.repeat(labels, times)
    weighted = c.balanced_accuracy(predicted, labels, 3, times[None, :].astype(float))
    assert np.asarray(weighted)[0] == pytest.approx(c.balanced_accuracy(repeated_p, repeated_l, 3))
    assert c.accuracy(predicted, labels, times.astype(float)) == pytest.approx(c.accuracy(repeated_p, repeated_l))


@pytest.mark.parametrize(("predicted", "labels"), [([3], [0]), ([0], [3]), ([-2], [0]), ([0, 1], [0])])
def test_indices_out_of_range_are_refused(predicted: list[int], labels: list[int]) -> None:
    """A class that the task does not have is an error, not another column."""
    with pytest.raises(ValueError, match=r"must be|\[-1"):
        c.confusion(np.array(predicted), np.array(labels), 3)


def test_a_table_holds_the_weights_by_truth_and_answer() -> None:
    predicted, labels = np.array([0, 1, -1, 1, 1]), np.array([0, 0, 1, 1, 1])
    weights = np.array([[1, 2, 3, 4, 5], [0, 0, 0, 0, 1]], dtype=float)
    plain, weighted = c.confusion(predicted, labels, 2), c.confusion(predicted, labels, 2, weights)
    assert plain.tolist() == [[1, 1, 0], [0, 2, 1]]
    assert weighted.tolist() == [[[1, 2, 0], [0, 9, 3]], [[0, 0, 0], [0, 1, 0]]]


def test_a_class_that_was_answered_once_has_a_precision_and_one_that_never_was_has_nought() -> None:
    labels = np.array([0, 0, 1, 2])
    assert c.precision(np.array([0, 0, 1, 0]), labels, 4, 1) == 1.0
    assert c.precision(np.array([0, 0, 1, 0]), labels, 4, 2) == 0.0
    assert np.isnan(c.precision(np.array([0, 0, 1, 0]), labels, 4, 3))
    assert c.precision(np.array([0, 0, 1, 0]), labels, 4) == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_a_class_without_a_case_is_in_no_mean() -> None:
    """Nobody has the third disease, though it was answered twice."""
    labels, predicted = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 2, 1, 1, 2])
    for beta in (0.5, 1.0, 2.0):
        expected = sk.fbeta_score(labels, predicted, beta=beta, labels=[0, 1], average="macro")
        assert c.f_score(predicted, labels, 3, beta) == pytest.approx(expected)
        assert np.isnan(c.f_score(predicted, labels, 3, beta, positive=2))


def test_many_classes_take_no_column_for_each_pair_of_them() -> None:
    """Of 5,000 images and 40 classes such a table took 66 MB, and a second for each dozen of 2,000 draws."""
    predicted, labels = answers(5000, 40, 0)
    weights = np.random.default_rng(0).integers(0, 3, (2, labels.size)).astype(np.float64)
    tracemalloc.start()
    try:
        table = c.confusion(predicted, labels, 40, weights)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * 2**20
    for drawn, found in zip(weights.astype(int), table, strict=True):
        again = c.confusion(np.repeat(predicted, drawn), np.repeat(labels, drawn), 40)
        assert np.array_equal(found, again)
