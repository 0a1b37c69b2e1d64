"""Two models on the same cases: known p-values, and differences that chance explains or does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from hilum.metrics import comparison as c
from hilum.metrics.figures import Answers


@given(first=st.integers(0, 40), second=st.integers(0, 40), both=st.integers(0, 20))
def test_mcnemar_agrees_with_the_binomial_test(first: int, second: int, both: int) -> None:
    """Exact p is scipy's; mid-p is never larger, by half of the chance of what was found in each tail."""
    one = np.array([True] * first + [False] * second + [True] * both, dtype=bool)
    two = np.array([False] * first + [True] * second + [True] * both, dtype=bool)
    found = c.mcnemar(one, two)
    assert (found.only_first, found.only_second) == (first, second)
    exact = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert found.p_exact == pytest.approx(exact)
    assert found.p_mid <= found.p_exact + 1e-12
    found_so = stats.binom.pmf(first, first + second, 0.5) if first + second else 0.0
    assert found.p_mid == pytest.approx(exact - (found_so / 2 if first == second else found_so))


@pytest.mark.parametrize(("each", "p_mid"), [(0, 1.0), (1, 0.75), (2, 0.8125), (5, 1 - 252 / 1024 / 2)])
def test_two_models_that_win_equally_often(each: int, p_mid: float) -> None:
    """The two tails meet in the middle: 1 less half of its chance (Fagerland 2013)."""
    one = np.array([True] * each + [False] * each, dtype=bool)
    found = c.mcnemar(one, ~one)
    assert found.p_exact == 1.0
    assert found.p_mid == pytest.approx(p_mid)


def scores(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two correlated scores, the first better, and the truth."""
    generator = np.random.default_rng(seed)
    truth = np.arange(300) % 3 == 0
    shared = generator.normal(size=300)
    return shared + 2 * truth + generator.normal(size=300) / 2, shared + truth + generator.normal(size=300) / 2, truth


def two_models(seed: int) -> tuple[Answers, Answers]:
    """What two models answer to the same 300 cases, each a group of its own; the first is better."""
    first, second, truth = scores(seed)
    return tuple(
        Answers(np.stack([1 - p, p], axis=1), (p > 0.5).astype(int), truth.astype(int), np.arange(300), 0)
        for p in (1 / (1 + np.exp(1 - first)), 1 / (1 + np.exp(1 - second)))
    )


def test_delong_finds_the_areas_and_the_spread_of_the_bootstrap() -> None:
    """Areas are scikit-learn's; the interval is about that of the paired bootstrap."""
    first, second, truth = scores(0)
    found = c.delong(first, second, truth)
    assert found.first == pytest.approx(sk.roc_auc_score(truth, first))
    assert found.second == pytest.approx(sk.roc_auc_score(truth, second))
    generator, drawn = np.random.default_rng(1), []
    for _ in range(500):
        rows = generator.integers(0, 300, 300)
        drawn.append(sk.roc_auc_score(truth[rows], first[rows]) - sk.roc_auc_score(truth[rows], second[rows]))
    width = found.difference.high - found.difference.low
    assert width == pytest.approx(2 * 1.96 * np.std(drawn), rel=0.15)
    assert found.p < 1e-4
    assert c.delong(first, first, truth).p == 1.0
    with pytest.raises(ValueError, match="two positives"):
        c.delong(first[:3], second[:3], np.array([True, False, False]))


@pytest.mark.parametrize("positives", [8, 52])
def test_delong_is_as_published_where_one_kind_is_rare(positives: int) -> None:
    """By the definition of 1988: each positive against each negative, ties half; no ranks."""
    generator = np.random.default_rng(positives)
    truth = np.arange(60) < positives
    first, second = (np.round(generator.normal(size=60) + gain * truth, 1) for gain in (2.0, 1.0))
    spread = 0.0
    kernels = [np.heaviside(score[truth][:, None] - score[~truth][None, :], 0.5) for score in (first, second)]
    areas = [kernel.mean() for kernel in kernels]
    for axis in (1, 0):  # of the positives, then of the negatives
        gains = kernels[0].mean(axis=axis) - kernels[1].mean(axis=axis)
        spread += gains.var(ddof=1) / gains.size
    found = c.delong(first, second, truth)
    gap, error = areas[0] - areas[1], np.sqrt(spread)
    assert (found.first, found.second) == pytest.approx(tuple(areas))
    ends = stats.norm.interval(0.95, gap, error)
    assert (found.difference.value, found.difference.low, found.difference.high) == pytest.approx((gap, *ends))
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(gap) / error))


def test_copies_make_no_difference_any_surer() -> None:
    """Every case four times over, in the group of its original: the same interval as without copies."""
    one, two = two_models(4)
    copies = np.repeat(np.arange(300), 4)
    names = ("accuracy", "balanced_accuracy")
    once = c.paired_differences(one, two, names, draws=200)
    often = c.paired_differences(one.taken(copies), two.taken(copies), names, draws=200)
    for name in names:
        low, high = once[name].low, once[name].high
        assert low < high
        assert (often[name].low, often[name].high) == pytest.approx((low, high))


def test_paired_differences_are_narrower_than_unpaired_ones() -> None:
    """The same model twice differs by exactly nothing; a better one by something."""
    one, two = two_models(2)
    same = c.paired_differences(one, one, ("accuracy", "auroc"), draws=100)
    assert same["accuracy"].low == same["accuracy"].high == 0.0
    better = c.paired_differences(one, two, ("auroc",), draws=400)["auroc"]
    assert 0.0 < better.low < better.value < better.high
    with pytest.raises(ValueError, match="same cases"):
        c.paired_differences(one, two.taken(np.arange(299)), ("auroc",))
