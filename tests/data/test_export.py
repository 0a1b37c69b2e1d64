"""What is written out opens again as the same data set."""

from __future__ import annotations

import errno
import json
import os

import numpy as np
import pytest
from PIL import Image as Picture

import hilum.data.export
from hilum.data.audit import audit
from hilum.data.audit_report import write_audit_report
from hilum.data.export import Wanted, _free, export
from hilum.data.source import open_source
from hilum.durable import DRAFT
from hilum.errors import DataError, UnreadableImage, UnreadableSource, UsageError
from hilum.image.prepare import Preparation, prepare
from tests.data.made import dicom, lay, npz, pictures, png
from tests.data.test_layout_names import calls_of

SMALL = Preparation(size=16)


def source(tmp_path, **extra):
    files = pictures("train/ill/1.png", "train/well/1.png", "train/well/2.jpg", "test/ill/1.png") | extra
    return open_source(str(lay(tmp_path / "in", files)), cache=tmp_path / "cache")


def reopened(tmp_path, path):
    return open_source(str(path), cache=tmp_path / "cache")


@pytest.mark.parametrize("preparation", [None, SMALL])
@pytest.mark.parametrize("out", ["out.npz", "out"])
def test_it_opens_again_as_the_same_data_set(tmp_path, out, preparation):
    dataset = source(tmp_path)
    written = export(dataset, tmp_path / out, Wanted((0, 1, 3), preparation))
    again = reopened(tmp_path, tmp_path / out)
    assert again.digest == written.digest
    assert written.images == 3
    wanted = [dataset.cases[i] for i in (0, 1, 3)]
    key = lambda case: (str(case.split), str(case.raw_label))  # noqa: E731
    assert sorted(map(key, again.cases)) == sorted(map(key, wanted))
    for case in again.cases:
        (same,) = [w for w in wanted if key(w) == key(case)]
        pixels = dataset.images(same)[0]
        expected = prepare(pixels, preparation)[0] / 255 if preparation else pixels.pixels
        np.testing.assert_allclose(again.images(case)[0].pixels, expected, atol=0.003)


def test_a_folder_keeps_files_byte_by_byte_and_says_where_they_came_from(tmp_path):
    dataset = source(tmp_path)
    export(dataset, tmp_path / "out", Wanted((3,)))
    assert (tmp_path / "out/train/well/2.jpg").read_bytes() == dataset.data(dataset.cases[3])
    (line,) = map(json.loads, (tmp_path / "out/manifest.jsonl").read_text().splitlines())
    assert line["from"] == dataset.cases[3].path


def test_patients_survive(tmp_path):
    files = {"a/1.dcm": dicom("P1", "1.1"), "a/2.dcm": dicom("P1", "1.2", 9), "b/3.dcm": dicom("P2", "1.3", 20)}
    dataset = open_source(str(lay(tmp_path / "in", files)), cache=tmp_path / "cache")
    for out in ("out.npz", "out", "pictures"):
        export(dataset, tmp_path / out, Wanted((0, 1, 2), SMALL if out == "pictures" else None))
        again = reopened(tmp_path, tmp_path / out)
        one, two, three = (case.patient for case in again.cases)
        assert one == two != three


def test_what_cannot_be_read_is_left_out_and_listed(tmp_path):
    dataset = source(tmp_path, **{"test/well/broken.png": png()[:40]})
    for out in ("out.npz", "out"):
        written = export(dataset, tmp_path / out, Wanted(tuple(range(5)), SMALL))
        assert written.images == 4
        assert list(written.left_out) == [f"{tmp_path}/in/test/well/broken.png"]


def test_names_that_meet_are_numbered(tmp_path):
    npz(tmp_path / "in/a.npz", images=[[[1, 2], [3, 4]]], labels=["x/../y"])
    npz(tmp_path / "in/b.npz", images=[[[5, 6], [7, 8]]], labels=["x/../y"])
    export(open_source(str(tmp_path / "in"), cache=tmp_path / "cache"), tmp_path / "out")
    made = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.png"))
    assert made == ["x_.._y/a-0.png", "x_.._y/b-0.png"]
    dataset = open_source(str(lay(tmp_path / "in2", pictures("c/p1/1.png", "c/p2/1.png", "d/p3/1.png"))))
    export(dataset, tmp_path / "out2")
    made = sorted(str(p.relative_to(tmp_path / "out2")) for p in (tmp_path / "out2").rglob("*.png"))
    assert made == ["c/1-2.png", "c/1.png", "d/1.png"]


