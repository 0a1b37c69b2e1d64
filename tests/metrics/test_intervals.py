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


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_as_published(right: int, n: int, low: float, high: float) -> None:
    """Newcombe 1998, Statistics in Medicine 17:857, table I, the score method."""
    found = i.wilson(right, n)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    assert np.isnan(i.wilson(0, 0).value)


def test_the_ends_leave_out_a_fortieth_of_the_draws_on_either_side() -> None:
    found = i.percentile_interval(0.4, np.linspace(0.0, 1.0, 1001))
    assert (found.value, found.low, found.high) == (0.4, pytest.approx(0.025), pytest.approx(0.975))
    moved = i.percentile_interval(0.6, np.linspace(0.0, 1.0, 1001), recentre=True)
    assert (moved.low, moved.high) == (pytest.approx(0.125), pytest.approx(1.075))


def test_draws_without_the_figure_are_left_out_and_too_few_others_give_no_interval() -> None:
    drawn = np.append(np.linspace(0.0, 1.0, 101), np.full(101, np.nan))
    assert i.percentile_interval(0.5, drawn).low == pytest.approx(0.025)
    for few in (np.append(drawn, [np.nan, np.nan]), np.array([0.5, np.nan]), np.array([0.5])):
        assert np.isnan(i.percentile_interval(0.5, few).low)


def test_two_groups_are_enough_for_an_interval_and_only_figures_that_are_named_are_moved() -> None:
    values = np.array([0.0, 1.0])
    found = i.bootstrap_all(
        lambda weights: {"plain": share_of(values)(weights) / 2, "moved": share_of(values)(weights) / 2 - 0.25},
        np.array([4, 5]), n=200, recentre=("moved",),
    )  # fmt: skip
    assert (found["plain"].low, found["plain"].high) == (0.0, 0.5)
    assert found["moved"].low == 0.0  # what is moved never falls below nought
    assert found["moved"].high == pytest.approx(0.25, abs=0.05)


def test_a_share_of_all_or_none_is_as_sure_as_its_groups_are_many() -> None:
    groups = np.repeat([3, 8], 50)
    assert i.certain(i.Interval(1.0, 1.0, 1.0), groups) == i.wilson(2, 2)
    assert i.certain(i.Interval(0.0, 0.0, 0.0), np.arange(9)) == i.wilson(0, 9)
    for as_it_is in (i.Interval(1.0, 0.9, 1.0), i.Interval(0.5, 0.5, 0.5)):
        assert i.certain(as_it_is, groups) == as_it_is
    assert i.certain(i.Interval(1.0, 1.0, 1.0), np.full(100, 3)).to_json()["low"] is None


@pytest.mark.parametrize(("groups", "draws"), [(400, 1000), (2000, 150), (3, 7)])
def test_as_many_draws_as_were_asked_for(groups: int, draws: int) -> None:
    """Whether or not they come in one piece."""
    assert sum(len(weights) for weights in i.clustered_draws(np.arange(groups), draws)) == draws
