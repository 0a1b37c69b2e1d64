"""Fitting the novelty reference on made features."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from hilum.errors import DataError
from hilum.gate.novelty import check_features
from hilum.learn.novelty import Held, NoveltySettings, fit_novelty, fit_scale
from tests.gate.made import task

WIDTHS = (12, 20)


def _features(count: int, seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, count)
    mixing = np.random.default_rng(99).normal(size=(32, 32))
    rows = generator.normal(size=(count, 32)) * np.geomspace(3, 0.1, 32) @ mixing
    return (rows + labels[:, None] * 2 + shift).astype(np.float32), labels


@pytest.fixture(scope="module")
def fitted():
    features, labels = _features(800, 0)
    plain, stressed = _features(400, 1)[0], _features(400, 2, 0.3)[0]
    held = Held(np.concatenate([plain, stressed]), np.repeat([0, 1], 400))
    return fit_novelty(features, labels, WIDTHS, held, NoveltySettings(kept=8, budget=0.01))


def test_no_source_loses_more_than_the_budget(fitted) -> None:
    for seed, shift in ((1, 0.0), (2, 0.3)):
        assert (fitted.surprise(_features(400, seed, shift)[0]) > fitted.limit).mean() <= 0.01


def test_fresh_images_are_seldom_refused_and_strange_ones_nearly_always(fitted) -> None:
    assert (fitted.surprise(_features(2000, 7)[0]) > fitted.limit).mean() < 0.03
    strange = np.random.default_rng(3).normal(0, 30, size=(200, 32)).astype(np.float32)
    assert (fitted.surprise(strange) > fitted.limit).mean() > 0.97


def test_the_score_of_fresh_images_is_a_percentile(fitted) -> None:
    judged = check_features(_features(2000, 8)[0], fitted, task())
    scores = np.sort([score for score, _ in judged])
    assert abs(np.median(scores) - 0.5) < 0.1
    assert scores[0] >= 0
    assert scores[-1] <= 1


def test_it_is_small_and_comes_back_whole(fitted) -> None:
    arrays = fitted.to_arrays()
    assert sum(array.nbytes for array in arrays.values()) < 200_000
    rows = _features(10, 9)[0]
    assert np.array_equal(type(fitted).from_arrays(arrays).surprise(rows), fitted.surprise(rows))


def test_too_little_to_tell_is_said() -> None:
    features, labels = _features(100, 0)
    with pytest.raises(DataError, match="too few"):
        fit_novelty(features, labels, WIDTHS, Held(features[:10], np.zeros(10, int)))
    with pytest.raises(DataError, match="10 groups of held-out images are too few"):  # ten copies of each
        fit_novelty(features, labels, WIDTHS, Held(features, np.arange(100) // 10))
    with pytest.raises(DataError, match="50 needed"):
        fit_novelty(features, labels, WIDTHS, Held(features, np.zeros(100, int), np.arange(100) // 4))
    with pytest.raises(ValueError, match="widths"):
        fit_novelty(features, labels, (12, 12), Held(features, np.zeros(100, int)))


def test_a_scale_meets_its_own_quantiles() -> None:
    distances = np.random.default_rng(0).gamma(3, 1, 5000)
    scale = fit_scale(distances)
    for share in (0.2, 0.5, 0.9, 0.99):
        found = 1 - 10 ** -scale.surprise(np.quantile(distances, [share]))[0]
        assert abs(found - share) < 0.01


def test_the_limit_is_the_least_at_which_the_worst_source_keeps_the_budget() -> None:
    features, labels = _features(800, 0)
    rows, sources = np.concatenate([_features(400, 1)[0], _features(400, 2, 2.0)[0]]), np.repeat([0, 1], 400)
    fitted = fit_novelty(features, labels, WIDTHS, Held(rows, sources), NoveltySettings(kept=8, budget=0.05, least=0.0))
    lost = [(fitted.surprise(rows[sources == source]) > fitted.limit).mean() for source in (0, 1)]
    assert lost[0] < lost[1] <= 0.05
    assert lost[1] == pytest.approx(0.05, abs=0.003)


def test_training_images_lie_at_a_distance_of_about_one() -> None:
    """As the distance promises: the squared one is a mean over all features, in the subspace and outside it."""
    features, labels = _features(3000, 0)
    fitted = fit_novelty(
        features, labels, WIDTHS, Held(_features(100, 1)[0], np.zeros(100, int)), NoveltySettings(kept=8)
    )
    for depth in fitted.depths:
        assert np.mean(depth.distance(features) ** 2) == pytest.approx(1.0, abs=0.1)


def test_within_the_kept_directions_it_is_the_mahalanobis_distance_to_the_nearest_class() -> None:
    """With scikit-learn's shrunk covariance of what is left when each class's mean is taken away."""
    features, labels = _features(800, 0)
    held = Held(_features(100, 1)[0], np.zeros(100, int))
    for depth, start in zip(
        fit_novelty(features, labels, WIDTHS, held, NoveltySettings(kept=8)).depths, (0, 12), strict=True
    ):
        z = (features[:, start : start + depth.centre.size] - depth.centre) / depth.scale
        inner = (z @ depth.axes.astype(np.float32)).astype(np.float64)
        means = [inner[labels == label].mean(axis=0) for label in (0, 1)]
        spread = LedoitWolf(assume_centered=True).fit(inner - np.array(means)[labels])
        apart = np.min([spread.mahalanobis(inner - mean) for mean in means], axis=0)
        outside = np.maximum((z**2).sum(axis=1) - (inner**2).sum(axis=1), 0) / depth.rest
        expected = np.sqrt((apart + outside) / depth.centre.size)
        np.testing.assert_allclose(depth.distance(features), expected, rtol=2e-3)


@pytest.mark.parametrize("counts", [(50,), (49,), (60, 50), (60, 49), (49, 60)])
def test_every_source_needs_fifty_groups_whichever_has_more(counts: tuple[int, ...]) -> None:
    features, labels = _features(200, 0)
    held = Held(_features(sum(counts), 1)[0], np.repeat(np.arange(len(counts)), counts))
    if min(counts) == 50:
        assert fit_novelty(features, labels, WIDTHS, held).limit > 0
    else:
        with pytest.raises(DataError, match="49 groups of held-out images are too few"):
            fit_novelty(features, labels, WIDTHS, held)


def test_what_is_likelier_than_one_in_two_thousand_is_admitted_however_few_tell_the_limit() -> None:
    """A hundred images, none of them far off: the farthest of them would be a limit that one in a hundred exceeds."""
    features, labels = _features(800, 0)
    held = Held(_features(100, 1)[0], np.zeros(100, int))
    assert 10 ** -fit_novelty(features, labels, WIDTHS, held).limit == pytest.approx(1 / 2000, rel=0.01)
