"""Two models on the same cases, in either order."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hilum.errors import DataError
from hilum.evaluate.evaluation import evaluate
from hilum.evaluate.sentences import against
from hilum.evaluate.versus import compare, with_versus
from hilum.metrics.comparison import delong
from tests.evaluate.made import BRAIN, CHEST, made_rows, made_setting


def test_a_better_model_is_better_by_an_interval_above_nothing() -> None:
    """And the comparison turned round has the opposite sign."""
    good, poor = made_rows(skill=3.0), made_rows(skill=0.5)  # one seed: the same cases
    forth, back = compare(good, poor, CHEST, made_setting()), compare(poor, good, CHEST, made_setting())
    assert forth.differences["accuracy"].value == pytest.approx(-back.differences["accuracy"].value)
    assert forth.mcnemar.only_first == back.mcnemar.only_second
    assert forth.mcnemar.p_mid == pytest.approx(back.mcnemar.p_mid)
    told = with_versus(evaluate(good, CHEST, made_setting()), forth).to_json()["versus"]
    assert json.dumps(told, allow_nan=False)
    assert told["model"]["name"] == "made"
    assert told["differences"]["auroc"]["low"] <= told["differences"]["auroc"]["value"]


def test_four_classes_compare_detection() -> None:
    """DeLong is of the presence of disease."""
    assert compare(made_rows(BRAIN), made_rows(BRAIN), BRAIN, made_setting()).delong.p == 1.0


def test_other_cases_cannot_be_compared() -> None:
    """Order counts."""
    rows = made_rows()
    with pytest.raises(DataError, match="same order"):
        compare(rows, replace(rows, ids=rows.ids[::-1]), CHEST, made_setting())


def test_what_the_other_model_learned_from_is_said() -> None:
    rows = made_rows()
    forth = compare(rows, rows, CHEST, made_setting())
    assert forth.to_json()["other_copied"] == int(rows.copied.sum()) > 0
    assert "Beware: the other was trained on copies" in against(
        with_versus(evaluate(rows, CHEST, made_setting()), forth)
    )
    unmet = replace(rows, copied=np.zeros(len(rows.ids), dtype=bool))
    assert compare(rows, unmet, CHEST, made_setting()).other_copied == 0


def test_a_gap_without_any_spread_is_no_certainty() -> None:
    """Three and three cases, one model perfect, the other constant: DeLong's variance is 0."""
    labels = np.array([0, 0, 0, 1, 1, 1])
    base = made_rows(CHEST, n=6, refused=0)
    sure = replace(base, labels=labels, predicted=labels, probabilities=np.eye(2)[labels])
    flat = replace(sure, probabilities=np.full((6, 2), 0.5))
    assert compare(sure, flat, CHEST, made_setting()).delong is None


def test_areas_are_compared_over_the_cases_that_both_answered() -> None:
    """The first refused six at the beginning, the second ten at the end."""
    one, other = made_rows(), made_rows(skill=1.0, refused=0)
    other.predicted[-10:], other.probabilities[-10:] = -1, np.nan
    both = slice(6, 190)
    scores = [1.0 - rows.probabilities[both, CHEST.negative] for rows in (one, other)]
    found = compare(one, other, CHEST, made_setting()).delong
    assert found == delong(scores[0], scores[1], one.labels[both] != CHEST.negative)
