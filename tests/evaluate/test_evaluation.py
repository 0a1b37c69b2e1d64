"""The evaluation object: its shape, parts side by side, refusals, subgroups, and that nothing but the rows decides."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sk

from hilum.errors import DataError
from hilum.evaluate.evaluation import evaluate
from hilum.evaluate.rows import Rows
from hilum.metrics.classification import accuracy
from hilum.metrics.intervals import Interval, wilson
from tests.evaluate.made import BRAIN, CHEST, made_rows, made_setting

PROMISED = {
    "task", "model", "source", "n", "groups", "refused", "operating_point", "metrics", "per_class", "confusion",
    "clean", "copied", "baseline", "subgroups",
}  # fmt: skip


@pytest.mark.parametrize("task", [CHEST, BRAIN], ids=lambda task: task.name)
def test_the_object_has_every_promised_key_and_is_json(task) -> None:
    """The keys of the design; every metric with value, low and high; nothing that JSON cannot say."""
    told = evaluate(made_rows(task), task, made_setting()).to_json()
    assert set(told) >= PROMISED
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert all(set(found) == {"value", "low", "high"} for found in told["metrics"].values())
    assert (told["n"], told["groups"], told["refused"]) == (200, 100, 6)
    assert set(told["per_class"]) == set(told["confusion"]) == set(task.classes)
    assert told["per_class"][task.classes[0]]["n"] == sum(told["confusion"][task.classes[0]].values())
    for prevalence in task.prevalences:
        assert f"ppv_at_prevalence_{prevalence:g}" in told["metrics"]


def test_figures_are_those_of_the_rows() -> None:
    """Accuracy is what counting gives, and the confusion table holds every case once."""
    rows = made_rows()
    found = evaluate(rows, CHEST, made_setting())
    assert found.metrics["accuracy"].value == pytest.approx(accuracy(rows.predicted, rows.labels))
    assert sum(map(sum, found.confusion)) == 200
    assert sum(row[-1] for row in found.confusion) == 6


def test_copied_and_clean_stand_side_by_side() -> None:
    """The copied fifth is answered better; the two parts make the whole."""
    rows = made_rows()
    found = evaluate(rows, CHEST, made_setting())
    assert found.clean is not None
    assert found.copied is not None
    assert found.clean.n + found.copied.n == found.whole.n
    assert found.clean.metrics["accuracy"].value < found.copied.metrics["accuracy"].value
    none = evaluate(replace(rows, copied=np.zeros(200, dtype=bool)), CHEST, made_setting())
    assert none.copied is None
    assert none.copies_looked_for
    assert "clean" not in none.to_json()


def test_refusals_are_wrong_and_listed() -> None:
    """Each refused case by name, with its class and codes."""
    rows = made_rows(refused=10)
    told = evaluate(rows, CHEST, made_setting()).to_json()
    assert [entry["file"] for entry in told["refusals"]] == list(rows.ids[:10])
    assert told["refusals"][0]["reasons"] == ["out_of_distribution"]
    assert told["metrics"]["auroc_refused_worst"]["value"] < told["metrics"]["auroc"]["value"]
    assert told["unreadable"] == [{"file": "broken.png", "error": "truncated"}]


def test_baselines_stand_beside_every_part() -> None:
    """The constant answer is worth 1/C when balanced; a known accuracy keeps its name."""
    told = evaluate(
        made_rows(BRAIN), BRAIN, made_setting(baseline={"without copies": Interval(0.61, 0.5, 0.7)})
    ).to_json()
    assert told["baseline"]["majority"]["balanced_accuracy"]["value"] == 0.25
    assert told["baseline"]["without copies"]["accuracy"] == {"value": 0.61, "low": 0.5, "high": 0.7}
    assert told["baseline"]["nearest neighbour"]["accuracy"]["value"] == pytest.approx(0.8, abs=0.1)
    assert "nearest neighbour" in told["clean"]["baseline"]
    assert "without copies" not in told["clean"]["baseline"]


def test_subgroups_divide_all_cases() -> None:
    """Each facet's parts sum to n; a facet with one value divides nothing."""
    told = evaluate(made_rows(), CHEST, made_setting()).to_json()
    assert set(told["subgroups"]) == {"source", "size"}
    for parts in told["subgroups"].values():
        assert sum(part["n"] for part in parts.values()) == 200
    assert "not known" in told["subgroups"]["size"]
    assert {"accuracy", "auroc"} <= set(told["subgroups"]["source"]["north"]["metrics"])


def test_conformal_coverage_is_counted_over_the_answered() -> None:
    """A set of everything covers everything."""
    rows = made_rows()
    everything = evaluate(replace(rows, sets=np.ones((200, 2), dtype=bool)), CHEST, made_setting())
    assert everything.coverage is not None
    assert everything.coverage.overall.value == 1.0
    assert everything.coverage.mean_size == 2.0
    half = evaluate(rows, CHEST, made_setting()).to_json()["conformal"]
    assert half["coverage"]["low"] <= half["coverage"]["value"] <= half["coverage"]["high"] <= 1.0


def test_the_same_rows_give_the_same_object() -> None:
    """No clock and no chance in it."""
    one, two = (evaluate(made_rows(), CHEST, made_setting()).to_json() for _ in range(2))
    assert json.dumps(one) == json.dumps(two)


