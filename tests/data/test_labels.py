"""A data set's words become the task's classes, or the call says which words it does not know and how to teach them."""

from __future__ import annotations

import pytest

from hilum.data.labels import with_task
from hilum.data.layouts.found import Columns
from hilum.data.source import open_source
from hilum.errors import DataError
from hilum.task import find_task
from tests.data.made import lay, pictures

FOUR, PRESENCE, CHEST = find_task("brain-tumor-mri"), find_task("brain-tumor-presence-mri"), find_task("pneumonia-cxr")


def read(tmp_path, task, *paths):
    return with_task(open_source(str(lay(tmp_path, pictures(*paths)))), task)


def test_synonyms_are_read_without_case_spaces_and_punctuation(tmp_path):
    dataset = read(tmp_path, FOUR, "No_Tumor/1.png", "GLIOMA-tumor/2.png", "healthy/3.png")
    assert [case.label for case in dataset.cases] == ["glioma", "notumor", "notumor"]
    assert [case.raw_label for case in dataset.cases] == ["GLIOMA-tumor", "No_Tumor", "healthy"]
    assert dataset.classes == FOUR.classes
    assert dataset.labels.tolist() == [0, 2, 2]


def test_some_classes_are_enough(tmp_path):
    assert read(tmp_path, FOUR, "pituitary/1.png").counts == {
        "glioma": 0,
        "meningioma": 0,
        "notumor": 0,
        "pituitary": 1,
    }


def test_unknown_words_are_listed_with_counts_and_a_way_out(tmp_path):
    with pytest.raises(DataError) as caught:
        read(tmp_path, CHEST, "NORMAL/1.png", "covid/1.png", "covid/2.png", "tb/1.png")
    assert "'covid' (2), 'tb' (1)" in str(caught.value)
    assert "normal, pneumonia" in str(caught.value)
    assert "synonyms" in str(caught.value)


def test_a_table_beside_folders_of_other_words_is_named_with_the_option_that_reads_it(tmp_path):
    """The folders were taken for the classes: who has the words in a table must learn that it was not read."""
    lay(tmp_path, pictures("site 0/a.png", "site 1/b.png") | {"labels.csv": "image,label\na.png,0\nb.png,1\n"})
    with pytest.raises(DataError, match=r"labels\.csv: not used, the folders name the classes; --label-column NAME"):
        with_task(open_source(str(tmp_path)), CHEST)
    named = open_source(str(tmp_path), columns=Columns(label="label"))
    assert [case.label for case in with_task(named, CHEST).cases] == ["normal", "pneumonia"]


def test_a_deeper_or_higher_folder_can_hold_the_word(tmp_path):
    dataset = read(tmp_path, FOUR, "tumor/glioma/1.png", "tumor/pituitary/2.png", "healthy/x/3.png")
    assert [case.label for case in dataset.cases] == ["notumor", "glioma", "pituitary"]


def test_no_labels_at_all_is_said(tmp_path):
    with pytest.raises(DataError, match="no labels"):
        read(tmp_path, FOUR, "1.png", "2.png")


def test_patients_come_from_the_file_name(tmp_path):
    names = ("person1_virus_6", "person1_bacteria_2", "IM-0115-0001", "IM-0115-0002", "NORMAL2-IM-0115-0001", "scan")
    dataset = read(tmp_path, CHEST, *(f"NORMAL/{name}.jpeg" for name in names))
    found = {case.name.removesuffix(".jpeg"): case.patient for case in dataset.cases}
    assert found["person1_virus_6"] == found["person1_bacteria_2"] == "person1"
    assert found["IM-0115-0001"] == found["IM-0115-0002"] != found["NORMAL2-IM-0115-0001"]
    assert found["scan"] is None


def test_a_folder_above_all_classes_says_nothing_of_an_unknown_one(tmp_path):
    paths = [f"Brain Tumor/{name}/{i}.png" for name in ("Healthy", "Brain Tumor", "Artefacts") for i in range(2)]
    with pytest.raises(DataError, match=r"'Artefacts' \(2\)"):
        read(tmp_path, PRESENCE, *paths)