def test_a_long_name_is_cut_before_its_suffix(tmp_path):
    long = "n" * 130
    dataset = open_source(str(lay(tmp_path / "in", pictures(f"a/{long}1.png", f"a/{long}2.PNG", "b/1.png"))))
    export(dataset, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out/a").iterdir()) == [f"{long[:120]}-2.PNG", f"{long[:120]}.png"]
    assert len(reopened(tmp_path, tmp_path / "out")) == 3


@pytest.mark.parametrize("out", ["out", "out.npz"])
def test_names_that_are_no_utf8_or_break_lines_survive(tmp_path, out):
    files = pictures("ill/1.png", "well\u2028 or so/1.png", "well\u2028 or so/a\x85b.png")
    folder = lay(tmp_path / "in", files | {os.fsdecode(b"ill/M\xfcller.png"): png(9)})
    dataset = open_source(str(folder))
    assert [case.id for case in dataset.cases[:2]] == [f"{folder}/ill/1.png", f"{folder}/ill/M\\udcfcller.png"]
    written = export(dataset, tmp_path / out)
    again = reopened(tmp_path, tmp_path / out)
    assert (written.images, again.digest) == (4, written.digest)
    assert again.counts == dataset.counts
    assert len(dataset.digest) == 64
    write_audit_report(audit(dataset), dataset, tmp_path / "report")


def test_it_never_writes_over_anything(tmp_path):
    dataset = source(tmp_path)
    (tmp_path / "there.npz").write_text("mine")
    for out in ("there.npz", "in"):
        with pytest.raises(UsageError, match="is there already"):
            export(dataset, tmp_path / out, Wanted((0,)))
    assert (tmp_path / "there.npz").read_text() == "mine"


def test_sizes_that_differ_need_a_preparation(tmp_path):
    dataset = source(tmp_path, **{"train/ill/big.png": png(0, 20)})
    with pytest.raises(DataError, match="give a preparation"):
        export(dataset, tmp_path / "out.npz")
    assert {p.name for p in tmp_path.iterdir()} == {"in"}  # nothing half-made is left


def test_a_file_changed_after_the_manifest_is_found(tmp_path):
    export(source(tmp_path), tmp_path / "out")
    (tmp_path / "out/train/well/1.png").write_bytes(png(99))
    again = reopened(tmp_path, tmp_path / "out")
    changed = next(case for case in again.cases if case.path == "train/well/1.png")
    with pytest.raises(UnreadableImage, match="is not the file of the manifest"):
        again.images(changed)
    (tmp_path / "out/test/ill/1.png").unlink()
    with pytest.raises(UnreadableSource, match="1 of its 4 files"):
        reopened(tmp_path, tmp_path / "out")


@pytest.mark.parametrize("path", ["../in/a.png", "/etc/a.png", "a/../../b.png", "x:a.png", "./a.png"])
def test_a_manifest_cannot_lead_out_of_its_folder(tmp_path, path):
    line = json.dumps({"path": path, "sha256": "0" * 64, "label": "a"})
    lay(tmp_path / "in", pictures("a.png") | {"manifest.jsonl": line})
    with pytest.raises(UnreadableSource, match="leads out"):
        open_source(str(tmp_path / "in"))


def test_what_a_full_disk_cut_short_leaves_nothing_and_goes_well_the_next_time(tmp_path, monkeypatch):
    def full(log, file):
        file.write_text("half", encoding="utf-8")
        raise OSError(errno.ENOSPC, "No space left on device")

    dataset, target = source(tmp_path), tmp_path / "clean" / "out.npz"
    with monkeypatch.context() as broken:
        broken.setattr(hilum.data.export._Log, "save", full)
        with pytest.raises(OSError, match="No space"):
            export(dataset, target, Wanted((0, 1), SMALL))
    assert not list(target.parent.iterdir())
    (target.parent / f"{DRAFT}left").mkdir()  # by a kill
    export(dataset, target, Wanted((0, 1), SMALL))
    assert sorted(path.name for path in target.parent.iterdir()) == ["out.npz", "out.npz.manifest.jsonl"]


@pytest.mark.parametrize("out", ["out.npz", "out"])
def test_frames_of_one_file_stay_together_though_nobody_is_known(tmp_path, out):
    for number in range(3):
        pages = [Picture.fromarray(np.full((8, 8), 40 * number + page, np.uint8)) for page in range(3)]
        (tmp_path / "in/ill").mkdir(parents=True, exist_ok=True)
        pages[0].save(tmp_path / f"in/ill/{number}.tiff", save_all=True, append_images=pages[1:])
    dataset = open_source(str(lay(tmp_path / "in", pictures("ill/4.png"))), cache=tmp_path / "cache")
    export(dataset, tmp_path / out, Wanted((0, 1, 2, 3), SMALL))
    manifest = tmp_path / (f"{out}.manifest.jsonl" if out.endswith("npz") else "out/manifest.jsonl")
    origin = [row["from"] for row in map(json.loads, manifest.read_text().splitlines())]
    again = reopened(tmp_path, tmp_path / out)
    patients = [case.patient for case in again.cases]
    assert len(patients) == len(origin) == 10
    tiffs = {patient for patient, path in zip(patients, origin, strict=True) if path.endswith("tiff")}
    assert len(tiffs) == 3
    assert None not in tiffs
    assert patients.count(None) == 1


def test_files_of_one_name_are_numbered_without_trying_each_number_again():
    """A folder a patient with an image.png in each: a hundred thousand of them took most of an hour."""
    taken: dict[str, int] = {}
    found = [_free("a/Image.png", taken) for _ in range(1_000)]
    assert found[:3] == ["a/Image.png", "a/Image-2.png", "a/Image-3.png"]
    assert len(set(found)) == len(found)
    assert calls_of(lambda: _free("a/image.png", taken)) < 50
    assert _free("a/image-3.png", taken) == "a/image-3-2.png"
    assert _free("manifest.jsonl", taken) == "manifest-2.jsonl"


def test_long_names_of_any_script_fit_a_file_system(tmp_path):
    """Three bytes a letter: only the writing of that file said so, after all before it."""
    label = "\u80ba" * 120
    lay(tmp_path / "in", pictures("a.png") | {"t.csv": f"image,label\na,{label}\n"})
    assert export(reopened(tmp_path, tmp_path / "in"), tmp_path / "out").images == 1
    assert [case.raw_label for case in reopened(tmp_path, tmp_path / "out").cases] == [label]
