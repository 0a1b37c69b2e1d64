"""`hilum promote`, `rollback` and `history`: the record they leave, and a running server that follows them."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from hilum import parts
from hilum.interfaces.cli.main import main
from tests.interfaces.http.forms import sample
from tests.interfaces.http.running import Running, running
from tests.interfaces.versions import another_version, package_of_own_task


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    for name in ("HILUM_DATABASE_URL", "HILUM_SECRET_FILE", "HILUM_MODELS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def said(capsys: pytest.CaptureFixture[str], *words: str) -> object:
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def complaint(capsys: pytest.CaptureFixture[str], *words: str, code: int) -> str:
    capsys.readouterr()
    assert main(list(words)) == code
    return capsys.readouterr().err


def version_of(server: Running) -> str:
    answer = server.ask("POST", "/predict", sample("pneumonia-cxr").read_bytes(), {"Content-Type": "image/png"})
    return answer.json()["model"]["version"]


def until(server: Running, version: str) -> None:
    """Ask until that version answers."""
    late = time.monotonic() + 120
    while version_of(server) != version:
        assert time.monotonic() < late


def test_promotions_are_taken_back_one_by_one_down_to_the_shipped_package(home, capsys) -> None:
    digests = [another_version(home, version) for version in ("2.0.0", "3.0.0")]
    assert said(capsys, "history") == []
    assert "nothing to take back" in complaint(capsys, "rollback", "pneumonia-cxr", "--why", "x", code=2)
    for version in ("2.0.0", "3.0.0"):
        assert main(["promote", f"pneumonia-cxr@{version}", "--why", f"try {version}"]) == 0
    assert "speaks for pneumonia-cxr already" in complaint(capsys, "promote", digests[1], "--why", "x", code=2)
    first = said(capsys, "rollback", "pneumonia-cxr", "--why", "worse")
    assert (first["digest"], first["before"], first["act"]) == (digests[0], digests[1], "rollback")
    second = said(capsys, "rollback", "pneumonia-cxr", "--why", "worse too")
    assert (second["digest"], second["before"], second["reference"]) == (None, digests[0], "pneumonia-cxr@1.1.0")
    assert "nothing to take back" in complaint(capsys, "rollback", "pneumonia-cxr", "--why", "x", code=2)
    assert main(["promote", "pneumonia-cxr@3.0.0", "--why", "after all"]) == 0
    events = said(capsys, "history", "pneumonia-cxr")
    assert [event["why"] for event in events] == ["after all", "worse too", "worse", "try 3.0.0", "try 2.0.0"]
    assert {event["caller"] for event in events} == {"console"}
    assert main(["history"]) == 0
    assert "worse too" in capsys.readouterr().out
    assert said(capsys, "history", "brain-tumor-mri") == []
    assert said(capsys, "verify")["sound"]


def test_the_package_that_answers_by_default_can_be_promoted_and_then_stays(home, capsys) -> None:
    assert main(["promote", "pneumonia-cxr", "--why", "validated here"]) == 0
    told = capsys.readouterr().out
    assert "stays where a later release ships another" in told
    assert "a server that runs follows within seconds" in told
    (event,) = said(capsys, "history")
    assert (event["reference"], event["before"]) == ("pneumonia-cxr@1.1.0", None)
    assert "already" in complaint(capsys, "promote", "pneumonia-cxr", "--why", "twice", code=2)
    other = another_version(home, "2.0.0")
    assert said(capsys, "promote", other, "--why", "better")["before"] == event["digest"]
    assert said(capsys, "rollback", "pneumonia-cxr", "--why", "worse")["digest"] == event["digest"]
    assert said(capsys, "rollback", "pneumonia-cxr", "--why", "as shipped")["digest"] is None


def test_a_task_of_ones_own_is_listed_promoted_and_rolled_back_to_nobody(home, capsys) -> None:
    digest = package_of_own_task(home)
    assert main(["tasks"]) == 0
    assert "What our films show" in capsys.readouterr().out
    assert main(["tasks", "my-films"]) == 0
    assert "What our films show" in capsys.readouterr().out
    assert "my-films; or give the path" in complaint(capsys, "tasks", "feet", code=2)
    assert main(["history", "my-films"]) == 0
    assert "nobody speaks for it on a server yet" in capsys.readouterr().out
    assert main(["promote", "my-films", "--why", "ours"]) == 0
    told = capsys.readouterr().out
    assert "before: nobody" in told
    assert "by default" not in told
    assert main(["rollback", "my-films", "--why", "not yet"]) == 0
    assert f"nobody speaks for my-films from now on; before: my-films@1.0.0 ({digest[:12]})" in capsys.readouterr().out
    assert "nothing to take back" in complaint(capsys, "rollback", "my-films", "--why", "x", code=2)
    assert main(["history", "my-films"]) == 0
    newest = capsys.readouterr().out.splitlines()[0]
    assert "nobody" in newest
    assert "shipped" not in newest
    assert said(capsys, "verify")["sound"]


def test_the_champion_is_who_was_promoted(home, capsys) -> None:
    another_version(home, "2.0.0")
    assert main(["promote", "pneumonia-cxr@2.0.0", "--why", "better"]) == 0
    for reference in ("pneumonia-cxr@champion", "pneumonia-cxr"):
        assert "pneumonia-cxr@2.0.0 speaks" in complaint(capsys, "promote", reference, "--why", "x", code=2)


def test_the_list_names_a_damaged_package_and_the_others(home, capsys) -> None:
    damaged = home / "models" / "other" / "1.0.0"
    damaged.mkdir(parents=True)
    (damaged / "manifest.json").write_text("{")
    assert main(["models"]) == 1
    said = capsys.readouterr()
    assert "pneumonia-cxr@1.1.0" in said.out
    assert f"{damaged}: manifest.json is damaged" in said.err


def test_a_package_pinned_elsewhere_is_told_where_it_would_be_named(home, capsys, tmp_path) -> None:
    another_version(home, "2.0.0")
    listed, elsewhere = home / "models" / "pneumonia-cxr" / "2.0.0", tmp_path / "from-a-colleague"
    assert main(["models", "--pin", str(listed)]) == 0
    assert str(home) not in capsys.readouterr().out.removesuffix(f"{listed}\n")
    shutil.move(listed, elsewhere)
    assert main(["models", "--pin", str(elsewhere)]) == 0
    told = capsys.readouterr().out
    assert f"--model {elsewhere}" in told
    assert str(listed) in told
    assert main(["models", "--pin", str(elsewhere), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == str(elsewhere)
    shutil.move(elsewhere, listed)  # as it says
    assert main(["models"]) == 0
    assert "pneumonia-cxr@2.0.0" in capsys.readouterr().out


def test_a_running_server_follows_the_console(home, capsys, monkeypatch) -> None:
    monkeypatch.setattr(parts, "WATCH_SECONDS", 0.05)
    digest = another_version(home, "2.0.0")
    with running(home) as server:
        assert version_of(server) == "1.1.0"
        assert main(["promote", "pneumonia-cxr@2.0.0", "--why", "a better one"]) == 0
        until(server, "2.0.0")
        (event,) = server.ask("GET", "/history").json()["history"]
        assert (event["digest"], event["why"], event["caller"]) == (digest, "a better one", "console")
        assert main(["rollback", "pneumonia-cxr", "--why", "not after all"]) == 0
        until(server, "1.1.0")


def test_a_package_that_is_gone_when_the_server_looks_is_waited_for(home, capsys, monkeypatch) -> None:
    monkeypatch.setattr(parts, "WATCH_SECONDS", 0.05)
    another_version(home, "2.0.0")
    folder = home / "models" / "pneumonia-cxr" / "2.0.0"
    with running(home) as server:
        assert version_of(server) == "1.1.0"
        missed = server.parts.desks.switch
        seen: list[str] = []

        def switch() -> None:  # the disk of the packages is away for the first look
            seen.append("looked")
            if len(seen) == 1:
                shutil.move(folder, home / "away")
                try:
                    missed()
                finally:
                    shutil.move(home / "away", folder)
            else:
                missed()

        monkeypatch.setattr(server.parts.desks, "switch", switch)
        assert main(["promote", "pneumonia-cxr@2.0.0", "--why", "again"]) == 0
        until(server, "2.0.0")
        assert len(seen) == 2


def test_nothing_is_written_where_the_package_must_not_speak(home, capsys, tmp_path) -> None:
    another_version(home, "2.0.0")
    folder = home / "models" / "pneumonia-cxr" / "2.0.0"
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert "copy this to" in complaint(capsys, "promote", str(tmp_path / "elsewhere"), "--why", "x", code=2)
    assert "no model 'no-such'" in complaint(capsys, "promote", "no-such", "--why", "x", code=2)
    assert "give a reason" in complaint(capsys, "promote", "pneumonia-cxr@2.0.0", "--why", "  ", code=2)
    assert "--why" in complaint(capsys, "promote", "pneumonia-cxr@2.0.0", code=2)
    with (folder / "model.onnx").open("r+b") as graph:
        graph.seek(100)
        graph.write(b"damaged")
    assert "model.onnx" in complaint(capsys, "promote", "pneumonia-cxr@2.0.0", "--why", "x", code=1)
    assert "no task 'knee'" in complaint(capsys, "history", "knee", code=2)
    assert said(capsys, "history") == []


def test_records_without_their_secret_are_left_alone(home, capsys) -> None:
    assert main(["history"]) == 0
    (home / "secret.key").unlink()
    assert "is missing" in complaint(capsys, "history", code=2)
    assert not (home / "secret.key").exists()
