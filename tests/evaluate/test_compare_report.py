"""Networks side by side: best first by what the task selects by, the trivial answer in every form."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from hilum.errors import DataError
from hilum.evaluate import words
from hilum.evaluate.compare_report import Contender, as_html, as_json, as_text, duration, ranked
from hilum.evaluate.evaluation import evaluate
from hilum.task import SELECT_BY
from tests.evaluate.made import CHEST, made_rows, made_setting
from tests.evaluate.test_report import Page


@pytest.fixture(name="contenders", scope="module")
def contenders_fixture() -> list[Contender]:
    poor, good, same = (evaluate(made_rows(skill=skill), CHEST, made_setting()) for skill in (0.7, 3.0, 3.0))
    return [
        Contender("cnn-2block", "from random start", 11_000_000, 44_000_000, 300.0, 0.004, poor),
        Contender(
            "residual", "from random start", 1_200_000, 4_800_000, 1080.0, 0.012, good, "24 epochs, best 13, 224 px"
        ),
        Contender("residual-wide", "from random start", 4_000_000, 16_000_000, 4000.0, 0.05, same, "<two> times"),
    ]


def test_the_best_stands_first_and_the_smaller_of_equals(contenders: list[Contender]) -> None:
    """By the task's own `select_by`."""
    assert CHEST.select_by == "auroc"
    assert [one.name for one in ranked(contenders, CHEST)] == ["residual", "residual-wide", "cnn-2block"]


def test_json_holds_what_the_table_shows(contenders: list[Contender]) -> None:
    """Parameters, size, times and every metric with its interval."""
    told = as_json(contenders, CHEST)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    best = told["networks"][0]
    assert (best["name"], best["parameters"], best["size_bytes"]) == ("residual", 1_200_000, 4_800_000)
    assert set(best["metrics"]["auroc"]) == {"value", "low", "high"}
    assert "majority" in told["baseline"]


def test_text_and_page_show_every_network_and_the_trivial_answer(contenders: list[Contender]) -> None:
    """The page is whole, escapes what it is told, and says where the order may be chance."""
    text, source = as_text(contenders, CHEST), as_html(contenders, CHEST)
    for one in contenders:
        assert one.name in text
        assert one.name in source
    assert "(majority class)" in text
    assert max(map(len, text.splitlines())) <= 120
    figures, made = text.split("\n\n")
    best = next(line for line in figures.splitlines() if line.startswith("residual "))
    for name in ("accuracy", "balanced_accuracy", "auroc"):
        assert words.with_interval(name, contenders[1].evaluation.metrics[name]) in best
    assert "24 epochs, best 13, 224 px" in next(line for line in made.splitlines() if line.startswith("residual "))
    assert "Trivial: majority" in source
    assert "the order among these may be chance" in source
    assert "&lt;two&gt; times" in source
    assert Page(source).open == []


def test_the_terminal_shows_the_nearest_neighbour_as_the_page_does(contenders: list[Contender]) -> None:
    """A network is worth what it adds to mere likeness, wherever its figures are read."""
    known = contenders[0].evaluation.whole.baseline["nearest neighbour"]
    line = next(line for line in as_text(contenders, CHEST).splitlines() if line.startswith("(nearest neighbour)"))
    for name in ("accuracy", "balanced_accuracy"):
        assert words.with_interval(name, known[name]) in line


@pytest.mark.parametrize("figure", SELECT_BY)
def test_the_figure_that_the_order_goes_by_stands_in_every_table(contenders: list[Contender], figure: str) -> None:
    """A task may select by F2 or recall: best first by a figure that is nowhere to be seen explains nothing."""
    task = replace(CHEST, select_by=figure)
    text, source = as_text(contenders, task), as_html(contenders, task)
    best = ranked(contenders, task)[0]
    told = words.with_interval(figure, best.evaluation.metrics[figure])
    assert told in next(line for line in text.splitlines() if line.startswith(f"{best.name} "))
    assert max(map(len, text.splitlines())) <= 120
    assert re.search(rf'<th scope="col" class="num">{words.meaning(figure).title}</th>', source)


def test_other_cases_cannot_be_ranked(contenders: list[Contender]) -> None:
    """Nor can nothing."""
    other = evaluate(made_rows(n=100), CHEST, made_setting())
    stranger = Contender("x", "from random start", 1, 1, 1.0, 1.0, other)
    with pytest.raises(DataError, match="same cases"):
        ranked([*contenders, stranger], CHEST)
    with pytest.raises(DataError, match="no network"):
        as_text([], CHEST)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.0008, "0.8 ms"), (0.21, "210 ms"), (64.0, "64 s"), (1080.0, "18 min"), (9000.0, "2.5 h")]
)
def test_times_are_said_as_people_say_them(seconds: float, said: str) -> None:
    """From milliseconds to hours."""
    assert duration(seconds) == said
