"""The model card: valid front matter, the evaluation's numbers, the same bytes every time."""

from __future__ import annotations

from dataclasses import replace

import huggingface_hub
import pytest

from hilum.evaluate import words
from hilum.evaluate.card import CardFacts, Source, card
from hilum.evaluate.evaluation import evaluate
from hilum.model.calibration import Calibration, ConformalClass, OperatingPoint
from tests.evaluate.made import BRAIN, made_rows, made_setting

FACTS = CardFacts(
    licence="apache-2.0",
    name="brain-small",
    version="1.2",
    network="residual, width 32",
    parameters=1_234_567,
    size_bytes=4_900_000,
    input_words="one grey image, 128 x 128 pixels, 8 bit",
    sources=(Source("made | images", 5708, "CC0-1.0"),),
    parts={"train": {"glioma": 900, "notumor": 700}, "test": {"glioma": 100}},
    training={"epochs": "24", "label smoothing": "0.05"},
    copies="Copies across the supplied split were moved into one part.",
    limits=("Slices, not volumes.",),
)


@pytest.fixture(name="found", scope="module")
def found_fixture():
    return evaluate(made_rows(BRAIN), BRAIN, made_setting())


def test_the_hub_reads_the_front_matter(found) -> None:
    """Licence, tags and a model index whose values are those of the evaluation."""
    data = huggingface_hub.ModelCard(card(found, FACTS, BRAIN)).data
    assert data.license == "apache-2.0"
    assert data.pipeline_tag == "image-classification"
    told = {result.metric_type: result.metric_value for result in data.eval_results}
    assert told["accuracy"] == pytest.approx(found.metrics["accuracy"].value, abs=1e-4)
    assert told["roc_auc"] == pytest.approx(found.metrics["auroc"].value, abs=1e-4)
    assert {result.dataset_name for result in data.eval_results} == {"made/images"}


def test_the_card_says_what_a_reader_must_know(found) -> None:
    """Intended use, figures with intervals and baseline, classes, data, parameters, copies, limits."""
    text = card(found, FACTS, BRAIN)
    for wanted in (
        BRAIN.intended_use,
        "not a medical device",
        words.with_interval("balanced_accuracy", found.metrics["balanced_accuracy"]),
        "Trivial: majority",
        "No copies",
        "1,234,567",
        "4.9 MB",
        "made \\| images",
        "| train | 900 | 700 |",
        "| test | 100 | 0 |",
        "Copies across the supplied split",
        "Slices, not volumes.",
        "AUROC 0.91",
    ):
        assert wanted in text, wanted


def test_a_source_whose_name_holds_a_line_end_breaks_no_line_of_the_card(found) -> None:
    named = evaluate(made_rows(BRAIN), BRAIN, made_setting(source="two\nlines"))
    facts = replace(FACTS, sources=(Source("two\nlines | images", 5708),))
    lines = card(named, facts, BRAIN).splitlines()
    assert "## How good it is: two\\nlines" in lines
    assert "| two\\nlines \\| images | 5,708 | not stated |  |" in lines


def test_the_same_numbers_give_the_same_bytes(found) -> None:
    """And further evaluations follow the first."""
    assert card(found, FACTS, BRAIN) == card(found, FACTS, BRAIN)
    other = evaluate(made_rows(BRAIN, seed=3), BRAIN, made_setting(source="another/place"))
    text = card(found, FACTS, BRAIN, (other,))
    assert text.index("How good it is: made/images") < text.index("How good it is: another/place")


def test_a_card_of_few_images_does_not_say_calibration_error(found) -> None:
    """Too few is written, and why."""
    few = evaluate(made_rows(BRAIN, n=80), BRAIN, made_setting())
    text = card(few, FACTS, BRAIN)
    assert "| Calibration error (ECE) | too few |" in text
    assert "**Beware:** Fewer than 100 answered images" in text
    assert f"| Calibration error (ECE) | {words.with_interval('ece', found.metrics['ece'])} |" in card(
        found, FACTS, BRAIN
    )


def test_the_card_says_how_each_operating_point_was_chosen(found) -> None:
    """The rule, on what, how many groups, what it reached there; and that an old package does not say its rule."""
    points = {
        "screening": OperatingPoint("screening", 0.25, 0.97, 0.9, 30, 40, rule="the highest that reaches 95%"),
        "balanced": OperatingPoint("balanced", None, 0.95, 0.93, 30, 40, note="a target was out of reach"),
    }
    classes = tuple(label.name for label in BRAIN.labels)
    size = len(classes)
    sets = tuple(ConformalClass(0.1, 20, False, (0.9, 0.99)) for _ in classes)
    calibration = Calibration(
        classes, 1, 1.5, (0.0,) * size, points, sets, tuple(range(10, 10 + size)), (1 / size,) * size, "out of fold"
    )
    text = card(found, replace(FACTS, calibration=calibration), BRAIN)
    assert "fitted on the out of fold, never on the test" not in text
    assert "| `screening` | 0.250 | the highest that reaches 95% | 0.970 (30 groups) | 0.900 (40 groups) |" in text
    assert "| `balanced` | most probable class | not stated in this package; a target was out of reach |" in text
    assert f"{classes[0]} 10" in text
    assert "How its operating points were chosen" not in card(found, FACTS, BRAIN)


def test_a_card_claims_no_licence_that_nobody_gave() -> None:
    facts = CardFacts("knee", "1", "residual-s", 1, 1, "one grey image", ())
    assert facts.licence == "unknown"
