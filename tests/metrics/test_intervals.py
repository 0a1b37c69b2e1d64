"""Intervals: they cover the truth, whole groups are drawn, the same seed gives the same ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils import check_random_state

from hilum.metrics import intervals as i


def share_of(values: np.ndarray):
    """The weighted mean as a statistic of weights (D, N)."""
    return lambda weights: (weights @ values) / weights.sum(axis=-1)


def test_agrees_with_wilson_where_cases_are_independent() -> None:
    """For a plain proportion both methods give nearly the same interval."""
    right = np.arange(1000) < 930
    bootstrap = i.clustered_bootstrap(share_of(right.astype(float)), np.arange(1000))
    exact = i.wilson(930, 1000)
    assert bootstrap.value == exact.value == 0.93
    assert bootstrap.low == pytest.approx(exact.low, abs=0.004)
    assert bootstrap.high == pytest.approx(exact.high, abs=0.004)


def test_groups_widen_the_interval_as_theory_says() -> None:
    """Ten copies of every case: the interval is that of a tenth of the cases, not of all."""
    right = np.repeat(np.arange(100) < 80, 10).astype(float)
    alone = i.clustered_bootstrap(share_of(right), np.arange(1000))
    together = i.clustered_bootstrap(share_of(right), np.repeat(np.arange(100), 10))
    ratio = (together.high - together.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(np.sqrt(10), rel=0.1)
    assert together.low == pytest.approx(i.wilson(80, 100).low, abs=0.03)


def test_covers_the_truth_about_as_often_as_it_says() -> None:
    """300 samples of 60 groups of 4 alike cases: 95% intervals hold the true 0.8 in 90 to 99% of them."""
    generator = check_random_state(3)
    hits = 0
    for _ in range(300):
        right = np.repeat(generator.random_sample(60) < 0.8, 4).astype(float)
        found = i.clustered_bootstrap(share_of(right), np.repeat(np.arange(60), 4), n=400)
        hits += found.low <= 0.8 <= found.high
    assert 0.90 <= hits / 300 <= 0.99


def test_draws_take_whole_groups() -> None:
    """Every case of a group has the same weight, and as many groups are drawn as there are."""
    groups = np.array([7, 7, 3, 3, 3, 9])
    weights = np.concatenate(list(i.clustered_draws(groups, 50)))
    assert weights.shape == (50, 6)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 2:5] == weights[:, 2:3]).all()
    assert (weights[:, [0, 2, 5]].sum(axis=1) == 3).all()


def test_the_seed_decides() -> None:
    """The same seed, the same interval; another seed, another one."""
    values, groups = np.random.default_rng(0).random(80), np.arange(80) // 2
    one, two, other = (i.clustered_bootstrap(share_of(values), groups, seed=s) for s in (1, 1, 2))
    assert one == two != other


def test_one_group_gives_no_interval() -> None:
    """Nothing can be said of the spread of a single patient's images."""
    found = i.clustered_bootstrap(share_of(np.ones(5)), np.zeros(5, dtype=int))
    assert found.value == 1.0
    assert np.isnan(found.low)
    assert found.to_json() == {"value": 1.0, "low": None, "high": None}
    with pytest.raises(ValueError, match="no case"):
        i.clustered_bootstrap(share_of(np.ones(0)), np.zeros(0, dtype=int))


def test_recentred_draws_surround_the_figure() -> None:
    """A figure that noise can only raise keeps its value inside its interval."""
    drawn = np.random.default_rng(0).normal(0.05, 0.01, 2000)
    found = i.percentile_interval(0.02, drawn, recentre=True)
    assert found.low <= 0.02 <= found.high
    assert found.low >= 0.0


@given(n=st.integers(1, 5000), k=st.integers(0, 5000))
def test_wilson_holds_the_share_and_stays_in_range(n: int, k: int) -> None:
    """Also at 0 and at 1, where the plain formula collapses."""
    found = i.wilson(min(k, n), n)
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0
    assert found.high > found.low
