"""Words: every figure there is has its meaning, on the page and in the documentation; numbers never round to a lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.evaluate import words
from hilum.metrics.figures import class_figures, figures
from hilum.metrics.intervals import Interval
from tests.conftest import ROOT
from tests.evaluate.made import BRAIN, CHEST, made_rows

DOCS = Path(ROOT) / "docs" / "reference" / "metrics.md"


@pytest.mark.parametrize("task", [CHEST, BRAIN], ids=lambda task: task.name)
def test_every_figure_is_defined_in_the_documentation(task) -> None:
    """A new metric without words or without its entry in docs/reference/metrics.md fails here."""
    answers = made_rows(task).answers(task)
    text = DOCS.read_text(encoding="utf-8")
    for name in {**figures(answers, draws=10), **class_figures(answers, 0, draws=10)}:
        assert words.meaning(name).says
        stem = name.rpartition("_")[0] if "_at_" in name else name
        assert f"`{stem}" in text, name
    with pytest.raises(KeyError):
        words.meaning("luck")


@pytest.mark.parametrize(
    ("share", "written"),
    [
        (0.954, "95.4%"),
        (1.0, "100.0%"),
        (0.0, "0.0%"),
        (0.9997, "99.970%"),
        (0.9999999, "99.999%"),
        (1e-9, "0.001%"),
        (float("nan"), "–"),
    ],
)
def test_a_share_is_never_rounded_to_certainty(share: float, written: str) -> None:
    """99.97% is not written as 100%."""
    assert words.percent(share) == written


def test_a_share_in_whole_percent_is_not_rounded_to_certainty_either() -> None:
    """What a refused image is more unusual than: not "100.00% of known images"."""
    assert words.percent(0.9999999, 0) == "99.99%"


def test_figures_are_written_as_their_kind() -> None:
    """Shares as percentages, areas and errors as numbers, missing ends as nothing."""
    assert words.with_interval("accuracy", Interval(0.923, 0.901, 0.942)) == "92.3% (90.1 to 94.2%)"
    assert words.with_interval("auroc", Interval(0.985, 0.975, 0.992)) == "0.985 (0.975 to 0.992)"
    assert words.with_interval("accuracy", Interval(0.5)) == "50.0%"
    assert words.with_interval("auroc", Interval(float("nan"))) == words.DASH
    assert words.with_interval("ece", Interval(float("nan"))) == "too few"
    assert words.meaning("ppv_at_prevalence_0.05").title == "PPV where 5% have it"
    assert words.chance(0.0000001) == "p < 0.001"
    assert words.chance(0.034) == "p = 0.034"
