"""Areas and curves: the same numbers as scikit-learn, ties right, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from hilum.metrics import ranking as r


def scored(n: int, seed: int, decimals: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores rounded so that many tie, and positives that tend to score higher."""
    generator = np.random.default_rng(seed)
    positives = generator.random(n) < 0.4
    positives[:2] = [True, False]
    return np.round(generator.normal(size=n) + positives, decimals), positives


@given(n=st.integers(3, 80), seed=st.integers(0, 10_000), decimals=st.integers(0, 6))
def test_areas_agree_with_scikit_learn(n: int, seed: int, decimals: int) -> None:
    """AUROC and average precision, with and without ties."""
    scores, positives = scored(n, seed, decimals)
    assert r.auroc(scores, positives) == pytest.approx(sk.roc_auc_score(positives, scores))
    assert r.average_precision(scores, positives) == pytest.approx(sk.average_precision_score(positives, scores))


@given(n=st.integers(3, 60), seed=st.integers(0, 10_000))
def test_weights_agree_with_scikit_learn(n: int, seed: int) -> None:
    """Each row of weights (D, N), and such a row alone, gives what scikit-learn gives with those sample weights."""
    scores, positives = scored(n, seed, 1)
    weights = np.random.default_rng(seed + 1).integers(1, 4, size=(3, n)).astype(float)
    areas, precisions = r.auroc(scores, positives, weights), r.average_precision(scores, positives, weights)
    for row in range(3):
        assert areas[row] == pytest.approx(sk.roc_auc_score(positives, scores, sample_weight=weights[row]))
        expected = sk.average_precision_score(positives, scores, sample_weight=weights[row])
        assert precisions[row] == pytest.approx(expected)
        assert r.auroc(scores, positives, weights[row]) == pytest.approx(areas[row])
        assert r.average_precision(scores, positives, weights[row]) == pytest.approx(expected)


@given(seed=st.integers(0, 10_000))
def test_a_monotone_map_changes_nothing(seed: int) -> None:
    """Only the order of the scores counts."""
    scores, positives = scored(50, seed, 2)
    for mapped in (np.exp(scores), scores**3 + 2 * scores, np.arctan(scores)):
        assert r.auroc(mapped, positives) == pytest.approx(r.auroc(scores, positives), abs=1e-12)
    assert r.auroc(-scores, positives) == pytest.approx(1 - r.auroc(scores, positives), abs=1e-12)


@given(seed=st.integers(0, 10_000))
def test_the_order_of_the_rows_changes_nothing(seed: int) -> None:
    """Ties are not broken by position."""
    scores, positives = scored(40, seed, 0)
    shuffled = np.random.default_rng(seed).permutation(40)
    assert r.auroc(scores, positives) == pytest.approx(r.auroc(scores[shuffled], positives[shuffled]))
    assert r.average_precision(scores, positives) == pytest.approx(
        r.average_precision(scores[shuffled], positives[shuffled])
    )


def test_known_areas() -> None:
    """Perfect, useless and constant scores."""
    positives = np.array([False, False, True, True])
    assert r.auroc(np.array([0.1, 0.2, 0.3, 0.4]), positives) == 1.0
    assert r.auroc(np.array([0.4, 0.3, 0.2, 0.1]), positives) == 0.0
    assert r.auroc(np.full(4, 0.5), positives) == 0.5
    assert np.isnan(r.auroc(np.arange(3.0), np.ones(3, dtype=bool)))


@given(seed=st.integers(0, 10_000), level=st.sampled_from([0.5, 0.9, 0.95, 1.0]))
def test_readings_agree_with_a_search_over_all_thresholds(seed: int, level: float) -> None:
    """Sensitivity at a specificity, and the reverse, found by trying every threshold."""
    scores, positives = scored(40, seed, 1)
    tries = [(scores >= t) for t in np.append(np.unique(scores), np.inf)]
    sens = np.array([called[positives].mean() for called in tries])
    spec = np.array([(~called[~positives]).mean() for called in tries])
    ranking = r.rank(scores, positives)
    assert float(r.sensitivity_at(ranking, level)) == pytest.approx(sens[spec >= level - 1e-12].max())
    assert float(r.specificity_at(ranking, level)) == pytest.approx(spec[sens >= level - 1e-12].max())


@given(seed=st.integers(0, 1000))
def test_the_roc_curve_encloses_its_area(seed: int) -> None:
    """The points that are drawn have the area that is printed."""
    scores, positives = scored(40, seed, 1)
    curve = r.roc_curve(scores, positives)
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(r.auroc(scores, positives))


def test_net_benefit_of_acting_on_all_is_zero_at_the_prevalence() -> None:
    """The known crossing: at a threshold equal to the prevalence, treating all is worth as much as treating none."""
    positives = np.array([True] * 3 + [False] * 7)
    assert r.net_benefit(np.ones(10), positives, np.array([0.3]))[0] == pytest.approx(0.0)
    assert r.net_benefit(positives.astype(float), positives, np.array([0.1, 0.8])) == pytest.approx([0.3, 0.3])


def test_nan_and_empty_are_errors() -> None:
    """A refused case without a score must be left out knowingly."""
    with pytest.raises(ValueError, match="NaN"):
        r.rank(np.array([0.1, np.nan]), np.array([True, False]))
    with pytest.raises(ValueError, match="N > 0"):
        r.rank(np.array([]), np.array([], dtype=bool))


def test_the_precision_recall_curve_by_hand() -> None:
    """Positives at 0.9 and 0.6, negatives at 0.8 and 0.1: one of one, then two of three."""
    curve = r.pr_curve(np.array([0.8, 0.9, 0.1, 0.6]), np.array([False, True, False, True]))
    points = dict(zip(curve.thresholds.tolist(), zip(curve.x.tolist(), curve.y.tolist(), strict=True), strict=True))
    assert points[0.9] == (0.5, 1.0)
    assert points[0.6] == (1.0, pytest.approx(2 / 3))


def test_a_score_at_the_threshold_is_acted_on_and_a_false_alarm_weighs_by_its_odds() -> None:
    """At 0.2 a false alarm costs a quarter of a hit: of five cases one hit and two alarms, one of each at 0.2."""
    scores, positives = np.array([0.2, 0.7, 0.2, 0.1, 0.0]), np.array([True, False, False, True, False])
    assert r.net_benefit(scores, positives, np.array([0.2, 0.5])) == pytest.approx([(1 - 2 / 4) / 5, -1 / 5])


@pytest.mark.parametrize("kind", [False, True])
def test_a_reading_off_cases_of_one_kind_is_none(kind: bool) -> None:
    ranking = r.rank(np.arange(5.0), np.full(5, kind))
    assert np.isnan(r.sensitivity_at(ranking, 0.9))
    assert np.isnan(r.specificity_at(ranking, 0.9))
