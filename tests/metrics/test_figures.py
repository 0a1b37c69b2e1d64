"""Every figure by name: rules for two and more classes, for refused cases, for figures of 1, and speed of the draws."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from hilum.metrics import calibration as c
from hilum.metrics import figures as f
from hilum.metrics.classification import balanced_accuracy
from hilum.metrics.intervals import clustered_draws, wilson
from hilum.task import SELECT_BY


def made(n: int, classes: int, seed: int = 0, negative: int | None = 0) -> f.Answers:
    """A fair classifier: right for most cases."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    logits = generator.normal(size=(n, classes))
    logits[np.arange(n), labels] += 2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return f.Answers(probabilities, probabilities.argmax(axis=1), labels, np.arange(n) // 2, negative, (0.1,))


def refused(answers: f.Answers, rows: list[int]) -> f.Answers:
    """The same with some cases refused, their probabilities gone."""
    predicted, probabilities = answers.predicted.copy(), answers.probabilities.copy()
    predicted[rows], probabilities[rows] = -1, np.nan
    return f.Answers(probabilities, predicted, answers.labels, answers.groups, answers.negative, answers.prevalences)


@pytest.mark.parametrize("classes", [2, 4])
def test_every_way_to_select_a_model_is_a_figure(classes: int) -> None:
    """Whatever a task may name in `select_by` can be computed."""
    answers = made(120, classes)
    for name in SELECT_BY:
        assert 0.0 <= f.figure(name, answers) <= 1.0
    with pytest.raises(ValueError, match="no figure 'luck'"):
        f.figure("luck", answers)


def test_two_classes_with_a_negative_one() -> None:
    """Precision, recall and areas are those of the disease."""
    answers = made(200, 2)
    score, truth = answers.probabilities[:, 1], answers.labels
    assert f.figure("auroc", answers) == pytest.approx(sk.roc_auc_score(truth, score))
    assert f.figure("auprc", answers) == pytest.approx(sk.average_precision_score(truth, score))
    assert f.figure("f2", answers) == pytest.approx(sk.fbeta_score(truth, answers.predicted, beta=2))
    assert f.figure("sensitivity", answers) == f.figure("recall", answers)
    assert f.figure("specificity", answers) == pytest.approx(sk.recall_score(truth, answers.predicted, pos_label=0))


def test_four_classes_are_averaged_and_detection_is_apart() -> None:
    """Macro over the classes; sensitivity and specificity are of "any disease" against none."""
    answers = made(200, 4, negative=2)
    expected = sk.roc_auc_score(answers.labels, answers.probabilities, multi_class="ovr")
    assert f.figure("auroc", answers) == pytest.approx(expected)
    assert f.figure("recall", answers) == pytest.approx(balanced_accuracy(answers.predicted, answers.labels, 4))
    assert f.figure("sensitivity", answers) == pytest.approx(
        sk.recall_score(answers.labels != 2, answers.predicted != 2)
    )
    detection = sk.roc_auc_score(answers.labels != 2, 1 - answers.probabilities[:, 2])
    assert f.figure("detection_auroc", answers) == pytest.approx(detection)


def test_intervals_hold_their_figure_and_one_class_has_its_own() -> None:
    """Every figure lies inside its interval, also calibration error."""
    answers = refused(made(300, 4, negative=2), [0, 5])
    for name, interval in (f.figures(answers, draws=300) | f.class_figures(answers, 1, draws=300)).items():
        assert interval.low <= interval.value <= interval.high, name
    assert f.class_figures(answers, 1, draws=50)["recall"].value == pytest.approx(
        (answers.predicted == answers.labels)[answers.labels == 1].mean()
    )


def test_refused_cases_are_wrong_and_have_no_score() -> None:
    """Accuracy falls; auroc is of the answered; the worst case is printed beside it and lies below."""
    whole, answers = made(200, 2), refused(made(200, 2), list(range(10)))
    left = whole.taken(np.arange(10, 200))
    assert f.figure("accuracy", answers) == pytest.approx(190 / 200 * f.figure("accuracy", left))
    for name in ("auroc", "ece", "brier"):
        assert f.figure(name, answers) == pytest.approx(f.figure(name, left))
    assert f.figure("auroc_refused_worst", answers) < f.figure("auroc", answers)
    assert "auroc_refused_worst" not in f.figures(whole, draws=10)


def test_all_refused_leaves_no_score_figures() -> None:
    """Nothing is made up where nothing was answered."""
    answers = refused(made(20, 2), list(range(20)))
    found = f.figures(answers, draws=20)
    assert found["accuracy"].value == 0.0
    assert "auroc" not in found
    assert "ece" not in found


@pytest.mark.parametrize(("n", "refusals"), [(40, 0), (104, 5)])
def test_calibration_error_of_few_answers_is_not_said(n: int, refusals: int) -> None:
    """Under a hundred answered cases there is neither figure nor interval nor difference, and one case more has all."""
    found = f.figures(refused(made(n, 2), list(range(refusals))), draws=20)
    assert np.isnan([found["ece"].value, found["ece"].low, found["ece"].high]).all()
    assert found["ece"].to_json() == found["ece_if_calibrated"].to_json() == {"value": None, "low": None, "high": None}
    assert found["brier"].low < found["brier"].high
    enough = f.figures(refused(made(104, 2), list(range(4))), draws=20)
    for name in ("ece", "ece_if_calibrated"):
        assert enough[name].low <= enough[name].value <= enough[name].high


def test_chance_stands_beside_the_calibration_error_only_where_it_is_asked_for():
    """It is of the answered cases, and costs nothing where other figures were named."""
    answers = refused(made(300, 2), list(range(9)))
    known = c.ece_if_calibrated(answers.probabilities[answers.answered])
    assert f.figures(answers, draws=10)["ece_if_calibrated"] == known
    assert list(f.figures(answers, draws=10, names=("ece",))) == ["ece"]
    assert set(f.figures(answers, draws=10, names=("ece", "ece_if_calibrated"))) == {"ece", "ece_if_calibrated"}


def test_a_perfect_score_still_has_an_interval() -> None:
    """40 right of 40 in 20 groups is not certainty: Wilson over the groups."""
    answers = made(40, 2)
    perfect = f.Answers(np.eye(2)[answers.labels], answers.labels, answers.labels, answers.groups, 0)
    found = f.figures(perfect, draws=50)
    assert found["accuracy"].low == pytest.approx(wilson(20, 20).low)
    assert found["specificity"].low < 1.0
    assert found["balanced_accuracy"].low < 1.0
    assert f.class_figures(perfect, 1, draws=50)["recall"].low < 1.0


def test_shapes_that_do_not_fit_are_refused() -> None:
    """One row a case, classes in range, a probability for every answer."""
    good = made(10, 2)
    with pytest.raises(ValueError, match="one row a case"):
        f.Answers(good.probabilities, good.predicted[:5], good.labels, good.groups)
    with pytest.raises(ValueError, match="labels must be"):
        f.Answers(good.probabilities, good.predicted, good.labels + 1, good.groups)
    with pytest.raises(ValueError, match="no probability"):
        f.Answers(np.full((10, 2), np.nan), good.predicted, good.labels, good.groups)


def test_the_interval_of_the_calibration_error_is_moved_to_the_figure() -> None:
    """Resampling adds noise, which can only raise it: the draws are shifted until their mean is the figure."""
    answers = made(400, 2)
    found = f.figures(answers, draws=200)["ece"]
    draws = np.concatenate(list(clustered_draws(answers.groups, 200)))
    drawn = np.asarray(c.ece(answers.probabilities, answers.labels, weights=draws))
    moved = np.quantile(drawn, [0.025, 0.975]) - drawn.mean() + found.value
    assert (found.low, found.high) == pytest.approx((max(moved[0], 0.0), moved[1]))
    assert drawn.mean() - found.value > 0.002


def test_readings_are_those_of_their_names() -> None:
    """By scikit-learn's curve: the best sensitivity at each specificity, and the other way round."""
    answers = made(400, 2)
    wrongly, found, _ = sk.roc_curve(answers.labels, answers.probabilities[:, 1], drop_intermediate=False)
    told = {name: f.figure(name, answers) for name in f.values(answers, None) if "_at_s" in name}
    expected = {}
    for level in (0.90, 0.95):
        expected[f"sensitivity_at_specificity_{level:.2f}"] = found[1 - wrongly >= level - 1e-9].max()
        expected[f"specificity_at_sensitivity_{level:.2f}"] = 1 - wrongly[found >= level - 1e-9].min()
    assert told == pytest.approx(expected)
    for reading in ("sensitivity_at_specificity", "specificity_at_sensitivity"):
        assert told[f"{reading}_0.90"] > told[f"{reading}_0.95"]


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_f_scores_are_those_of_their_names(beta: float) -> None:
    two, four = made(200, 2, seed=1), made(200, 4, seed=1)
    name = f"f{beta:g}"
    assert f.figure(name, two) == pytest.approx(sk.fbeta_score(two.labels, two.predicted, beta=beta))
    expected = sk.fbeta_score(four.labels, four.predicted, beta=beta, average="macro")
    assert f.figure(name, four) == pytest.approx(expected)


def test_a_class_against_the_rest_has_the_figures_that_scikit_learn_gives_it() -> None:
    answers = refused(made(300, 4, negative=2), [0, 5, 6])
    kept = answers.answered
    for index in range(4):
        of_class, called = answers.labels == index, answers.predicted == index
        score, truth = answers.probabilities[kept, index], of_class[kept]
        expected = {
            "precision": sk.precision_score(of_class, called),
            "sensitivity": sk.recall_score(of_class, called),
            "recall": sk.recall_score(of_class, called),
            "specificity": np.mean(kept[~of_class] & ~called[~of_class]),
            "f1": sk.f1_score(of_class, called),
            "auroc": sk.roc_auc_score(truth, score),
            "auprc": sk.average_precision_score(truth, score),
        }
        found = {name: each.value for name, each in f.class_figures(answers, index, draws=10).items()}
        assert found == pytest.approx(expected)


def test_without_a_negative_class_sensitivity_and_specificity_are_means_over_the_classes() -> None:
    answers = made(200, 4, negative=None)
    of_class = [(answers.labels == i, answers.predicted == i) for i in range(4)]
    assert f.figure("specificity", answers) == pytest.approx(
        np.mean([sk.recall_score(truth, called, pos_label=0) for truth, called in of_class])
    )
    assert f.figure("sensitivity", answers) == pytest.approx(
        sk.balanced_accuracy_score(answers.labels, answers.predicted)
    )
    assert f.figure("precision", answers) == pytest.approx(
        sk.precision_score(answers.labels, answers.predicted, average="macro")
    )
    areas = [sk.average_precision_score(answers.labels == i, answers.probabilities[:, i]) for i in range(4)]
    assert f.figure("auprc", answers) == pytest.approx(np.mean(areas))


def test_at_worst_a_refused_patient_ranks_below_everybody_and_a_refused_healthy_one_above() -> None:
    answers = refused(made(200, 2), list(range(11)))
    score = np.where(answers.answered, answers.probabilities[:, 1], np.where(answers.labels == 1, -1.0, 2.0))
    assert f.figure("auroc_refused_worst", answers) == pytest.approx(sk.roc_auc_score(answers.labels, score))