def test_everything_refused_is_still_an_evaluation() -> None:
    """Accuracy 0, no score figures, no invented coverage."""
    told = evaluate(made_rows(refused=200), CHEST, made_setting()).to_json()
    assert told["metrics"]["accuracy"]["value"] == 0.0
    assert "auroc" not in told["metrics"]
    assert "conformal" not in told


def test_a_class_without_cases_is_null_not_zero() -> None:
    """An evaluation on tumours only cannot speak of specificity."""
    rows = made_rows()
    only = np.ones(200, dtype=int)
    told = evaluate(replace(rows, labels=only), CHEST, made_setting()).to_json()
    assert told["metrics"]["specificity"]["value"] is None
    assert told["metrics"]["auroc"]["value"] is None
    assert told["per_class"]["normal"]["recall"]["value"] is None


def test_no_case_and_columns_that_do_not_fit_are_errors() -> None:
    """The message names the column."""
    empty = Rows((), np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2)), np.zeros(0, int))
    with pytest.raises(DataError, match="no labelled image"):
        evaluate(empty, CHEST, made_setting())
    with pytest.raises(ValueError, match="subgroup source"):
        replace(made_rows(), subgroups={"source": ("a",)})


def test_every_part_and_subgroup_is_of_its_own_cases() -> None:
    """Counted by hand: right answers, refusals, the commonest class and the neighbour of those very cases."""
    rows = made_rows(BRAIN)
    told = evaluate(rows, BRAIN, made_setting()).to_json()
    right, near = rows.predicted == rows.labels, rows.baselines["nearest neighbour"] == rows.labels
    parts = [(told["clean"], ~rows.copied), (told["copied"], rows.copied), (told, np.ones(200, dtype=bool))]
    for facet, values in told["subgroups"].items():
        column = np.array([value or "not known" for value in rows.subgroups[facet]])
        parts += [(part, column == value) for value, part in values.items()]
    assert len(parts) == 3 + 2 + 3
    for part, member in parts:
        assert (part["n"], part["refused"]) == (member.sum(), (rows.refused & member).sum())
        assert part["groups"] == len(set(rows.groups[member]))
        found = {name: each["accuracy"]["value"] for name, each in part["baseline"].items()}
        expected = {
            "majority": np.bincount(rows.labels[member]).max() / member.sum(),
            "nearest neighbour": near[member].mean(),
        }
        assert found == pytest.approx(expected, abs=1e-6)
        assert part["metrics"]["accuracy"]["value"] == pytest.approx(right[member].mean(), abs=1e-6)


def test_every_class_has_its_own_figures_and_those_of_the_trivial_answers() -> None:
    rows = made_rows(BRAIN)
    told = evaluate(rows, BRAIN, made_setting()).to_json()["per_class"]
    most = np.full(200, np.bincount(rows.labels).argmax())
    given = {"majority": most, "nearest neighbour": rows.baselines["nearest neighbour"]}
    answered = ~rows.refused
    for i, name in enumerate(BRAIN.classes):
        of_class, one = rows.labels == i, told[name]
        assert one["n"] == of_class.sum()
        assert one["auroc"]["value"] == pytest.approx(
            sk.roc_auc_score(of_class[answered], rows.probabilities[answered, i]), abs=1e-6
        )
        assert one["specificity"]["value"] == pytest.approx(
            np.mean((rows.predicted != i)[~of_class] & answered[~of_class]), abs=1e-6
        )
        for trivial, answers in given.items():
            expected = {
                "precision": sk.precision_score(of_class, answers == i, zero_division=0),
                "sensitivity": sk.recall_score(of_class, answers == i),
            }
            found = {figure: each["value"] for figure, each in one["baseline"][trivial].items()}
            assert found == pytest.approx(expected, abs=1e-6)


def test_a_refusal_is_listed_under_its_true_class() -> None:
    told = evaluate(made_rows(BRAIN, refused=10), BRAIN, made_setting()).to_json()["refusals"]
    assert [one["label"] for one in told] == [one["file"].partition("/")[0] for one in told]
    assert len({one["label"] for one in told}) > 1


def test_coverage_is_the_share_of_the_answered_whose_set_holds_the_truth() -> None:
    rows = made_rows(BRAIN, refused=20)
    told = evaluate(rows, BRAIN, made_setting()).to_json()["conformal"]
    sets, labels = rows.sets[~rows.refused], rows.labels[~rows.refused]
    held = sets[np.arange(180), labels]
    assert told["coverage"]["value"] == pytest.approx(held.mean(), abs=1e-6)
    assert told["mean_size"] == pytest.approx(sets.sum(axis=1).mean(), abs=1e-4)
    expected = {name: held[labels == i].mean() for i, name in enumerate(BRAIN.classes)}
    assert {name: each["value"] for name, each in told["per_class"].items()} == pytest.approx(expected, abs=1e-6)


def test_sets_that_held_every_truth_are_as_sure_as_their_groups_are_many() -> None:
    """Each class by its own groups, and the refused by none: a thousand images of one patient prove little."""
    rows = made_rows(BRAIN, refused=20)
    found = evaluate(replace(rows, sets=np.ones((200, 4), dtype=bool)), BRAIN, made_setting()).coverage
    answered = ~rows.refused
    assert found.overall == wilson(90, 90)
    for i, name in enumerate(BRAIN.classes):
        groups = len(set(rows.groups[answered & (rows.labels == i)]))
        assert 20 < groups < 60
        assert found.per_class[name] == wilson(groups, groups)
