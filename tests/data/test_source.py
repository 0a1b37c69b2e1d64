"""Every layout opens as the same kind of data set; what lies around is listed and never stops the call."""

from __future__ import annotations

import errno
import os
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from hilum.data.audit import audit
from hilum.data.audit_report import write_audit_report
from hilum.data.export import export
from hilum.data.labels import with_task
from hilum.data.layouts.rows import GROUP_COLUMNS, IMAGE_COLUMNS, LABEL_COLUMNS, SPLIT_COLUMNS, plain
from hilum.data.places.far import REMOTES
from hilum.data.places.tree import ARCHIVE_SUFFIXES, IMAGE_SUFFIXES
from hilum.data.source import open_source
from hilum.errors import DataError, UnreadableSource
from hilum.task import find_task
from tests.data.made import SHARED, lay, needs_data, npz, pictures, png


def labels_of(root: Path) -> dict[str, tuple[str | None, str | None]]:
    return {case.path: (case.raw_label, case.split) for case in open_source(str(root)).cases}


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("a/1.png", "b/2.png"), [("a", None), ("b", None)]),
        (("Images/Brain Tumor/1.png", "Images/Healthy/2.png"), [("Brain Tumor", None), ("Healthy", None)]),
        (("Testing/a/1.png", "Training/b/2.png"), [("a", "test"), ("b", "train")]),
        (("x/test/a/1.png", "x/train/b/2.png", "x/val/b/3.png"), [("a", "test"), ("b", "train"), ("b", "val")]),
        (("NORMAL/train/1.png", "SICK/test/2.png"), [("NORMAL", "train"), ("SICK", "test")]),
        (("NORMAL/p1/1.png", "NORMAL/p2/2.png", "SICK/p3/1.png"), [("NORMAL", None)] * 2 + [("SICK", None)]),
        (("s1/NORMAL/1.png", "s1/SICK/2.png", "s2/SICK/2.png"), [("NORMAL", None), ("SICK", None), ("SICK", None)]),
        (("glioma/1.png", "glioma/2.png"), [("glioma", None), ("glioma", None)]),
        (("NORMAL/images/1.png", "SICK/images/2.png"), [("NORMAL", None), ("SICK", None)]),
        (("test/SICK/Images/2.png", "train/NORMAL/Images/1.png"), [("SICK", "test"), ("NORMAL", "train")]),
        (
            ("NORMAL/p1/DICOM/1.png", "NORMAL/p2/DICOM/1.png", "SICK/p3/DICOM/1.png"),
            [("NORMAL", None)] * 2 + [("SICK", None)],
        ),
        (("images/1.png", "images/2.png"), [(None, None), (None, None)]),
        (("1.png", "2.png"), [(None, None), (None, None)]),
    ],
)
def test_folders_name_classes_and_splits(tmp_path, paths, expected):
    lay(tmp_path, pictures(*paths))
    assert labels_of(tmp_path) == dict(zip(paths, expected, strict=True))


def test_what_lies_around_is_listed_and_the_images_still_open(tmp_path):
    stray = [".DS_Store", "a/Thumbs.db", "a/empty.png", "a/readme.txt", "b/desktop.ini", "b/._1.png", "top.png"]
    stray += ["a/.ipynb_checkpoints/1-checkpoint.png", "__MACOSX/a/1.png", "b/DICOMDIR"]
    stray += ["a/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg", "$RECYCLE.BIN/a/1.png", "#recycle/1.png", "a/.AppleDouble/1.png"]
    stray += [".Trash-1000/files/1.png", ".Trashes/501/1.png", "a/.thumbnails/1.png"]
    stray += [
        ".cache/a/1.png",
        "a/.before/1.png",
        "b/.1.png.swp.png",
    ]  # of other programs: `hilum predict` passes them over
    lay(tmp_path, pictures("a/1.png", "b/2.png") | dict.fromkeys(stray, bytes(128) + b"DICM, no image"))
    (tmp_path / "a/empty.png").write_bytes(b"")
    (tmp_path / "top.png").write_bytes(png())
    dataset = open_source(str(tmp_path))
    assert [case.path for case in dataset.cases] == ["a/1.png", "b/2.png"]
    assert set(dataset.stray) == {f"{tmp_path}/{path}" for path in stray}


