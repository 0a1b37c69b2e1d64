"""`hilum prepare`: the patients that its audit finds stand in what it writes, and nobody can read who they are."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from pydicom import dcmread
from pydicom.uid import UID

from hilum.data.source import open_source
from hilum.interfaces.cli.main import main
from tests.data.made import dicom, lay

FILMS = {
    "PNEUMONIA/person1_bacteria_1.png": 0, "PNEUMONIA/person1_bacteria_2.png": 0, "PNEUMONIA/person2_virus_1.png": 1,
    "NORMAL/IM-0001-0001.png": 2, "NORMAL/IM-0001-0002.png": 2,
}  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))


def films(tmp_path: Path) -> str:
    """Films named as the task for chest films knows them, each of its own noise."""
    for number, path in enumerate(FILMS):
        file = tmp_path / "films" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (48, 48), dtype=np.uint8)
        Picture.fromarray(pixels).save(file)
    return str(tmp_path / "films")


def lines(manifest: Path) -> dict[str, str | None]:
    """The patient of each file that was written, by the file it came from."""
    rows = map(json.loads, manifest.read_text(encoding="utf-8").splitlines())
    return {row["from"]: row["patient"] for row in rows}


@pytest.mark.parametrize("options", [[], ["--task=pneumonia-cxr"]])
@pytest.mark.parametrize("out", ["out.npz", "out"])
def test_patients_of_file_names_are_written_as_hashes(tmp_path: Path, out: str, options: list[str]) -> None:
    assert main(["prepare", films(tmp_path), f"--out={tmp_path / out}", *options]) == 0
    found = lines(tmp_path / ("out.npz.manifest.jsonl" if out.endswith("npz") else "out/manifest.jsonl"))
    assert set(found) == set(FILMS)
    assert all(found[a] == found[b] if FILMS[a] == FILMS[b] else found[a] != found[b] for a in FILMS for b in FILMS)
    assert all(patient is not None and len(patient) == 16 for patient in found.values())
    if out.endswith("npz"):
        with np.load(tmp_path / out) as arrays:
            assert sorted(arrays["groups"]) == sorted(map(str, found.values()))
    again = open_source(str(tmp_path / out), cache=tmp_path / "home" / "cache")
    assert len({case.patient for case in again.cases} - {None}) == 3


def test_a_task_changes_no_hash(tmp_path: Path) -> None:
    source = films(tmp_path)
    for out, options in (("a", []), ("b", ["--task=pneumonia-cxr"])):
        assert main(["prepare", source, f"--out={tmp_path / out}", *options]) == 0
    assert lines(tmp_path / "a" / "manifest.jsonl") == lines(tmp_path / "b" / "manifest.jsonl")


def test_an_identifier_of_a_header_is_no_more_readable_for_the_file_s_name(tmp_path: Path) -> None:
    files = {
        "a/1.dcm": dicom("MRN 17", "1.1"),
        "b/2.png": dicom("MRN 17", "1.2", 90),
        "b/3.png": dicom("MRN 18", "1.3"),
    }
    source = str(lay(tmp_path / "in", files))
    assert main(["prepare", source, f"--out={tmp_path / 'out.npz'}", "--keep-copies"]) == 0
    found = lines(tmp_path / "out.npz.manifest.jsonl")
    assert "MRN" not in repr(found)
    assert found["a/1.dcm"] == found["b/2.png"] != found.get("b/3.png")


def test_nobody_known_is_nobody_written(tmp_path: Path) -> None:
    source = films(tmp_path)
    for number, path in enumerate(FILMS):
        (tmp_path / "films" / path).rename(tmp_path / "films" / path.split("/")[0] / f"{number}.png")
    assert main(["prepare", source, f"--out={tmp_path / 'out.npz'}"]) == 0
    with np.load(tmp_path / "out.npz") as arrays:
        assert "groups" not in arrays
    assert not (tmp_path / "home" / "cache" / "patient.key").exists()


@pytest.mark.parametrize("task", ["brain-tumor-mri", "pneumonia-cxr"])
def test_a_size_gives_the_whole_frame_whatever_part_of_it_the_task_looks_at(tmp_path: Path, task: str) -> None:
    pixels = np.zeros((100, 100), np.uint8)
    pixels[10:50, 10:50] = np.random.default_rng(0).integers(100, 255, (40, 40))
    (tmp_path / "set" / "normal").mkdir(parents=True)
    Picture.fromarray(pixels).save(tmp_path / "set" / "normal" / "1.png")
    out = tmp_path / "out.npz"
    assert main(["prepare", str(tmp_path / "set"), f"--out={out}", f"--task={task}", "--size=100"]) == 0
    with np.load(out) as arrays:
        np.testing.assert_array_equal(arrays["images"][0] > 0, pixels > 0)


def test_what_was_left_out_is_told_with_its_reasons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label, number in (("a", 0), ("a", 1), ("b", 0), ("b", 2), ("a", 3)):
        (tmp_path / "set" / label).mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 255, (64, 64), np.uint8)
        Picture.fromarray(noise).save(tmp_path / "set" / label / f"{number}.png")
    (tmp_path / "set" / "b" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert main(["prepare", str(tmp_path / "set"), "--out", str(tmp_path / "out")]) == 0
    assert "3 images, 3 left out: 2 under conflicting labels, 1 unreadable" in capsys.readouterr().out
    assert main(["prepare", str(tmp_path / "no such"), "--out", str(tmp_path / "out")]) == 2
    assert "out: exists already" in capsys.readouterr().err


def test_a_file_larger_than_the_disk_lets_it_be_is_said_and_not_a_traceback(tmp_path: Path) -> None:
    source, out = films(tmp_path), tmp_path / "usb" / "out.npz"
    out.parent.mkdir()
    script = (
        "import resource, sys\nfrom hilum.interfaces.cli.main import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (90000, 90000))\nsys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, "prepare", source, "--size=200", f"--out={out}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "larger than this disk" in ended.stderr
    assert not list(out.parent.iterdir())


def test_what_was_left_out_is_counted_by_files_though_their_frames_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "set" / "a").mkdir(parents=True)
    for number in range(2):
        noise = np.random.default_rng(number).integers(0, 255, (5, 64, 64), np.uint8)
        pages = [Picture.fromarray(page) for page in noise]
        pages[0].save(tmp_path / "set" / "a" / f"{number}.tiff", save_all=True, append_images=pages[1:])
    (tmp_path / "set" / "a" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert main(["prepare", str(tmp_path / "set"), "--size=32", "--out", str(tmp_path / "out")]) == 0
    assert "10 images, 1 left out: 1 unreadable\n" in capsys.readouterr().out


def test_slices_of_one_study_stay_together_though_their_patient_is_blank(tmp_path: Path) -> None:
    """As in files that were de-identified: as pictures they no longer say which study they are of."""
    files: dict[str, bytes | str] = {}
    for study in (1, 2, 3):
        for number in (1, 2):
            files[f"{'ab'[study % 2]}/{study}-{number}.dcm"] = noise_slice(f"1.2.{study}", f"1.2.{study}.{number}")
    out = tmp_path / "out"
    assert main(["prepare", str(lay(tmp_path / "in", files)), "--size=32", f"--out={out}"]) == 0
    found = lines(out / "manifest.jsonl")
    assert {len(patient or "") for patient in found.values()} == {16}
    studies = {path: path.split("/")[1][0] for path in found}
    assert all((found[a] == found[b]) == (studies[a] == studies[b]) for a in found for b in found)


def noise_slice(study: str, instance: str) -> bytes:
    """A slice of noise that says its study and nobody's name."""
    header = dcmread(io.BytesIO(dicom("", instance)))
    header.StudyInstanceUID, header.Rows, header.Columns = UID(study), 48, 48
    seed = [int(part) for part in instance.split(".")]
    header.PixelData = np.random.default_rng(seed).integers(0, 255, (48, 48), np.uint8).tobytes()
    file = io.BytesIO()
    header.save_as(file, enforce_file_format=True)
    return file.getvalue()


@pytest.mark.parametrize("size", ["0", "-5", "15", "1025"])
def test_a_size_that_is_none_is_said_before_the_work(
    tmp_path: Path, size: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was a traceback at the end of the audit; 0 wrote the files as they are."""
    assert main(["prepare", films(tmp_path), f"--out={tmp_path / 'made' / 'out'}", f"--size={size}"]) == 2
    assert capsys.readouterr().err == f"hilum prepare: --size {size}: size must be 16 to 1024, not {size}\n"
    assert not (tmp_path / "made").exists()
