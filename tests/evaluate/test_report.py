"""The page: self-contained, every section, the figures of the evaluation and no others."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from hilum.evaluate import words
from hilum.evaluate.evaluation import Evaluation, evaluate
from hilum.evaluate.report import Extras, Shown, notable, report
from hilum.evaluate.rows import Rows
from hilum.evaluate.sentences import sentences, warnings
from hilum.evaluate.text import text
from hilum.evaluate.versus import compare, with_versus
from hilum.metrics.classification import confusion, detection, ppv
from hilum.metrics.intervals import Interval
from hilum.task import Task
from tests.evaluate.made import BRAIN, CHEST, made_rows, made_setting

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


class Page(HTMLParser):
    """Tags and attributes of a page; complains of tags that do not close."""

    VOID = frozenset({"meta", "img", "input", "br", "link"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"


def page_of(task: Task, rows: Rows | None = None, **changes: object) -> tuple[str, Evaluation, Rows]:
    rows = rows or made_rows(task)
    found = evaluate(rows, task, made_setting(**changes))
    gallery = tuple(Shown(row, PNG, PNG) for row in notable(rows, 4))
    fidelity = {"activation map": {"deletion": Interval(0.3, 0.2, 0.4), "insertion": Interval(0.8, 0.7, 0.9)}}
    return report(found, rows, task, Extras(gallery, fidelity)), found, rows


@pytest.mark.parametrize("task", [CHEST, BRAIN], ids=lambda task: task.name)
def test_the_page_is_whole_and_asks_for_nothing(task: Task) -> None:
    """Tags close, ids are single, links lead somewhere, nothing is fetched."""
    source, _, _ = page_of(task)
    page = Page(source)
    assert page.open == []
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = [attrs["href"] or "" for tag, attrs in page.tags if tag == "a"]
    assert {target.lstrip("#") for target in targets} <= set(ids)
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", source)
    assert "@import" not in source
    assert "url(" not in source
    assert "default-src 'none'" in source


@pytest.mark.parametrize("task", [CHEST, BRAIN], ids=lambda task: task.name)
def test_every_figure_stands_on_the_page_with_its_words(task: Task) -> None:
    """Value, interval and meaning of each metric; the trivial baseline; the warnings; the refusals."""
    source, found, rows = page_of(task, marks=("The split was kept although copies cross it.",))
    shown = html.unescape(source)
    for name, interval in found.metrics.items():
        assert words.value(name, interval.value) in shown, name
        assert words.interval(name, interval) in shown, name
        assert words.meaning(name).says in shown, name
    for sentence in (*sentences(found, task), *warnings(found)):
        assert sentence in shown
    assert "The split was kept" in shown
    assert "nearest neighbour" in shown
    assert all(case in shown for case, _, _ in found.refusals)
    assert all(rows.ids[i] in shown for i in notable(rows, 4))
    for section in ("roc", "threshold", "calibration", "subgroups", "errors", "refused", "method"):
        assert f'id="{section}"' in source or section == "roc"


def test_the_explorer_counts_what_the_metrics_count() -> None:
    """The embedded counts at the operating point give the printed sensitivity, specificity and PPV."""
    rows = made_rows()
    answers = np.where(1 - rows.probabilities[:, 0] >= 0.42, 1, 0)
    rows = replace(rows, predicted=np.where(rows.refused, -1, answers))
    source, found, _ = page_of(CHEST, rows)
    counts = json.loads(re.search(r'id="explorer-counts">(.*?)</script>', source).group(1))
    place = counts["thresholds"].index(0.42)
    sensitivity = counts["found"][place] / counts["diseased"]
    cleared = counts["healthy"] - counts["healthy_refused"] - counts["alarms"][place]
    assert sensitivity == pytest.approx(found.metrics["sensitivity"].value)
    assert cleared / counts["healthy"] == pytest.approx(found.metrics["specificity"].value)
    table = detection(confusion(rows.predicted, rows.labels, 2), 0)
    row = re.search(r"0\.420 \(balanced\)</th>(.*?)</tr>", source).group(1)
    assert words.percent(float(ppv(table, 0.2))) in row


def test_hostile_names_stay_text() -> None:
    """A file called like a script is shown, not run."""
    rows = made_rows()
    rows = replace(rows, ids=("<script>alert(1)</script>.png", *rows.ids[1:]))
    source, _, _ = page_of(CHEST, rows, source="</title><script>alert(2)</script>")
    assert "<script>alert" not in source
    assert "&lt;script&gt;alert(1)" in source


def test_the_same_evaluation_gives_the_same_page() -> None:
    """No clock in it."""
    assert page_of(CHEST)[0] == page_of(CHEST)[0]


def test_pages_of_little_are_pages_too() -> None:
    """Everything refused; one class only; a task without a negative class; nothing wrong."""
    for rows in (made_rows(refused=200), replace(made_rows(), labels=np.ones(200, dtype=int))):
        assert Page(page_of(CHEST, rows)[0]).open == []
    labels = tuple(replace(label, negative=False) for label in CHEST.labels)
    neutral = replace(CHEST, labels=labels)
    source, _, _ = page_of(neutral)
    assert 'id="explorer"' not in source
    right = made_rows(refused=0)
    source, _, _ = page_of(CHEST, replace(right, predicted=right.labels))
    assert "No answer was wrong" in source
    assert "No image was refused" in source


def test_comparison_with_another_model_is_shown() -> None:
    """McNemar, the differences and their intervals."""
    rows = made_rows()
    versus = compare(rows, made_rows(skill=1.0), CHEST, made_setting(model={"name": "older", "version": "0.9"}))
    found = with_versus(evaluate(rows, CHEST, made_setting()), versus)
    source = report(found, rows, CHEST)
    assert "Against older 0.9" in source
    assert f"{versus.differences['accuracy'].value:+.4f}" in source


def test_the_terminal_shows_the_comparison_too() -> None:
    """The test in the page's words, each difference with its interval; without a second model nothing of it."""
    rows = made_rows()
    versus = compare(rows, made_rows(skill=1.0), CHEST, made_setting(model={"name": "older", "version": "0.9"}))
    plain = evaluate(rows, CHEST, made_setting())
    shown = text(with_versus(plain, versus), CHEST)
    assert "Against older 0.9: Of 200 images" in shown
    assert f"McNemar's test, mid-p: {words.chance(versus.mcnemar.p_mid)}" in shown
    table = [line.split("  ") for line in shown.partition("this minus the other")[2].splitlines()[1:]]
    told = {cells[0]: [cell.strip() for cell in cells[1:] if cell] for cells in table}
    for name, found in versus.differences.items():
        assert told[words.meaning(name).title] == [f"{found.value:+.4f}", f"{found.low:+.4f} to {found.high:+.4f}"]
    assert "McNemar" not in text(plain, CHEST)


