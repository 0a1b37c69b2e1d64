"""What a page says of one answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hilum.interfaces.web.answers import set_words
from hilum.interfaces.web.words import within
from hilum.task import shipped_task


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        (["glioma"], "Nothing else: glioma alone is in the 95% set."),
        (["glioma", "meningioma"], "On this image meningioma cannot be ruled out (95% set)."),
        (
            ["meningioma", "glioma", "pituitary"],
            "On this image meningioma or pituitary tumour cannot be ruled out (95% set).",
        ),
        (["notumor"], "On this image no tumour cannot be ruled out (95% set; the answer itself is not in it)."),
        ([], ""),
    ],
)
def test_the_set_is_told_by_what_it_leaves_possible_beside_the_answer(inside: list[str], words: str) -> None:
    assert set_words(shipped_task("brain-tumor-mri"), inside, "glioma") == words


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Glioma", "glioma"),
        ("No Tumour", "no tumour"),
        ("Глиобластома", "глиобластома"),
        ("HCC", "HCC"),
        ("COVID-19 Pneumonia", "COVID-19 pneumonia"),
        ("Type B", "type B"),
        ("pT2 X-ray", "pT2 X-ray"),
        ("膠芽腫  ", "膠芽腫  "),
        ("", ""),
    ],
)
def test_within_a_sentence_abbreviations_stay_as_they_are_written(title: str, words: str) -> None:
    assert within(title) == words


def test_the_set_names_an_abbreviation_as_the_task_does() -> None:
    task = shipped_task("brain-tumor-mri")
    named = replace(
        task, labels=tuple(replace(one, title="HCC") if one.name == "glioma" else one for one in task.labels)
    )
    assert set_words(named, ["glioma"], "glioma") == "Nothing else: HCC alone is in the 95% set."
