"""Two models on the same cases, in either order."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hilum.errors import DataError
from hilum.evaluate.evaluation import evaluate
from hilum.evaluate.versus import compare, with_versus
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