def test_calibration_error_of_few_images_is_called_too_few() -> None:
    """In the table, the headline and a warning; the curve says how many bins it has. 200 images have their figure."""
    few, many = made_rows(n=80), made_rows()
    source, found, _ = page_of(CHEST, few)
    assert found.to_json()["metrics"]["ece"] == {"value": None, "low": None, "high": None}
    for shown in (source, text(found, CHEST)):
        assert "too few" in shown
        assert "Fewer than 100 answered images are too few to say" in shown
    assert "This model, 3 equal bins" in source
    assert "This model, all images" in page_of(CHEST, made_rows(n=30))[0]
    told = evaluate(replace(many, copied=None), CHEST, made_setting())
    assert words.with_interval("ece", told.metrics["ece"]) in text(told, CHEST)
    assert "too few" not in text(told, CHEST)
    versus = compare(few, made_rows(n=80, skill=1.0), CHEST, made_setting())
    assert "Calibration error" not in text(with_versus(found, versus), CHEST).partition("Against")[2]
    assert Page(report(with_versus(found, versus), few, CHEST)).open == []


def test_few_groups_and_copies_are_warned_of() -> None:
    """And where nothing is wrong there is no warning."""
    few = evaluate(made_rows(n=40), CHEST, made_setting())
    assert any("20 groups" in warning for warning in warnings(few))
    assert any("copy an image the model was trained on" in warning for warning in warnings(few))
    quiet = evaluate(replace(made_rows(), copied=None), CHEST, made_setting(cues={}, unreadable=()))
    assert warnings(quiet) == []


def test_the_terminal_shows_the_same_figures() -> None:
    """Sentences, parts and classes as text."""
    found = evaluate(made_rows(BRAIN), BRAIN, made_setting())
    shown = text(found, BRAIN)
    assert words.with_interval("accuracy", found.metrics["accuracy"]) in shown
    assert "No copies" in shown
    assert "Trivial: majority" in shown
    assert all(name in shown for name in BRAIN.classes)


def test_notable_errors_are_the_most_confident_ones() -> None:
    """Only wrong answers, surest first, refused ones not among them."""
    rows = made_rows()
    found = notable(rows, 10)
    sure = rows.probabilities[list(found), rows.predicted[list(found)]]
    assert (np.diff(sure) <= 0).all()
    assert (rows.predicted[list(found)] != rows.labels[list(found)]).all()
    assert not rows.refused[list(found)].any()


def test_errors_at_a_low_threshold_are_sorted_by_the_probability_that_stands_beside_them() -> None:
    """Called diseased at 45% is a surer alarm than at 23%, though "healthy" was the surer class of the second."""
    stated = np.array([0.23, 0.45, 0.32])
    rows = Rows(
        ids=("a", "b", "c"),
        labels=np.zeros(3, dtype=int),
        groups=np.arange(3),
        probabilities=np.stack([1 - stated, stated], axis=1),
        predicted=np.ones(3, dtype=int),
    )
    assert notable(rows, 2) == (1, 2)
