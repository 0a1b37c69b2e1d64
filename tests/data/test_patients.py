"""Patients group cases, and their identifiers stay where they are."""

from __future__ import annotations

import errno
import json
import os

import pytest

from hilum.data.audit import audit
from hilum.data.labels import with_task
from hilum.data.patients import pseudonym
from hilum.data.source import Columns, open_source
from hilum.errors import UsageError
from hilum.task import find_task
from tests.data.made import dicom, lay, pictures

FILES = {
    "a/1.dcm": dicom("MRN 17", "1.2.1"),
    "a/2": dicom("MRN 17", "1.2.2", deflated=True),
    "b/1.2.3": dicom("MRN 18", "1.2.3"),
    "b/4.dcm": b"x" * 300,
}


def test_dicom_patients_are_keyed_hashes_that_outlive_the_process(tmp_path):
    lay(tmp_path / "set", FILES)
    first, again, elsewhere = (open_source(str(tmp_path / "set"), cache=tmp_path / c) for c in ("c", "c", "d"))
    one, two, other, unreadable = (case.patient for case in first.cases)
    assert one == two != other
    assert unreadable is None
    assert [case.patient for case in again.cases] == [case.patient for case in first.cases]
    assert one != elsewhere.cases[0].patient  # another machine, another key
    assert "MRN" not in repr(first.cases)
    assert (tmp_path / "c/patient.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kind", [b"HO", b"FD"])  # none that there is; one that six letters are no whole numbers of
def test_a_damaged_identifier_costs_its_own_file_its_patient_and_nothing_else(tmp_path, kind):
    damaged = FILES["a/1.dcm"].replace(b"\x10\x00\x20\x00LO", b"\x10\x00\x20\x00" + kind)
    assert damaged != FILES["a/1.dcm"]
    lay(tmp_path / "set", FILES | {"a/1.dcm": damaged})
    found = open_source(str(tmp_path / "set"), cache=tmp_path / "c")
    assert [case.patient is None for case in found.cases] == [True, False, False, True]


@pytest.mark.parametrize("word", ["ANONYMOUS", "Anonymized", "unknown"])
def test_files_whose_header_names_nobody_are_not_one_patient(tmp_path, word):
    """Else a set that was made anonymous is one group, and nothing of it can be held back for a test."""
    files = {f"{label}/{n}.dcm": dicom(word, f"1.2.{n}{ord(label)}", n * 40) for label in "ab" for n in (1, 2, 3)}
    dataset = open_source(str(lay(tmp_path / "set", files)), cache=tmp_path / "c")
    assert {case.patient for case in dataset.cases} == {None}
    assert set(audit(dataset).patients) == {None}


@pytest.mark.parametrize("column", ["SOPInstanceUID", "PatientID", "uid"])
def test_a_table_can_name_dicom_files_by_their_identifiers(tmp_path, column):
    words = {"MRN 17": "1", "MRN 18": "0"} if column == "PatientID" else {"1.2.1": "1", "1.2.2": "1", "1.2.3": "0"}
    table = f"{column},label\n" + "".join(f"{word},{label}\n" for word, label in words.items())
    lay(tmp_path / "set", {path.replace("/", "_"): data for path, data in FILES.items()} | {"labels.csv": table})
    columns = Columns(image="uid") if column == "uid" else None
    dataset = with_task(
        open_source(str(tmp_path / "set"), columns=columns, cache=tmp_path / "c"), find_task("pneumonia-cxr")
    )
    assert dataset.counts == {"normal": 1, "pneumonia": 2}
    assert dataset.stray == (f"{tmp_path}/set/b_4.dcm",)
    assert len({case.patient for case in dataset.cases}) == 2


@pytest.mark.parametrize("left", [b"", b"k" * 31])
def test_a_key_that_a_loss_of_power_cut_short_hides_nobody_and_is_refused(tmp_path, left):
    """Hashes without a key are found again by hashing all numbers that a hospital gives."""
    lay(tmp_path, {f"set/{path}": data for path, data in FILES.items()} | {"c/patient.key": left})
    with pytest.raises(UsageError, match=r"patient\.key: .*32 bytes"):
        open_source(str(tmp_path / "set"), cache=tmp_path / "c")


def test_a_drive_without_hard_links_keeps_one_key(tmp_path, monkeypatch):
    def none(*_names):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    lay(tmp_path / "set", FILES)
    first, again = (open_source(str(tmp_path / "set"), cache=tmp_path / "c") for _ in range(2))
    assert [case.patient for case in first.cases] == [case.patient for case in again.cases]
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["patient.key"]


def test_a_pseudonym_needs_its_key():
    assert pseudonym("17", b"k" * 32) == pseudonym(" 17", b"k" * 32)
    assert pseudonym("17", b"k" * 32) != pseudonym("17", b"l" * 32)
    assert pseudonym("17", b"k" * 32) != pseudonym("18", b"k" * 32)


@pytest.mark.parametrize(
    ("name", "folders", "patients"),
    [("patient ", 8, 8), ("sub-", 8, 8), ("patient ", 2, 0), ("site ", 6, 0), ("20", 8, 8)],
)
def test_folders_below_a_class_are_patients_unless_they_are_few_and_large(tmp_path, name, folders, patients):
    """A name below both classes is one patient."""
    paths = [f"{c}/{name}{i % folders}/{i}.png" for c in ("NORMAL", "PNEUMONIA") for i in range(24)]
    dataset = with_task(open_source(str(lay(tmp_path / "set", pictures(*paths)))), find_task("pneumonia-cxr"))
    found = audit(dataset)
    assert len(set(found.patients) - {None}) == patients
    assert any("counts as a patient" in note for note in found.notes) == bool(patients)


@pytest.mark.parametrize("inner", ["series {}", "2020-01-0{}", "S{}"])
def test_what_lies_inside_a_folder_called_a_patient_is_of_that_patient(tmp_path, inner):
    """Series 1 of one patient is not series 1 of another."""
    paths = [
        f"{c}/patient {who + 8 * (c == 'NORMAL')}/{inner.format(n % 2)}/{n}.png"
        for c in ("NORMAL", "PNEUMONIA")
        for who in range(8)
        for n in range(4)
    ]
    found = audit(with_task(open_source(str(lay(tmp_path / "set", pictures(*paths)))), find_task("pneumonia-cxr")))
    folders = {path: path.split("/")[-3] for path in found.paths}
    assert found.patients == tuple(folders[path] for path in found.paths)


def test_half_a_letter_in_json_is_told_as_an_escape(tmp_path):
    """It is no text that could be hashed, printed or written to a file."""
    rows = [{"image": "1.png", "label": "a", "patient": "\ud800"}, {"image": "\udfff.png", "label": "b\ud800"}]
    table = "".join(json.dumps(row) + "\n" for row in rows)
    dataset = open_source(str(lay(tmp_path / "set", pictures("1.png", "2.png") | {"t.jsonl": table})), cache=tmp_path)
    assert dataset.cases[0].patient
    assert "\\udfff.png" in " ".join(dataset.notes)
    assert " ".join(dataset.notes).encode()


@pytest.mark.parametrize(("other", "read"), [("PNEUMONIA", True), ("COVID", False)])
def test_names_are_read_by_the_rules_of_a_task_only_where_it_knows_every_label(tmp_path, other, read):
    """Person 3 of another study is somebody else, and a number in its names may be anything."""
    paths = [f"{c}/person{who}_virus_{n}.png" for c in ("NORMAL", other) for who in range(3) for n in range(2)]
    found = audit(open_source(str(lay(tmp_path / "set", pictures(*paths)))))
    assert (set(found.patients) != {None}) == read
