"""Applying a calibration: probabilities, operating points, sets, prior correction, JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.errors import PackageDamaged, UsageError
from hilum.model.calibration import LEAST_SHARE, Calibration, ConformalClass, OperatingPoint, read_prevalence


def made(**changes: Any) -> Calibration:
    fields: dict[str, Any] = {
        "classes": ("a", "none", "b"),
        "negative": 1,
        "temperature": 2.0,
        "bias": (0.1, -0.3, 0.2),
        "points": {
            "screening": OperatingPoint("screening", 0.2, 0.97, 0.8, 40, 60),
            "balanced": OperatingPoint("balanced", None, 0.9, 0.92, 40, 60),
        },
        "conformal": tuple(ConformalClass(least, 50, False, (0.87, 0.99)) for least in (0.3, 0.2, 0.1)),
        "counts": (20, 60, 20),
        "prevalence": (0.2, 0.6, 0.2),
    }
    return Calibration(**{**fields, **changes})


LOGITS = np.random.default_rng(0).normal(0, 3, (200, 3)).astype(np.float32)


def test_probabilities_are_the_softmax_of_scaled_logits() -> None:
    scores = LOGITS.astype(np.float64) / 2.0 + np.array([0.1, -0.3, 0.2])
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(made().probabilities(LOGITS), expected, rtol=1e-12)


def test_own_prevalence_changes_nothing() -> None:
    calibration = made()
    np.testing.assert_allclose(
        calibration.probabilities(LOGITS, calibration.prevalence), calibration.probabilities(LOGITS), rtol=1e-12
    )


def test_prior_correction_is_bayes_rule_on_a_known_mixture() -> None:
    """Two normal densities, logits exact at prevalence 0.5; at 0.1 the corrected answer is the exact posterior."""
    x = np.linspace(-3, 3, 41)
    logits = np.stack([-((x + 1) ** 2) / 2, -((x - 1) ** 2) / 2], axis=1)
    calibration = made(
        classes=("no", "yes"),
        negative=0,
        temperature=1.0,
        bias=(0.0, 0.0),
        conformal=made().conformal[:2],
        counts=(10, 10),
        prevalence=(0.5, 0.5),
    )
    exact = 0.1 * np.exp(logits[:, 1]) / (0.9 * np.exp(logits[:, 0]) + 0.1 * np.exp(logits[:, 1]))
    np.testing.assert_allclose(calibration.probabilities(logits, 0.1)[:, 1], exact, rtol=1e-12)


@given(st.floats(0.001, 0.999), st.sampled_from(["screening", "balanced"]))
def test_the_decision_and_the_set_do_not_depend_on_the_prevalence(share: float, point: str) -> None:
    calibration = made()
    home, site = calibration.probabilities(LOGITS), calibration.probabilities(LOGITS, share)
    np.testing.assert_array_equal(calibration.decide(home, point), calibration.decide(site, point, share))
    assert [set(calibration.conformal_set(row)) for row in home[:20]] == [
        set(calibration.conformal_set(row, share)) for row in site[:20]
    ]


@given(st.floats(0.01, 0.99))
def test_the_moved_threshold_cuts_the_same_images(share: float) -> None:
    calibration = made()
    site = calibration.probabilities(LOGITS, share)
    threshold = calibration.threshold("screening", share)
    assert threshold is not None
    above = 1 - site[:, 1] >= threshold
    np.testing.assert_array_equal(above, calibration.decide(site, "screening", share) != 1)


def test_a_threshold_decides_by_the_sum_of_the_positive_classes() -> None:
    rows = np.array([[0.11, 0.79, 0.10], [0.02, 0.85, 0.13], [0.30, 0.40, 0.30]])
    assert made().decide(rows, "screening").tolist() == [0, 1, 0]
    assert made().decide(rows, "balanced").tolist() == [1, 1, 1]


def test_a_conformal_set_holds_what_passes_its_own_threshold_and_is_never_empty() -> None:
    calibration = made()
    assert calibration.conformal_set([0.25, 0.60, 0.15]) == (1, 2)
    assert made(conformal=(ConformalClass(0.99, 50, False, (0.9, 1.0)),) * 3).conformal_set([0.2, 0.5, 0.3]) == (1,)


def test_json_round_trip_is_equal() -> None:
    calibration = made()
    again = Calibration.from_json(json.loads(json.dumps(calibration.to_json())))
    assert again == calibration
    assert again.probabilities(LOGITS).tobytes() == calibration.probabilities(LOGITS).tobytes()


@pytest.mark.parametrize(
    "change",
    [
        *(
            {"format": 99},
            {"conformal": 3},
            {"temperature": 0},
            {"temperature": math.nan},
            {"points": {}},
            {"bias": []},
        ),
        {"prevalence": [0.0, 0.6, 0.4]},
    ],
)
def test_a_damaged_calibration_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(PackageDamaged, match="calibration"):
        Calibration.from_json({**made().to_json(), **change})


@pytest.mark.parametrize(
    "prevalence",
    [
        0.0, 1.0, 1.5, (0.5, 0.5), (0.2, 0.2, 0.2), (1.0, 0.0, 0.0), float("nan"), (0.2, math.nan, 0.8),
        5e-324, 1e-310, (1e-320, 0.5, 0.5),
    ],
)  # fmt: skip
def test_an_impossible_prevalence_is_a_usage_error(prevalence: Any) -> None:
    with pytest.raises(UsageError, match="prevalence"):
        made().probabilities(LOGITS, prevalence)


@pytest.mark.parametrize("prevalence", [LEAST_SHARE, 1 - 1e-16, (LEAST_SHARE, 1.0, LEAST_SHARE)])
def test_the_most_uneven_prevalence_still_leads_back_to_the_same_answer(prevalence: Any) -> None:
    calibration = made()
    home, there = calibration.probabilities(LOGITS), calibration.probabilities(LOGITS, prevalence)
    assert np.isfinite(there).all()
    for point in calibration.points:
        again = calibration.decide(there, point, prevalence)
        np.testing.assert_array_equal(again, calibration.decide(home, point))
    for rows in zip(there, home, strict=True):
        assert calibration.conformal_set(rows[0], prevalence) == calibration.conformal_set(rows[1])


def test_one_number_needs_a_negative_class() -> None:
    with pytest.raises(UsageError, match="no negative class"):
        made(negative=None).probabilities(LOGITS, 0.2)


def test_an_unknown_point_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="screening, balanced"):
        made().decide(made().probabilities(LOGITS), "rule-out")


def test_a_prevalence_is_read_as_people_write_it() -> None:
    assert (read_prevalence(None), read_prevalence("0.1"), read_prevalence("0.2, 0.8")) == (None, 0.1, (0.2, 0.8))
    for text in ("", "half", "0.2,"):
        with pytest.raises(UsageError, match="give a number between 0 and 1"):
            read_prevalence(text)


def test_a_point_stands_at_its_own_threshold_unless_a_prevalence_moves_it() -> None:
    calibration = made()
    assert (calibration.threshold("screening"), calibration.threshold("balanced")) == (0.2, None)
    assert calibration.threshold("balanced", 0.1) is None
    assert calibration.threshold("screening", 0.4) == pytest.approx(0.2)  # the package's own share of the diseased
    rare = calibration.threshold("screening", 0.1)
    assert rare == pytest.approx((0.2 * 0.1 / 0.4) / (0.2 * 0.1 / 0.4 + 0.8 * 0.9 / 0.6))


def test_what_lies_at_the_threshold_is_called_and_at_the_least_is_in_the_set() -> None:
    calibration = made(points={"balanced": OperatingPoint("balanced", 0.25)})
    assert calibration.decide([[0.125, 0.75, 0.125], [0.125, 0.7500001, 0.1249999]]).tolist() == [0, 1]
    assert calibration.conformal_set([0.3, 0.5, 0.2]) == (1, 0, 2)
    assert calibration.conformal_set([0.2999, 0.6002, 0.0999]) == (1,)


def test_shares_that_nearly_make_one_are_made_to() -> None:
    calibration = made()
    assert calibration.site_prevalence((0.2, 0.6, 0.2009)) == pytest.approx((0.1998, 0.5995, 0.2007), abs=1e-4)
    assert sum(calibration.site_prevalence((0.2, 0.6, 0.2009))) == pytest.approx(1.0, abs=1e-12)
    assert calibration.site_prevalence(0.1) == pytest.approx((0.05, 0.9, 0.05))
    for shares in ((0.2, 0.6, 0.2011), (0.2, 0.6, 0.1989), (0.4, 0.6), (0.4, 0.6, 0.0)):
        with pytest.raises(UsageError, match="together they make 1"):
            calibration.site_prevalence(shares)


def test_enormous_logits_are_sure_and_no_error() -> None:
    rows = made().probabilities([[1e4, 0.0, -1e4], [-1e5, -2e5, -3e5]])
    assert rows == pytest.approx(np.array([[1.0, 0.0, 0.0]] * 2))
