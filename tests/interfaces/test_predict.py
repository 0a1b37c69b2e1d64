"""`hilum predict` as a user meets it: near and far files, broken neighbours, exit codes; on the shipped packages."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hilum.interfaces.cli import inputs
from hilum.interfaces.cli.main import main
from tests.conftest import ROOT
from tests.data.servers import Site, make_certificate, serving

FILMS = sorted((ROOT / "samples" / "pneumonia-cxr").glob("*.png"))


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def films(bucket: str) -> str:
    """A bucket with the sample films and what lies around in buckets; the address of its folder."""
    obstore = pytest.importorskip("obstore")
    store = obstore.store.from_url(bucket)
    for film in FILMS:
        obstore.put(store, f"films/{film.name}", film.read_bytes())
    for name in ("films/.DS_Store", "films/notes.txt", "films/__MACOSX/1.png", "films/__pycache__/a.pyc"):
        obstore.put(store, name, b"x")
    obstore.put(store, "films/broken.png", b"\x89PNG\r\n\x1a\n and no more")
    return f"{bucket}/films"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    pytest.importorskip("httpx")
    server, authority = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with serving(Site({"/film.png": FILMS[0].read_bytes()}), certificate=server) as port:
        yield f"https://127.0.0.1:{port}"


def test_far_files_are_answered_like_near_ones_and_a_bad_one_stops_nobody(
    films: str, site: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [f"{films}/", f"{site}/none.png", f"{site}/film.png", "s3://no-such-bucket/films/", str(FILMS[0])]
    assert main(["predict", "--json", "--task", "pneumonia-cxr", *paths]) == 3
    lines = told(capsys)
    below = sorted([f"{films}/{film.name}" for film in FILMS] + [f"{films}/broken.png"])
    assert [line["file"] for line in lines] == [*below, *paths[1:]]
    assert {line["file"] for line in lines if "error" in line} == {f"{films}/broken.png", paths[1], paths[3]}
    near, far = lines[-1], lines[-3]
    assert near["probabilities"] == far["probabilities"]
    assert near["prediction"]
    assert main(["predict", "--json", "--task", "pneumonia-cxr", *map(str, FILMS)]) == 0
    local = {Path(str(line["file"])).name: line["probabilities"] for line in told(capsys)}
    assert {
        str(line["file"]).rpartition("/")[2]: line["probabilities"] for line in lines[:-4] if "error" not in line
    } == local


def test_addresses_come_on_stdin_too(
    films: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{films}/{FILMS[0].name}\nftp://host/a.png\n{FILMS[1]}\r\n"))
    assert main(["predict", "--json", "--task", "pneumonia-cxr", "-"]) == 3
    lines = told(capsys)
    assert ["error" in line for line in lines] == [False, True, False]


def test_a_scheme_that_is_not_read_is_wrong_use_before_anything_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(FILMS[0]), "http://host/a.png"]) == 2
    said = capsys.readouterr()
    assert "https://" in said.err
    assert said.out == ""


def test_folders_that_links_lead_to_are_answered_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a folder of studies is put together; they were left out without a word, and that was a success."""
    for name in ("kept/1/a.png", "set/b.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(FILMS[0].read_bytes())
    for link, to in (("set/study", "kept"), ("set/again", "set"), ("kept/back", "set"), ("kept/1/own", "kept/1")):
        (tmp_path / link).symlink_to(tmp_path / to)
    monkeypatch.chdir(tmp_path)
    for given in ("set", "set/", "./set"):
        assert main(["predict", "--json", "--task", "pneumonia-cxr", given]) == 0
        assert [line["file"] for line in told(capsys)] == ["set/b.png", "set/study/1/a.png"]
    monkeypatch.setattr("hilum.data.places.folder.MAX_TIMES", 0)
    assert main(["predict", "--json", "--task", "pneumonia-cxr", "set"]) == 3
    answer, refusal = told(capsys)
    assert answer["prediction"]
    assert (refusal["file"], "links to one folder" in str(refusal["error"])) == ("set/study", True)


@pytest.mark.parametrize("folder", ["@eaDir", "#recycle", "$RECYCLE.BIN", "lost+found", "System Volume Information"])
def test_what_a_drive_keeps_of_its_own_is_not_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    """Thumbnails, and what was thrown away: each would pass for a picture of the patient."""
    for name in ("a/1.png", f"a/{folder}/1.png", f"{folder}/S-1-5/2.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FILMS[0], tmp_path / name)
    assert main(["predict", "--json", "--task", "pneumonia-cxr", str(tmp_path)]) == 0
    assert [line["file"] for line in told(capsys)] == [str(tmp_path / "a/1.png")]


def test_a_folder_that_may_not_be_listed_is_told_and_the_rest_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shut").mkdir()
    (tmp_path / "film.png").write_bytes(FILMS[0].read_bytes())
    scandir = os.scandir

    def refusing(path: str) -> object:  # root may list everything, so a mode cannot show this
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(inputs.os, "scandir", refusing)
    assert main(["predict", "--json", "--task", "pneumonia-cxr", str(tmp_path)]) == 3
    answer, refusal = told(capsys)
    assert answer["prediction"]
    assert refusal == {
        "file": str(tmp_path / "shut"),
        "error": "cannot be listed: Permission denied",
        "code": "unreadable",
    }


def test_the_network_is_kept_unfolded_and_the_next_answer_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    answers = []
    for _ in range(2):
        assert main(["predict", "--json", "--task", "pneumonia-cxr", str(FILMS[0])]) == 0
        answers.append(told(capsys)[0]["probabilities"])
    assert answers[0] == answers[1]
    assert len(list((tmp_path / "graphs").glob("*.ort"))) == 1


def test_nothing_is_gathered_for_anybody(tmp_path: Path) -> None:
    """ONNX Runtime would keep what it tells its maker below the home folder."""
    places = {"HOME": str(tmp_path), "HILUM_HOME": str(tmp_path / "hilum")}
    command = [sys.executable, "-m", "hilum", "predict", str(FILMS[0]), "--json"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    done = subprocess.run(command, env=environment | places, capture_output=True, check=True)
    assert json.loads(done.stdout)["prediction"]
    assert [path.name for path in tmp_path.iterdir()] == ["hilum"]


@pytest.mark.parametrize("name", ["x" * 251 + ".jpg", "ä" * 125 + ".jpg"])
def test_heatmaps_of_a_file_with_a_name_as_long_as_they_come(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    film = tmp_path / name
    film.write_bytes(FILMS[0].read_bytes())
    task = "--task=pneumonia-cxr"
    assert main(["predict", str(film), task, "--explain", str(tmp_path / "why"), "--json"]) == 0
    assert Path(told(capsys)[0]["explanation"]["file"]).is_file()


def test_a_full_disk_leaves_no_half_of_a_heatmap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        write(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["predict", str(FILMS[0]), "--task", "pneumonia-cxr", "--explain", str(tmp_path / "why")]) == 1
    assert "no space is left" in capsys.readouterr().err
    assert not list((tmp_path / "why").iterdir())


def test_heatmaps_of_a_package_named_by_its_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = str(ROOT / "models" / "pneumonia-cxr")
    assert main(["predict", str(FILMS[0]), "--model", where, "--explain", str(tmp_path / "why"), "--json"]) == 0
    assert told(capsys)[0]["explanation"]
    task = str(ROOT / "tasks" / "pneumonia-cxr.toml")
    assert main(["predict", str(FILMS[0]), "--task", task, "--explain", str(tmp_path / "why"), "--json"]) == 0


def test_a_limit_beyond_all_memory_reads_files_as_before(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As much memory as the limit allows was asked for, before a small file was read."""
    monkeypatch.setenv("HILUM_MAX_BYTES", str(10**15))
    assert main(["predict", "--json", "--task", "pneumonia-cxr", str(FILMS[0])]) == 0
    assert told(capsys)[0]["prediction"]


def test_a_way_of_drawing_without_a_folder_for_it_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was drawn, and nothing said."""
    assert main(["predict", str(FILMS[0]), "--method", "occlusion"]) == 2
    said = capsys.readouterr()
    assert ("--explain DIR" in said.err, said.out) == (True, "")


def test_nothing_to_answer_is_said_beside_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty answer and a success were all that told of a misspelt folder."""
    assert main(["predict", str(tmp_path), "--json"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "No image was found" in said.err
    assert main(["predict", str(FILMS[0]), "--json"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("words", [["--json"], ["--json", "--explain", "why"]], ids=["plain", "explained"])
def test_a_pipe_in_a_folder_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """Nobody writes into it, so that the command waited for ever; one that is named itself is read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "films").mkdir()
    os.mkfifo(tmp_path / "films" / "a.png")
    shutil.copy(FILMS[0], tmp_path / "films" / "b.png")
    assert main(["predict", "films", "--task", "pneumonia-cxr", *words]) == 3
    pipe, answer = told(capsys)
    assert (pipe["file"], "is a pipe" in str(pipe["error"])) == ("films/a.png", True)
    assert answer["prediction"]


def test_heatmaps_that_are_written_among_the_films_are_no_films(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They were answered like images, and their heatmaps the next time."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more").mkdir()
    for place in (tmp_path, tmp_path / "more"):
        shutil.copy(FILMS[0], place / "film.png")
    for _ in range(2):
        assert main(["predict", ".", "--task", "pneumonia-cxr", "--json", "--explain", "heat"]) == 0
        assert [Path(str(line["file"])) for line in told(capsys)] == [Path("film.png"), Path("more/film.png")]
    assert main(["predict", "heat", "--task", "pneumonia-cxr", "--explain", "heat"]) == 2
    assert "another folder" in capsys.readouterr().err
