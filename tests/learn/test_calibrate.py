"""Fitting a calibration to held-out scores: known miscalibration, targets, coverage, groups."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax
from scipy.stats import beta

from hilum.errors import DataError
from hilum.learn.calibrate import fit
from hilum.learn.scores import Scores, make_scores
from hilum.model.calibration import Calibration
from hilum.task import Label, OperatingRule, Task

POINTS = (
    OperatingRule("screening", sensitivity=0.95),
    OperatingRule("balanced"),
    OperatingRule("rule-in", specificity=0.95),
)


def task_of(classes: int, negative: int | None = 0) -> Task:
    labels = tuple(Label(f"class-{c}", f"Class {c}", negative=c == negative) for c in range(classes))
    return Task("made", "Made", labels, (), (), "a made image", "test", operating_points=POINTS)


def made_scores(
    n: int, classes: int, *, seed: int, sharpness: float = 1.0, prior: NDArray[np.float64] | None = None
) -> Scores:
    """Normal features one unit apart a class; logits are the exact log joint density times `sharpness`."""
    rng = np.random.default_rng(seed)
    shares = np.full(classes, 1 / classes) if prior is None else prior
    labels = rng.choice(classes, n, p=shares)
    means = 2.0 * np.eye(classes)
    x = means[labels] + rng.normal(size=(n, classes))
    logits = -((x[:, None] - means[None]) ** 2).sum(axis=2) / 2
    return make_scores(sharpness * logits, labels, np.arange(n))


def ece(calibration: Calibration, scores: Scores) -> float:
    rows = calibration.probabilities(scores.logits)
    order = np.argsort(rows.max(axis=1))
    right = rows.argmax(axis=1) == scores.labels
    gaps = [abs(rows.max(axis=1)[b].mean() - right[b].mean()) * b.size for b in np.array_split(order, 15)]
    return float(sum(gaps) / order.size)


@pytest.mark.parametrize("sharpness", [0.4, 3.0])
def test_the_temperature_undoes_a_known_sharpening(sharpness: float) -> None:
    calibration = fit(made_scores(4000, 3, seed=1, sharpness=sharpness), task_of(3))
    assert calibration.temperature == pytest.approx(sharpness, rel=0.08)
    assert ece(calibration, made_scores(8000, 3, seed=2, sharpness=sharpness)) < 0.02


def test_a_bias_appears_only_when_the_classes_were_drawn_at_another_rate() -> None:
    even = fit(made_scores(3000, 2, seed=3), task_of(2))
    assert even.bias == (0.0, 0.0)
    skewed = fit(made_scores(3000, 2, seed=3, prior=np.array([0.9, 0.1])), task_of(2))
    assert skewed.bias[0] - skewed.bias[1] == pytest.approx(np.log(9), abs=0.4)
    assert skewed.prevalence[0] == pytest.approx(0.9, abs=0.02)


def test_a_separable_part_does_not_claim_certainty() -> None:
    labels = np.repeat([0, 1], 30)
    logits = np.where(labels[:, None] == np.arange(2), 1.0, -1.0)
    calibration = fit(make_scores(logits, labels, np.arange(60)), task_of(2))
    assert np.isfinite(calibration.temperature)
    assert calibration.probabilities(logits).max() < 1.0


@pytest.mark.parametrize("classes", [2, 4])
def test_operating_points_keep_their_promise_on_new_cases(classes: int) -> None:
    """Mean over repeated draws: one draw of 1500 positives alone moves the sensitivity by half a point."""
    reached = {"screening": [], "rule-in": []}  # type: dict[str, list[float]]
    for seed in range(8):
        calibration = fit(made_scores(2000, classes, seed=20 + seed), task_of(classes))
        fresh = made_scores(5000, classes, seed=60 + seed)
        rows, positive = calibration.probabilities(fresh.logits), fresh.labels != 0
        called = {name: calibration.decide(rows, name) != 0 for name in calibration.points}
        reached["screening"].append(float(called["screening"][positive].mean()))
        reached["rule-in"].append(float((~called["rule-in"][~positive]).mean()))
        assert called["screening"].mean() >= called["balanced"].mean() >= called["rule-in"].mean()
        for name, point in calibration.points.items():
            assert point.sensitivity == pytest.approx(called[name][positive].mean(), abs=0.05)
            assert point.specificity == pytest.approx((~called[name][~positive]).mean(), abs=0.05)
    assert np.mean(reached["screening"]) >= 0.95
    assert np.mean(reached["rule-in"]) >= 0.95


def test_balanced_is_the_most_probable_class_unless_a_threshold_clearly_helps() -> None:
    even = fit(made_scores(3000, 4, seed=6), task_of(4))
    assert even.points["balanced"].threshold is None
    assert even.points["balanced"].rule.startswith("the most probable class; a threshold of its own did not help")
    assert "sensitivity 95% with one standard error" in even.points["screening"].rule
    assert "specificity 95%" in even.points["rule-in"].rule
    rare = fit(made_scores(6000, 3, seed=6, prior=np.array([0.96, 0.02, 0.02])), task_of(3))
    assert rare.points["balanced"].threshold is not None
    assert rare.points["balanced"].rule.startswith("the threshold with the least worst error rate")
    assert rare.points["balanced"].threshold < 0.4


def test_on_no_image_screening_finds_less_or_ruling_in_alarms_more_than_balanced_without_a_threshold() -> None:
    """The scores of the healthy are raised or lowered, as at another place."""
    seen = []
    for seed in range(8):
        made = made_scores(240, 4, seed=seed)
        made.logits[:, 0] += (-1.5, -0.5, 0.5, 1.5)[seed % 4]
        calibration = fit(made, task_of(4))
        rows = calibration.probabilities(3.0 * np.random.default_rng(seed).normal(size=(2000, 4)))
        called = {name: calibration.decide(rows, name) != 0 for name in calibration.points}
        assert not (called["balanced"] & ~called["screening"]).any(), seed
        assert not (called["rule-in"] & ~called["balanced"]).any(), seed
        seen.append(calibration.points["balanced"].threshold)
    assert None in seen


def test_without_a_negative_class_every_point_takes_the_most_probable_class() -> None:
    calibration = fit(made_scores(500, 3, seed=7), task_of(3, negative=None))
    assert all(point.threshold is None and "negative" in point.note for point in calibration.points.values())
    assert {point.rule for point in calibration.points.values()} == {"the most probable class"}


def test_a_target_out_of_reach_is_said() -> None:
    rng = np.random.default_rng(8)
    logits = np.stack([np.zeros(40), np.where(np.arange(40) < 20, 5.0, rng.normal(size=40))], axis=1)
    calibration = fit(make_scores(logits, np.repeat([0, 1], 20), np.arange(40)), task_of(2))
    assert "could not be reached" in calibration.points["rule-in"].note


@pytest.mark.parametrize("groups", [60, 400])
def test_each_class_is_covered_at_95_percent(groups: int) -> None:
    """Mean over repeated draws, as the guarantee is stated; classes of unequal difficulty."""
    prior = np.array([0.7, 0.2, 0.1])
    coverage = []
    for seed in range(12):
        calibration = fit(made_scores(groups * 10, 3, seed=100 + seed, prior=prior), task_of(3))
        fresh = made_scores(1500, 3, seed=200 + seed, prior=prior)
        sets = [calibration.conformal_set(row) for row in calibration.probabilities(fresh.logits)]
        inside = np.array([label in chosen for label, chosen in zip(fresh.labels, sets, strict=True)])
        coverage.append([inside[fresh.labels == c].mean() for c in range(3)])
    assert np.mean(coverage, axis=0) == pytest.approx(0.955, abs=0.02)


def test_a_class_below_19_groups_uses_the_pooled_threshold_and_the_interval_is_stored() -> None:
    rng = np.random.default_rng(9)
    labels = np.repeat([0, 1, 2], [200, 19, 18])
    scores = make_scores(rng.normal(size=(237, 3)) + 3 * np.eye(3)[labels], labels, np.arange(237))
    first, second, third = fit(scores, task_of(3)).conformal
    assert (first.pooled, second.pooled, third.pooled) == (False, False, True)
    assert (first.groups, second.groups, third.groups) == (200, 19, 237)
    assert second.coverage[0] == pytest.approx(0.824, abs=0.002)  # Beta(19, 1)
    assert first.coverage[0] > second.coverage[0]


def test_too_few_groups_for_any_threshold_put_every_class_in_the_set() -> None:
    scores = made_scores(15, 2, seed=10)
    calibration = fit(scores, task_of(2))
    assert len(calibration.conformal_set([0.999, 0.001])) == 2


def test_copies_weigh_as_one() -> None:
    scores = made_scores(300, 2, seed=11)
    copies = np.concatenate([np.arange(300), np.full(500, 7)])
    repeated = make_scores(scores.logits[copies], scores.labels[copies], scores.groups[copies])
    once, twice = fit(scores, task_of(2)), fit(repeated, task_of(2))
    assert twice.temperature == pytest.approx(once.temperature, rel=1e-3)
    assert twice.prevalence == pytest.approx(once.prevalence)
    by_patient = [np.mean(scores.labels == c) for c in range(2)]
    assert fit(repeated, task_of(2), evenly=False).prevalence == pytest.approx(by_patient)
    assert twice.counts == once.counts
    for name, point in once.points.items():
        assert twice.points[name].sensitivity == pytest.approx(point.sensitivity)


def test_the_temperature_is_the_likeliest_under_a_normal_prior_on_its_logarithm() -> None:
    scores = made_scores(40, 2, seed=14, sharpness=0.2)

    def loss(log_temperature: float) -> float:
        logs = log_softmax(scores.logits / np.exp(log_temperature), axis=1)
        return float(log_temperature**2 / 2 - logs[np.arange(40), scores.labels].sum())

    expected = np.exp(minimize_scalar(loss, bounds=(-3, 4), method="bounded").x)
    assert fit(scores, task_of(2, negative=None)).temperature == pytest.approx(expected, rel=5e-3)


@pytest.mark.parametrize("copies", [1, 25])
@pytest.mark.parametrize("seed", [4, 9, 10, 14, 18])
def test_chance_alone_gives_no_bias(seed: int, copies: int) -> None:
    """On 120 cases drawn evenly a bias seems to help a little; less than the standard error of the help.

    Copies of the cases show no more than the cases.
    """
    made, rows = made_scores(120, 2, seed=seed), np.repeat(np.arange(120), copies)
    assert fit(make_scores(made.logits[rows], made.labels[rows], rows), task_of(2)).bias == (0.0, 0.0)


def test_a_conformal_threshold_is_the_score_of_the_case_that_the_rank_says() -> None:
    """Of 99 cases of a class the fifth least probable, (99 + 1) x 0.05, and so when one of them is there often."""
    scores = made_scores(500, 2, seed=15)
    chosen = np.concatenate([np.flatnonzero(scores.labels == c)[:99] for c in (0, 1)])
    fitted = {}
    for copies in (1, 40):
        rows = np.concatenate([chosen, np.repeat(chosen[:3], copies - 1)])
        fitted[copies] = fit(make_scores(scores.logits[rows], scores.labels[rows], rows), task_of(2))
    rows = fitted[1].probabilities(scores.logits[chosen])
    for c, row in enumerate(fitted[1].conformal):
        true = np.sort(rows[scores.labels[chosen] == c, c])
        assert (row.least, row.groups, row.pooled) == (pytest.approx(true[4]), 99, False)
        assert row.coverage == pytest.approx(beta.interval(0.95, 95, 5))
        assert fitted[40].conformal[c].least == pytest.approx(row.least, abs=1e-4)
        assert (fitted[40].conformal[c].groups, fitted[40].conformal[c].coverage) == (99, row.coverage)


def test_disturbed_copies_are_no_further_patients() -> None:
    """The same scores as their own disturbance, twice over: nothing is surer than without."""
    scores = made_scores(400, 2, seed=16)
    stress = Scores(
        *(np.repeat(each, 2, axis=0) for each in (scores.logits, scores.labels, scores.groups)), np.ones(800)
    )
    alone, both = fit(scores, task_of(2)), fit(scores, task_of(2), stress=stress)
    assert alone.bias == (0.0, 0.0)
    assert both.temperature == pytest.approx(alone.temperature, rel=1e-3)
    for one, other in zip(alone.conformal, both.conformal, strict=True):
        assert (other.groups, other.coverage) == (one.groups, one.coverage)
        assert other.least == pytest.approx(one.least, abs=1e-3)


def test_originals_and_disturbed_copies_weigh_alike() -> None:
    """However often each was disturbed: ten times the same disturbance moves the temperature no further than once."""
    scores = made_scores(300, 2, seed=17)
    shaken = Scores(scores.logits * 3, scores.labels, scores.groups, np.ones(300))
    often = Scores(
        *(np.repeat(each, 10, axis=0) for each in (shaken.logits, shaken.labels, shaken.groups)), np.ones(3000)
    )
    once = fit(scores, task_of(2), stress=shaken)
    assert fit(scores, task_of(2), stress=often).temperature == pytest.approx(once.temperature, rel=1e-3)


def test_disturbed_copies_move_confidence_and_threshold() -> None:
    scores = made_scores(1000, 2, seed=12, sharpness=4.0)
    shifted = scores.logits / 4.0 + np.array([-1.0, 1.0])
    stress = make_scores(shifted, scores.labels, scores.groups)
    alone, both = fit(scores, task_of(2)), fit(scores, task_of(2), stress=stress)
    assert both.temperature != pytest.approx(alone.temperature, rel=0.05)
    assert both.points["rule-in"].threshold != alone.points["rule-in"].threshold
    assert both.prevalence == alone.prevalence
    assert "disturbed" in both.origin


def test_fitting_twice_gives_the_same() -> None:
    scores = made_scores(400, 3, seed=13)
    assert fit(scores, task_of(3)) == fit(scores, task_of(3))


def test_a_missing_class_is_a_data_error() -> None:
    with pytest.raises(DataError, match="class-2"):
        fit(make_scores(np.zeros((4, 3)), [0, 1, 0, 1], range(4)), task_of(3))


@pytest.mark.parametrize("stress", [False, True])
def test_without_a_bias_a_network_of_even_draws_stands_for_even_shares(stress: bool) -> None:
    """A fifth positive in a small calibration part: at a place where half are, the mean probability is one half."""
    home = made_scores(60, 2, seed=5, prior=np.array([0.8, 0.2]))
    fitted = fit(home, task_of(2), stress=home if stress else None)
    assert (fitted.bias, fitted.prevalence) == ((0.0, 0.0), (0.5, 0.5))
    there = made_scores(3000, 2, seed=6)
    assert fitted.probabilities(there.logits, 0.5)[:, 1].mean() == pytest.approx(0.5, abs=0.03)
    kept = fit(home, task_of(2), stress=home if stress else None, evenly=False)
    assert kept.prevalence[1] == pytest.approx(home.labels.mean())


def test_images_of_few_patients_give_a_class_no_set_of_its_own() -> None:
    """Ninety images of eighteen patients are eighteen, and as many of nineteen are nineteen."""
    rng = np.random.default_rng(18)
    labels = np.repeat([0, 1, 2], [200, 90, 95])
    groups = np.concatenate([np.arange(200), 200 + np.arange(90) % 18, 300 + np.arange(95) % 19])
    scores = make_scores(rng.normal(size=(385, 3)) + 3 * np.eye(3)[labels], labels, groups)
    found = fit(scores, task_of(3)).conformal
    assert [(each.pooled, each.groups) for each in found] == [(False, 200), (True, 237), (False, 19)]


def test_a_set_is_drawn_up_on_originals_and_disturbed_copies_alike() -> None:
    """Of 99 cases of a class and as many copies the tenth least probable: each counts for one half of the fifth."""
    made = made_scores(500, 2, seed=15)
    home = made.rows(np.concatenate([np.flatnonzero(made.labels == c)[:99] for c in (0, 1)]))
    stress = make_scores(home.logits + np.array([1.5, 0.0]), home.labels, home.groups)
    fitted = fit(home, task_of(2), stress=stress)
    rows = fitted.probabilities(np.concatenate([home.logits, stress.logits]))
    labels = np.tile(home.labels, 2)
    for c, row in enumerate(fitted.conformal):
        assert (row.least, row.groups) == (pytest.approx(np.sort(rows[labels == c, c])[9]), 99)


def test_temperature_and_bias_are_the_likeliest_under_normal_priors() -> None:
    """Prior on the logarithm of the one and on the other's distance from the first class; what is stored has mean 0."""
    scores = made_scores(200, 2, seed=3, sharpness=0.3, prior=np.array([0.85, 0.15]))

    def loss(at: NDArray[np.float64]) -> float:
        logs = log_softmax(scores.logits / np.exp(at[0]) + np.array([0.0, at[1]]), axis=1)
        return float((at**2).sum() / 2 - logs[np.arange(200), scores.labels].sum())

    best = minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9}).x
    found = fit(scores, task_of(2, negative=None))
    assert found.temperature == pytest.approx(np.exp(best[0]), rel=5e-3)
    assert found.bias == pytest.approx((-best[1] / 2, best[1] / 2), abs=5e-3)


@pytest.mark.parametrize(("rare", "tried"), [(19, False), (20, True)])
def test_a_bias_is_tried_from_twenty_cases_of_each_class(rare: int, tried: bool) -> None:
    made = made_scores(2000, 2, seed=19)
    rows = np.concatenate([np.flatnonzero(made.labels == c)[:count] for c, count in ((0, 380), (1, rare))])
    assert any(fit(made.rows(rows), task_of(2)).bias) == tried


def test_a_picture_that_is_there_very_often_hides_no_bias() -> None:
    """One of the rare class, which a bias makes less probable: of a thousand cases it is one."""
    made = made_scores(1000, 2, seed=3, prior=np.array([0.9, 0.1]))
    often = np.concatenate([np.arange(1000), np.full(2000, np.flatnonzero(made.labels == 1)[0])])
    once, again = (
        fit(make_scores(made.logits[rows], made.labels[rows], rows), task_of(2)) for rows in (np.arange(1000), often)
    )
    assert once.bias[0] > 0.5
    assert again.bias == pytest.approx(once.bias, abs=0.02)
