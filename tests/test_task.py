"""Task files: their words, their checks, their errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from hilum.errors import UnknownTask, UsageError
from hilum.task import find_task, parse_task, read_task, shipped_tasks, task_text

MINE = """
name = "knee-fracture"
title = "Fracture of the knee"
modalities = ["CR"]
body_parts = ["KNEE"]
image_words = "a knee X-ray"
intended_use = "Research."
[[labels]]
name = "intact"
title = "Intact"
negative = true
[[labels]]
name = "broken"
title = "Broken"
synonyms = ["1", "fracture"]
"""

LABELS = MINE[MINE.index("[[labels]]") :]
POINT = '[[operating_points]]\nname = "balanced"\n[[operating_points]]\nname = "mine"\n'


def test_words_of_data_sets_become_labels() -> None:
    presence = find_task("brain-tumor-presence-mri")
    assert [presence.label_for(w) for w in ("Brain Tumor", "Healthy", "0", "1", "notumor")] == [
        "tumor", "healthy", "healthy", "tumor", "healthy",
    ]  # fmt: skip
    assert find_task("pneumonia-cxr").label_for("NORMAL") == "normal"
    assert presence.label_for("knee") is None
    assert [presence.label_for(w) for w in ("1,0", "0,00", "1.5")] == ["tumor", "healthy", None]
    grades = parse_task(
        MINE.replace('["1", "fracture"]', '["1", "1.5", "-0,5"]').replace(
            "negative = true", 'synonyms = ["10", "15", "0.5"]'
        )
    )
    assert [grades.label_for(w) for w in ("1,0", "10,0", "1,50", "15", "-0.5", "0,5")] == [
        "broken", "intact", "broken", "intact", "broken", "intact",
    ]  # fmt: skip
    assert [presence.label_for(w) for w in ("1.0", "01", "-1", "10", "?", "")] == [
        "tumor",
        "tumor",
        None,
        None,
        None,
        None,
    ]


def test_a_word_that_may_be_two_numbers_is_neither() -> None:
    counted = parse_task(MINE.replace('["1", "fracture"]', '["1"]').replace("negative = true", 'synonyms = ["1000"]'))
    assert [counted.label_for(w) for w in ("1", "1,0", "1,00", "1,0000", "1000", "1,000", "-1,000", "1,500")] == [
        "broken", "broken", "broken", "broken", "intact", None, None, None,
    ]  # fmt: skip
    assert parse_task(MINE.replace('"fracture"', '"1,000"')).label_for(" 1,000") == "broken"  # where the task says so


def test_a_word_of_thousands_of_digits_is_a_word() -> None:
    presence = find_task("brain-tumor-presence-mri")
    assert [presence.label_for(w) for w in ("9" * 5000, "0" * 5000, "9" * 5000 + ",0")] == [None, None, None]


def test_words_of_any_script_stand_for_their_own_label_only(tmp_path: Path) -> None:
    task = parse_task(MINE.replace('title = "Intact"', 'title = "цел"').replace('"fracture"', '"перелом", "骨折"'))
    path = tmp_path / "persian.toml"
    path.write_text(MINE.replace('title = "Broken"', 'title = "می\u200cشکند"'), encoding="utf-8")
    assert read_task(path).label_for("می\u200cشکند") == "broken"  # what joins or parts letters is no line's end
    words = ("Цел", "перелом", "骨折", "肺炎", "трещина")
    assert [task.label_for(word) for word in words] == ["intact", "broken", "broken", None, None]


def test_the_highest_priority_comes_first() -> None:
    assert [task.auto_priority for task in shipped_tasks()] == [20, 10, 0]


def test_a_file_of_ones_own_works_like_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "knee.toml").write_text(MINE)
    task = find_task(str(tmp_path / "knee.toml"))
    assert (task.classes, task.negative, task.label_for("Fracture")) == (("intact", "broken"), 0, "broken")


def test_an_unknown_task_says_what_there_is() -> None:
    with pytest.raises(UnknownTask, match="pneumonia-cxr"):
        find_task("nonsense")
    with pytest.raises(UnknownTask, match="no such task file"):
        find_task("nonsense.toml")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('name = "knee-fracture"', 'name = "Knee!"'), "lower-case letters"),
        (('synonyms = ["1", "fracture"]', 'synonyms = ["Intact"]'), "more than one label: intact"),
        (('title = "Broken"', 'titel = "Broken"'), "a label has no 'titel'; there are: name, title"),
        (("negative = true", 'negative = "ja"'), "write true or false"),
        (('modalities = ["CR"]', 'patient_patterns = ["("]\nmodalities = []'), "no regular expression"),
        (('image_words = "a knee X-ray"', 'image_word = "x"'), "the file has no 'image_word'"),
        (('title = "Broken"', 'title = "Intact"'), "more than one label: intact"),
        (('title = "Fracture of the knee"\n', ""), "the file lacks 'title'$"),
        (('body_parts = ["KNEE"]\n', ""), r"the file lacks 'body_parts'; write \[\] to accept any$"),
        (('title = "Broken"\n', ""), "a label lacks 'title'$"),
        ((LABELS, ""), "the file lacks 'labels'$"),
        ((LABELS, "labels = 3"), "labels = 3: write a list"),
        ((LABELS, 'labels = ["a", "b"]'), "a label = 'a': write a table"),
        (('title = "Fracture of the knee"', "title = 5"), "title = 5: write it in quotes"),
        (('name = "knee-fracture"', "name = 5"), "name = 5: write it in quotes"),
        (('name = "broken"', "name = 7"), "name = 7: write it in quotes"),
        (('modalities = ["CR"]', "modalities = [3]"), "modalities: 3: write it in quotes"),
        (('modalities = ["CR"]', 'modalities = []\nauto_priority = "x"'), "auto_priority = 'x': write a whole number"),
        (
            ('modalities = ["CR"]', "modalities = []\nsmallest_side = 8"),
            "smallest_side = 8: write a whole number of 16",
        ),
        (
            ('modalities = ["CR"]', "modalities = []\nsmallest_side = true"),
            "smallest_side = True: write a whole number",
        ),
        (('modalities = ["CR"]', "modalities = []\ncodes = 3"), "codes = 3: write a table"),
        (('modalities = ["CR"]', "modalities = []\ncodes = { site = 3 }"), "a code = 3: write a table"),
        (('synonyms = ["1", "fracture"]', 'code = { value = "3" }'), "a code lacks 'scheme', 'meaning'$"),
        (("[[labels]]", "[[operating_points]]\nsensitivity = 0.9\n[[labels]]"), "an operating point lacks 'name'$"),
        (('image_words = "a knee X-ray"', 'select_by = "luck"\nimage_words = "x"'), "select_by must be one of"),
        (('modalities = ["CR"]', 'patient_patterns = ["^x"]\nmodalities = []'), "needs a group named 'patient'"),
        (('[[labels]]\nname = "intact"', "[[labels"), "not a task file"),
        (('modalities = ["CR"]', 'modalities = "CR"'), "modalities = 'CR': write a list"),
        (('synonyms = ["1", "fracture"]', 'synonyms = "fracture"'), "synonyms = 'fracture': write a list"),
        (('modalities = ["CR"]', 'geometry = "centre"\nmodalities = []'), "geometry must be one of whole, central"),
        (('modalities = ["CR"]', 'flip_horizontal = "no"\nmodalities = []'), "flip_horizontal = 'no': write true"),
        (('modalities = ["CR"]', "prevalences = [5]\nmodalities = []"), "prevalences: 5 must be a number between 0"),
        (("[[labels]]", f"{POINT}sensitivity = 95\n[[labels]]"), "'mine': 95 must be a number between 0 and 1"),
        (("[[labels]]", f"{POINT}sensitivity = 0.9\nspecificity = 0.9\n[[labels]]"), "'mine': give a sensitivity or"),
        (('name = "broken"', 'name = ""'), "label '': its name '' must hold letters"),
        (('name = "broken"', 'name = "in\\ntwo"'), "must hold letters, in one line"),
        (('title = "Broken"', 'title = " "'), "label 'broken': its title ' ' must hold letters"),
        (('"1", "fracture"', '"1", ""'), "label 'broken': its synonym '' must hold letters"),
        (('name = "broken"', 'name = "broken/torn"'), "label name 'broken/torn': it is a folder's name too"),
        (('name = "broken"', "name = 'torn\\broken'"), "it is a folder's name too"),
        (('name = "broken"', f'name = "{"ö" * 101}"'), "200 bytes at most"),
        (('name = "broken"', 'name = "broken "'), "label name 'broken ': it is a folder's name too"),
        (('name = "broken"', 'name = "Intact"'), "more than one label: intact"),
        (("[[labels]]", f"{POINT.replace('mine', 'balanced')}[[labels]]"), "names of their own, not 'balanced', 'bal"),
        (("[[labels]]", f"{POINT.replace('mine', '')}[[labels]]"), "names of their own, not 'balanced', ''"),
    ],
)
def test_a_broken_task_file_names_what_to_mend(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(MINE.replace(*change, 1))
    with pytest.raises(UsageError, match=said):
        read_task(path)


def test_two_negatives_are_refused() -> None:
    with pytest.raises(ValueError, match="at most one label can be negative"):
        parse_task(MINE.replace('title = "Broken"', 'title = "Broken"\nnegative = true'))


def test_a_mark_that_an_editor_puts_before_the_text_is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "knee.toml"
    path.write_text(MINE, encoding="utf-8-sig")
    assert read_task(path).classes == ("intact", "broken")
    assert task_text(str(path)) == MINE


def test_a_package_that_was_sealed_with_a_name_no_longer_taken_still_opens() -> None:
    assert parse_task(MINE.replace('name = "broken"', 'name = "broken/torn"')).classes == ("intact", "broken/torn")
