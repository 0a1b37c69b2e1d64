"""Calibration: ECE by hand, Brier and log loss as scikit-learn's, risk against coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from hilum.metrics import calibration as c
from hilum.metrics.intervals import Interval


def predicted(n: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels drawn from them: calibrated by construction."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(classes), n)
    labels = (generator.random(n)[:, None] > probabilities.cumsum(axis=1)).sum(axis=1)
    return probabilities, np.minimum(labels, classes - 1)


@given(n=st.integers(100, 600), seed=st.integers(0, 10_000))
def test_ece_is_that_of_equal_parts_of_the_sorted_cases(n: int, seed: int) -> None:
    """Without ties the bins are fifteen runs of the sorted cases whose sizes differ by one at most."""
    probabilities, labels = predicted(n, 3, seed)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    order = np.argsort(confidence)
    count = 15
    bins = (np.arange(n) * count) // n
    expected = sum(abs((confidence[order][bins == b] - right[order][bins == b]).sum()) / n for b in range(count))
    assert np.bincount(bins).max() - np.bincount(bins).min() <= 1
    assert c.ece(probabilities, labels) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("n", "bins"), [(5000, 15), (300, 15), (299, 15), (100, 15), (99, 4), (40, 2), (39, 1), (1, 1)]
)
def test_the_figure_is_always_of_fifteen_bins_where_it_is_told(n: int, bins: int) -> None:
    """With fewer it would read lower than what others publish; below a hundred only the curve is drawn."""
    assert c.bins_for(n) == bins
    probabilities, labels = predicted(n, 3, 1)
    assert len(c.reliability(probabilities, labels).count) == bins


def test_ece_of_the_calibrated_and_the_boastful() -> None:
    """Near 0 where labels are drawn from the probabilities; the whole gap where confidence is 1 and half is wrong."""
    probabilities, labels = predicted(100_000, 4, 0)
    assert c.ece(probabilities, labels) < 0.01
    boast = np.tile([1.0, 0.0], (100, 1))
    assert c.ece(boast, np.arange(100) % 2) == pytest.approx(0.5)


def test_chance_alone_is_what_labels_drawn_from_the_probabilities_give() -> None:
    """The mean and the ends are those of `ece` itself over labels drawn anew; a calibrated model mostly lies within."""
    probabilities, _ = predicted(300, 2, 5)
    found = c.ece_if_calibrated(probabilities, draws=2000)
    drawn = [c.ece(probabilities, (np.random.default_rng(i).random(300) < probabilities[:, 1]) * 1) for i in range(800)]
    assert found.value == pytest.approx(np.mean(drawn), rel=0.03)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, (0.025, 0.975))), rel=0.08)
    assert c.ece_if_calibrated(probabilities, draws=50) == c.ece_if_calibrated(probabilities, draws=50)


def test_the_boastful_lie_beyond_chance() -> None:
    """Sharpened probabilities; and where a model is sure and right, chance does nothing."""
    probabilities, labels = predicted(400, 3, 7)
    boastful = probabilities**4 / (probabilities**4).sum(axis=1, keepdims=True)
    assert c.ece(boastful, labels) > c.ece_if_calibrated(boastful).high
    assert c.ece(probabilities, labels) < c.ece_if_calibrated(probabilities).high
    assert c.ece_if_calibrated(np.eye(3)[labels]) == Interval(0.0, 0.0, 0.0)


@given(seed=st.integers(0, 1000))
def test_ece_does_not_depend_on_the_order_of_tied_rows(seed: int) -> None:
    """Cases of one confidence share a bin."""
    probabilities, labels = predicted(60, 2, seed)
    probabilities = np.round(probabilities, 1)
    shuffled = np.random.default_rng(seed).permutation(60)
    assert c.ece(probabilities, labels) == pytest.approx(c.ece(probabilities[shuffled], labels[shuffled]))


@pytest.mark.parametrize("classes", [2, 4])
def test_brier_agrees_with_scikit_learn(classes: int) -> None:
    """Two classes: the usual half; more: the sum over the classes."""
    probabilities, labels = predicted(100, classes, 2)
    theirs = probabilities[:, 1] if classes == 2 else probabilities
    options = {} if classes == 2 else {"labels": list(range(classes))}
    assert c.brier(probabilities, labels) == pytest.approx(sk.brier_score_loss(labels, theirs, **options))


def test_reliability_bars_sum_to_the_ece() -> None:
    """What is drawn is what is printed."""
    probabilities, labels = predicted(500, 3, 4)
    bars = c.reliability(probabilities, labels)
    drawn = (np.abs(bars.confidence - bars.accuracy) * bars.count).sum() / bars.count.sum()
    assert drawn == pytest.approx(c.ece(probabilities, labels))
    assert bars.count.sum() == 500


def test_risk_at_full_coverage_is_the_error_rate() -> None:
    """And the most confident case stands first."""
    probabilities, labels = predicted(300, 3, 6)
    curve = c.risk_coverage(probabilities, labels)
    assert curve.coverage[-1] == 1.0
    assert curve.risk[-1] == pytest.approx((probabilities.argmax(axis=1) != labels).mean())
    surest = int(probabilities.max(axis=1).argmax())
    assert curve.risk[0] == float(probabilities[surest].argmax() != labels[surest])


def test_rows_without_probability_are_an_error() -> None:
    """Refused cases must be left out knowingly."""
    with pytest.raises(ValueError, match="NaN"):
        c.ece(np.array([[np.nan, np.nan]]), np.array([0]))


def test_risk_is_of_the_answers_given_where_a_point_gives_another_than_the_most_probable() -> None:
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.3, 0.7]])
    labels = np.array([1, 0, 1])
    assert c.risk_coverage(probabilities, labels).risk[-1] == pytest.approx(1 / 3)
    assert c.risk_coverage(probabilities, labels, np.array([1, 0, 1])).risk[-1] == 0.0


def test_an_answer_is_as_sure_as_the_class_it_names_and_not_as_the_one_that_was_more_probable() -> None:
    """A low threshold calls 10% diseased: that answer is the least sure of the three, however sure "healthy" was."""
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    labels, predicted = np.array([0, 0, 1]), np.array([1, 0, 1])
    assert c.risk_coverage(probabilities, labels, predicted).risk.tolist() == [0.0, 0.0, pytest.approx(1 / 3)]
