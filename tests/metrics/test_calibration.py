"""Calibration: ECE by hand, Brier and log loss as scikit-learn's, risk against coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from hilum.metrics import calibration as c


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


@pytest.mark.parametrize(("n", "bins"), [(5000, 15), (300, 15), (299, 15), (100, 15), (99, 4), (19, 1), (1, 1)])
def test_the_figure_is_always_of_fifteen_bins_where_it_is_told(n: int, bins: int) -> None:
    """With fewer it would read lower than what others publish; below a hundred only the curve is drawn."""
    assert c.bins_for(n) == bins
    probabilities, labels = predicted(n, 3, 1)
    assert c.ece(probabilities, labels) == c.ece(probabilities, labels, bins=bins)
    assert len(c.reliability(probabilities, labels).count) == bins


def test_ece_of_the_calibrated_and_the_boastful() -> None:
    """Near 0 where labels are drawn from the probabilities; the whole gap where confidence is 1 and half is wrong."""
    probabilities, labels = predicted(100_000, 4, 0)
    assert c.ece(probabilities, labels) < 0.01
    boast = np.tile([1.0, 0.0], (100, 1))
    assert c.ece(boast, np.arange(100) % 2) == pytest.approx(0.5)


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