def test_a_folder_of_the_system_that_nobody_may_read_stops_no_listing_and_any_other_does(tmp_path, monkeypatch):
    """The root of a drive holds one; what cannot be listed elsewhere may hold images."""
    lay(tmp_path, pictures("a/1.png", "b/2.png", "System Volume Information/x.png"))
    closed, scandir = ["System Volume Information"], os.scandir

    def some(folder):
        if Path(folder).name in closed:
            raise PermissionError(errno.EACCES, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", some)
    assert set(labels_of(tmp_path)) == {"a/1.png", "b/2.png"}
    closed.append("b")
    with pytest.raises(UnreadableSource, match=r"/b: Permission denied"):
        open_source(str(tmp_path))


def test_pictures_of_formats_that_are_not_read_are_counted_with_that_reason(tmp_path):
    others = ["a/1.gif", "a/2.GIF", "b/3.nii.gz", "a/._4.gif", "b/notes.txt"]
    lay(tmp_path / "some", pictures("a/1.png", "b/2.png") | dict.fromkeys(others, b"x"))
    dataset = open_source(str(tmp_path / "some"))
    assert dataset.notes == ("format not read: 2 GIF, 1 NIfTI; left out with the stray files",)
    assert len(dataset.stray) == len(others)
    lay(tmp_path / "none", {"a/1.gif": b"x", "b/notes.txt": b"x"})
    with pytest.raises(UnreadableSource, match=r"2 other files; format not read: 1 GIF"):
        open_source(str(tmp_path / "none"))


def test_folders_that_are_linked_as_train_and_as_test_are_both_listed(tmp_path):
    lay(tmp_path / "pool", pictures("a/1.png", "b/2.png", "test/a/3.png"))
    for name, split, leads in (
        ("one", "train", ""),
        ("one", "test", ""),
        ("two", "train", ""),
        ("two", "test", "test"),
    ):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / split).symlink_to(tmp_path / "pool" / leads)
    both = labels_of(tmp_path / "one")
    assert {path for path in both if "3" not in path} == {
        f"{s}/{p}" for s in ("train", "test") for p in ("a/1.png", "b/2.png")
    }
    assert {split for _, split in both.values()} == {"train", "test"}
    assert {"test/a/3.png", "train/a/1.png", "train/b/2.png"} <= set(labels_of(tmp_path / "two"))


def test_links_that_lead_back_end_and_links_without_number_are_refused(tmp_path, monkeypatch):
    lay(tmp_path / "set", pictures("a/1.png", "b/2.png"))
    lay(tmp_path / "else", pictures("3.png"))
    (tmp_path / "set/c").symlink_to(tmp_path / "else")
    (tmp_path / "else/back").symlink_to(tmp_path / "set")
    (tmp_path / "else/own").symlink_to(tmp_path / "else")
    (tmp_path / "set/up").symlink_to(tmp_path)
    assert set(labels_of(tmp_path / "set")) == {"a/1.png", "b/2.png", "c/3.png"}
    monkeypatch.setattr("hilum.data.places.folder.MAX_TIMES", 1)
    (tmp_path / "set/d").symlink_to(tmp_path / "else")
    with pytest.raises(UnreadableSource, match="more than 1 links to one folder"):
        open_source(str(tmp_path / "set"))


def test_nothing_to_read_is_an_error_that_names_the_reference(tmp_path):
    with pytest.raises(UnreadableSource, match="nowhere"):
        open_source(str(tmp_path / "nowhere"))
    lay(tmp_path, {"a/readme.txt": "x"})
    with pytest.raises(UnreadableSource, match="no images"):
        open_source(str(tmp_path))


def test_ids_are_paths_as_given(tmp_path, monkeypatch):
    lay(tmp_path, pictures("set/a/1.png", "set/b/2.png"))
    monkeypatch.chdir(tmp_path)
    assert [case.id for case in open_source("set/").cases] == ["set/a/1.png", "set/b/2.png"]


