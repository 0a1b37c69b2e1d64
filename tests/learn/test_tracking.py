"""Runs in MLflow: what is stored, where, and that a store out of reach never stops a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from hilum.learn.tracking import store_uri, track


def test_a_run_is_kept_in_a_local_file(tmp_path: Path) -> None:
    uri = store_uri(tmp_path, {})
    note = tmp_path / "note.txt"
    note.write_text("kept")
    with track(uri, "first") as run:
        run.parameters({"epochs": 3, "network": "residual-m"})
        for epoch in range(2):
            run.on_epoch(epoch, {"tune_score": 0.5 + epoch / 4})
        run.figures({"accuracy": 0.9})
        run.tags({"data": "ab"})
        run.artifact(note)
    with pytest.raises(ZeroDivisionError), track(uri, "second"):
        raise ZeroDivisionError
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("hilum")
    assert experiment is not None
    runs = {found.info.run_name: found for found in client.search_runs([experiment.experiment_id])}
    assert runs["first"].info.status == "FINISHED"
    assert runs["second"].info.status == "FAILED"
    assert runs["first"].data.params == {"epochs": "3", "network": "residual-m"}
    assert runs["first"].data.metrics["accuracy"] == 0.9
    assert [point.value for point in client.get_metric_history(runs["first"].info.run_id, "tune_score")] == [0.5, 0.75]
    kept = [path for path in tmp_path.rglob("note.txt") if path != note]
    assert len(kept) == 1
    assert tmp_path in kept[0].parents


def test_a_run_that_was_cut_off_is_gone_on_with(tmp_path: Path) -> None:
    uri, note = store_uri(tmp_path, {}), tmp_path / "note"
    killed = track(uri, "same", note=note)
    first = killed.__enter__()  # and never left
    first.parameters({"epochs": 3})
    with pytest.raises(KeyboardInterrupt), track(uri, "same", note=note) as stopped:
        raise KeyboardInterrupt
    with track(uri, "same", note=note) as finished:
        finished.parameters({"epochs": 3})
        client = MlflowClient(uri)
        assert client.get_run(first.id).info.status == "RUNNING"
    assert client.get_run(first.id).info.status == "FINISHED"
    assert first.id == stopped.id == finished.id
    with track(uri, "same", note=note) as anew:
        pass
    assert anew.id != first.id
    with track(store_uri(tmp_path / "elsewhere", {}), "same", note=note) as other:
        pass
    assert other.id not in ("", first.id, anew.id)


def test_what_was_stopped_or_killed_is_not_called_running_or_failed(tmp_path: Path) -> None:
    uri = store_uri(tmp_path, {})
    with track(uri, "done") as done:
        pass
    left = [track(uri, name) for name in ("killed", "alive")]  # and never left, as by SIGKILL
    killed, alive = (each.__enter__() for each in left)
    with pytest.raises(KeyboardInterrupt), track(uri, "stopped", dead=lambda run: run != alive.id) as stopped:
        raise KeyboardInterrupt
    client = MlflowClient(uri)
    assert [client.get_run(run.id).info.status for run in (killed, alive, done, stopped)] == [
        "KILLED", "RUNNING", "FINISHED", "KILLED",
    ]  # fmt: skip


NO_ROOM = """
import resource, signal, sys
from hilum.learn.tracking import track

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))  # as on a full disk: fewer bytes than a store takes
with track(sys.argv[1], "no room") as run:
    raise SystemExit(bool(run.id))
"""


def test_a_store_that_had_no_room_to_be_made_is_made_by_the_next_run(tmp_path: Path) -> None:
    uri = store_uri(tmp_path, {})
    said = subprocess.run([sys.executable, "-c", NO_ROOM, uri], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert "[SQL" not in said.stderr  # one line tells it
    assert "the run is not tracked" in said.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    with track(uri, "room") as run:
        pass
    assert MlflowClient(uri).get_run(run.id).info.status == "FINISHED"
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["mlflow.db"]


def test_a_store_on_a_disk_without_hard_links_is_made_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refused)
    uri = store_uri(tmp_path, {})
    with track(uri, "linkless") as run:
        pass
    assert MlflowClient(uri).get_run(run.id).info.status == "FINISHED"


def test_a_named_server_wins_over_the_file(tmp_path: Path) -> None:
    assert store_uri(tmp_path, {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}) == "http://127.0.0.1:9"


def test_a_store_out_of_reach_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with track(f"sqlite:///{tmp_path}/absent.db?mode=ro&uri=true", "lost") as run:
        run.on_epoch(0, {"tune_score": 1.0})
    with track("off", "silent") as run:
        run.parameters({"epochs": 3})
    assert run.id == ""


def test_without_mlflow_a_run_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    with track(store_uri(tmp_path, {}), "silent") as run:
        run.on_epoch(0, {"tune_score": 1.0})
    assert run.id == ""