def test_the_reference_names_every_place_layout_column_and_suffix():
    page = (Path(__file__).parents[2] / "docs/reference/sources.md").read_text(encoding="utf-8")
    said = {plain(word) for word in re.findall(r"`([^`]+)`", page)}
    wanted = {*IMAGE_COLUMNS, *LABEL_COLUMNS, *GROUP_COLUMNS, *SPLIT_COLUMNS}
    wanted -= {"filepath"}  # image_path and filename stand for it
    assert not {word for word in wanted if word not in said}
    named = [f"{scheme}://" for remote in REMOTES for scheme in remote.schemes]
    named += [*ARCHIVE_SUFFIXES, *IMAGE_SUFFIXES, "class folders", "unlabelled", "arrays", "table", "manifest"]
    assert not [word for word in named if word not in page]


@needs_data
@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "task", "counts"),
    [
        (
            "brain-mri-4class",
            "brain-tumor-mri",
            {"glioma": 1145, "meningioma": 1147, "notumor": 1472, "pituitary": 1291},
        ),
        ("brain-mri-binary", "brain-tumor-presence-mri", {"healthy": 1936, "tumor": 2078}),
        ("brain-mri-4class", "brain-tumor-presence-mri", {"healthy": 1472, "tumor": 3583}),
        ("chest-xray", "pneumonia-cxr", {"normal": 1192, "pneumonia": 3476}),
    ],
)
def test_real_class_folders_have_the_counts_of_their_readme(folder, task, counts):
    dataset = with_task(open_source(str(SHARED / folder)), find_task(task))
    assert dataset.counts == counts
    assert len(dataset) == sum(counts.values())


@needs_data
@pytest.mark.data
def test_real_chest_files_name_their_patients():
    dataset = with_task(open_source(str(SHARED / "chest-xray")), find_task("pneumonia-cxr"))
    assert all(case.patient for case in dataset.cases)


@needs_data
@pytest.mark.data
def test_words_the_task_does_not_know_are_listed_with_their_counts():
    dataset = open_source(str(SHARED / "chest-xray"))
    with pytest.raises(DataError, match=r"'PNEUMONIA' \(3476\).*synonyms"):
        with_task(dataset, find_task("brain-tumor-mri"))


def test_a_folder_whose_name_is_no_utf8_is_audited_written_down_and_prepared(tmp_path):
    """The disks of other systems are full of them; a training said so only when it sealed, after hours."""
    folder = tmp_path / os.fsdecode(b"M\xfcller")
    lay(folder, pictures("a/1.png", "b/2.png") | {os.fsdecode(b"t\xfc.csv"): "no,table\n"})
    dataset = open_source(str(folder), cache=tmp_path / "cache")
    told = (
        dataset.name,
        *dataset.notes,
        *dataset.stray,
        *(word for case in dataset.cases for word in case_words(case)),
    )
    assert dataset.name == "M\\udcfcller"
    assert " ".join(told).encode()
    assert write_audit_report(audit(dataset), dataset, tmp_path / "report").is_file()
    assert export(dataset, tmp_path / "out").images == 2


def case_words(case):
    return (case.id, case.source, str(case.raw_label))


@pytest.mark.parametrize("name", ["set.npz", "set.tar.gz", "set.zip"])
def test_what_is_unpacked_from_a_folder_whose_name_is_no_utf8_is_kept(tmp_path, name):
    folder = tmp_path / os.fsdecode(b"M\xfcller")
    packed = npz(folder / "in" / "set.npz", images=np.zeros((2, 8, 8), np.uint8), labels=["a", "b"])
    if name == "set.zip":
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.write(packed, "set.npz")
    elif name == "set.tar.gz":
        with tarfile.open(folder / name, "w:gz") as archive:
            archive.add(packed, os.fsdecode(b"s\xfct.npz"))
    source = packed if name == "set.npz" else folder / name
    dataset = open_source(str(source), cache=tmp_path / "cache")
    assert dataset.counts == {"a": 1, "b": 1}
    assert dataset.images(dataset.cases[1])[0].pixels.shape == (8, 8)
