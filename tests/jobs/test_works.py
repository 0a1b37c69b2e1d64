"""Audits and trainings that go on after the request, and after the server."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from hilum.errors import NotFound, StorageError, UsageError
from hilum.jobs.room import SPARE
from hilum.jobs.works import DAMAGED, LOCK, RESULT, STATE, Work, Works
from tests.flows.made import write_spots


def until(works: Works, identity: str, ready: Callable[[Work], bool]) -> Work:
    deadline = time.monotonic() + 300  # a work runs at a low priority
    while time.monotonic() < deadline:
        work = works.get(identity)
        if ready(work):
            return work
        time.sleep(0.02)
    raise AssertionError(f"{work}\n{works.said(identity)}")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    write_spots(tmp_path / "images", 12)
    return tmp_path / "images"


def test_an_audit_runs_tells_its_progress_and_leaves_its_findings(tmp_path: Path, images: Path) -> None:
    works = Works(tmp_path / "works")
    work = works.begin("audit", "spots", [str(images), "--report", "report"], "local")
    over = until(works, work.id, lambda work: work.over)
    assert (over.state, over.code) == ("done", 0)
    assert works.result(work.id)["images"] == 12
    assert (works.folder(work.id) / "report" / "index.html").is_file()
    assert {"looking at every image", "writing the report"} <= {step.stage for step in works.steps(work.id)}
    works.close()


def test_a_work_that_cannot_be_done_has_failed_and_says_why(tmp_path: Path) -> None:
    works = Works(tmp_path / "works")
    work = works.begin("audit", "nothing", [str(tmp_path / "nowhere")], "local")
    assert until(works, work.id, lambda work: work.over).state == "failed"
    assert "nowhere" in works.said(work.id)
    assert works.result(work.id) is None
    works.close()


def test_an_audit_that_broke_off_is_not_one_that_found_something_though_both_end_with_1(
    tmp_path: Path, images: Path
) -> None:
    works = Works(tmp_path / "works")
    work = works.begin("audit", "spots", [str(images), "--report", STATE], "local")  # a file lies there, as on a disk
    over = until(works, work.id, lambda work: work.over)  # that is full: the report cannot be written
    assert (over.state, over.code) == ("failed", 1)
    assert "a file lies where a folder must be" in works.said(work.id)
    works.close()


def test_an_evaluation_whose_source_cannot_be_read_at_all_has_failed(tmp_path: Path) -> None:
    """It ends with 3, as one does that could not read some of the cases and measured the others."""
    (tmp_path / "empty").mkdir()
    works = Works(tmp_path / "works")
    work = works.begin("evaluate", "empty", [str(tmp_path / "empty"), "--task", "pneumonia-cxr"], "local")
    over = until(works, work.id, lambda work: work.over)
    assert (over.state, over.code) == ("failed", 3)
    works.close()


def test_a_work_that_was_killed_while_its_server_lives_says_so(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = Works(tmp_path / "works")
    monkeypatch.setattr("hilum.jobs.works.os.setpriority", lambda _, process, __: os.kill(process, signal.SIGKILL))
    work = works.begin("audit", "killed", [str(images)], "local")
    assert until(works, work.id, lambda work: work.over).state == "failed"
    assert "ended from outside, by signal 9: most often" in works.said(work.id).splitlines()[-1]
    works.close()


def test_what_was_not_finished_goes_on_at_the_next_start(tmp_path: Path, images: Path) -> None:
    first = Works(tmp_path / "works")
    works = [first.begin("audit", str(i), [str(images)], "local") for i in range(2)]
    until(first, works[0].id, lambda work: work.state == "running")
    first.close()
    assert {first.get(work.id).state for work in works} <= {"running", "waiting"}
    again = Works(tmp_path / "works")
    for work in works:
        assert until(again, work.id, lambda work: work.over).state == "done"
    again.close()


def test_two_servers_with_one_folder_do_a_work_once(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a rolling update: the second one starts while a work of the first one runs, and so does not begin it."""
    begun, real = [], subprocess.Popen
    monkeypatch.setattr("hilum.jobs.works.subprocess.Popen", lambda *a, **k: begun.append(a) or real(*a, **k))
    first = Works(tmp_path / "works")
    work = first.begin("audit", "spots", [str(images), "--report", "report"], "local")
    until(first, work.id, lambda work: work.state == "running")
    second = Works(tmp_path / "works")
    assert until(second, work.id, lambda work: work.over).state == "done"
    other = second.begin("audit", "spots", [str(images)], "local")
    assert until(second, other.id, lambda work: work.over).state == "done"
    assert len(begun) == 2
    assert second.result(work.id)["images"] == 12
    first.close()
    second.close()


def test_what_one_server_runs_is_stopped_when_another_one_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subprocess.Popen
    monkeypatch.setattr("hilum.jobs.works.subprocess.Popen", lambda _, **k: real(["sleep", "600"], **k))
    first = Works(tmp_path / "works")
    work = first.begin("audit", "endless", [], "local")
    until(first, work.id, lambda work: work.state == "running")
    second = Works(tmp_path / "works")
    second.stop(work.id)
    assert until(second, work.id, lambda work: work.over).state == "stopped"
    second.stop(work.id)
    assert second.get(work.id).state == "stopped"
    second.close()
    first.close()


def test_a_work_that_outlives_its_server_keeps_the_turn_until_it_ends(tmp_path: Path, images: Path) -> None:
    works = Works(tmp_path / "works")
    work = works.begin("audit", "spots", [str(images)], "local")
    until(works, work.id, lambda _: works._running is not None)
    assert works._running is not None
    held = {file.path for file in psutil.Process(works._running.process.pid).open_files()}
    assert str(tmp_path / "works" / LOCK) in held
    works.close()


def test_a_server_that_leaves_while_another_one_runs_a_work_does_not_touch_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never had its turn: what the work prints at the other server is no result of its own to begin anew."""
    work = Work(str(uuid.uuid4()), "audit", "spots", (), "local", 1.0, "running")
    place = tmp_path / "works" / work.id
    place.mkdir(parents=True)
    (place / STATE).write_text(json.dumps(asdict(work)))
    (place / RESULT).write_bytes(b'{"images": 1')  # the rest is on its way
    waits = threading.Event()

    def held(*_: int) -> None:
        waits.set()
        raise BlockingIOError

    monkeypatch.setattr("hilum.jobs.works.fcntl.flock", held)
    works = Works(tmp_path / "works")
    assert waits.wait(300)
    works.close()
    assert (place / RESULT).read_bytes() == b'{"images": 1'
    assert works.get(work.id) == work


def test_a_work_is_called_running_before_it_runs(tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may be killed in between: a training that ran on, and was written down as waiting, was done twice."""
    states, real = list[str](), subprocess.Popen

    def begun(command: list[str], **how: Any) -> subprocess.Popen[bytes]:
        states.append(json.loads((how["cwd"] / STATE).read_bytes())["state"])
        return real(command, **how)

    monkeypatch.setattr("hilum.jobs.works.subprocess.Popen", begun)
    works = Works(tmp_path / "works")
    work = works.begin("audit", "spots", [str(images)], "local")
    assert until(works, work.id, lambda work: work.over).state == "done"
    assert states == ["running"]
    works.close()


@pytest.mark.parametrize(("printed", "begun"), [(slice(None), 0), (slice(9), 1), (slice(0), 1)])
def test_a_work_that_came_to_its_end_after_its_server_was_killed_is_not_done_again(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch, printed: slice, begun: int
) -> None:
    """A training would give a second package; one whose result is cut short was killed too, and is begun again."""
    first = Works(tmp_path / "works")
    work = first.begin("audit", "spots", [str(images)], "local")
    over = until(first, work.id, lambda work: work.over)
    first.close()
    state, result = (first.folder(work.id) / name for name in (STATE, RESULT))
    state.write_text(json.dumps(asdict(replace(over, state="running", ended=None, code=None))))
    result.write_bytes(result.read_bytes()[printed])
    commands, real = list[object](), subprocess.Popen
    monkeypatch.setattr("hilum.jobs.works.subprocess.Popen", lambda *a, **k: commands.append(a) or real(*a, **k))
    again = Works(tmp_path / "works")
    found = until(again, work.id, lambda work: work.over)
    assert (found.state, len(commands)) == ("done", begun)
    assert found.ended is not None
    assert again.result(work.id)["images"] == 12
    again.close()


def test_a_stopped_work_is_over_and_the_next_one_runs(tmp_path: Path, images: Path) -> None:
    works = Works(tmp_path / "works")
    running, waiting, last = (works.begin("audit", str(i), [str(images)], "local") for i in range(3))
    until(works, running.id, lambda work: work.state == "running")
    works.stop(running.id)
    assert works.stop(waiting.id).state == "stopped"
    assert until(works, last.id, lambda work: work.over).state == "done"
    assert works.get(running.id).state == "stopped"
    assert [work.id for work in works.all()] == [last.id, waiting.id, running.id]
    works.close()


def test_a_work_that_outlived_its_server_or_runs_at_another_can_be_stopped(tmp_path: Path, images: Path) -> None:
    first = Works(tmp_path / "works")
    work = first.begin("audit", "spots", [str(images)], "local")
    until(first, work.id, lambda _: first._running is not None)
    assert first._running is not None
    process = first._running.process
    process.send_signal(signal.SIGSTOP)  # it would be done too soon
    second = Works(tmp_path / "works")
    other = second.begin("audit", "other", [str(images)], "local")
    assert second.stop(work.id).state == "stopped"
    process.send_signal(signal.SIGCONT)
    assert until(second, other.id, lambda work: work.over).state == "done"
    assert process.wait(120) == -signal.SIGTERM
    assert second.get(work.id).state == "stopped"
    for works in (first, second):
        works.close()


def test_a_work_that_was_erased_while_it_waited_does_not_hold_up_the_next_one(tmp_path: Path, images: Path) -> None:
    works = Works(tmp_path / "works")
    running, waiting, last = (works.begin("audit", str(i), [str(images)], "local") for i in range(3))
    until(works, running.id, lambda work: work.state == "running")
    works.stop(waiting.id)
    shutil.rmtree(works.folder(waiting.id))
    works.stop(running.id)
    assert until(works, last.id, lambda work: work.over).state == "done"
    works.close()


def test_a_work_that_cannot_be_run_has_failed_and_the_next_one_runs(tmp_path: Path, images: Path) -> None:
    works = Works(tmp_path / "works")
    running, waiting, last = (works.begin("audit", str(i), [str(images)], "local") for i in range(3))
    (works.folder(waiting.id) / "result.json").mkdir()  # as where the disk does not take a file
    until(works, running.id, lambda work: work.state == "running")
    works.stop(running.id)
    assert until(works, last.id, lambda work: work.over).state == "done"
    assert works.get(waiting.id).state == "failed"
    assert "Is a directory" in works.said(waiting.id)
    assert str(tmp_path) not in works.said(waiting.id)
    works.close()


def test_a_process_whose_start_cannot_be_written_down_is_ended(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []

    def setpriority(_which: int, process: int, _priority: int) -> None:
        begun.append(process)
        if len(begun) == 1:
            raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("hilum.jobs.works.os.setpriority", setpriority)
    works = Works(tmp_path / "works")
    first, last = (works.begin("audit", str(i), [str(images)], "local") for i in range(2))
    assert until(works, first.id, lambda work: work.over).state == "failed"
    assert not psutil.pid_exists(begun[0])
    assert until(works, last.id, lambda work: work.over).state == "done"
    works.close()


def test_strange_kinds_and_ids_are_refused(tmp_path: Path) -> None:
    works = Works(tmp_path / "works")
    with pytest.raises(UsageError, match="audit, train"):
        works.begin("erase", "x", [], "local")
    for identity in ("../../etc", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(NotFound):
            works.get(identity)
    works.close()


def test_what_is_sent_to_be_measured_is_its_owners_alone(tmp_path: Path) -> None:
    works = Works(tmp_path / "works")
    work = works.begin("audit", "a.zip", ["source.zip"], "local", {"source.zip": b"PK"})
    assert works.folder(work.id).stat().st_mode & 0o077 == 0
    works.close()


@pytest.mark.parametrize(
    "state",
    ['{"id": "', '{"kind": "train", "at": "noon"}', '{"kind": "train", "state": "odd"}', "[]", "\0", ""],
)
def test_a_work_whose_state_is_damaged_has_failed_and_the_others_go_on(
    tmp_path: Path, images: Path, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = Works(tmp_path / "works")
    works = [first.begin("audit", str(i), [str(images)], "local") for i in range(2)]
    first.close()
    damaged, whole = works
    (first.folder(damaged.id) / STATE).write_text(state)
    again = Works(tmp_path / "works")
    assert until(again, whole.id, lambda work: work.over).state == "done"
    found = again.get(damaged.id)
    assert (found.state, found.title) == ("failed", DAMAGED)
    assert found.kind == ("train" if "train" in state else "audit")
    assert {work.id for work in again.all()} == {damaged.id, whole.id}
    assert again.stop(damaged.id) == found
    assert f"work {damaged.id}: {DAMAGED}" in caplog.text
    again.close()


def test_an_upload_does_not_take_the_disk_from_the_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stay until somebody erases them; where the disk is full no answer can be put on record."""
    works = Works(tmp_path / "works")
    monkeypatch.setattr("hilum.jobs.room.SPARE", 2**62)  # no disk has so much left
    with pytest.raises(StorageError, match="nearly full"):
        works.begin("audit", "a.zip", ["source.zip"], "local", {"source.zip": b"PK"})
    assert (works.all(), [path for path in (tmp_path / "works").iterdir() if path.is_dir()]) == ((), [])
    works.close()


def test_an_upload_that_would_leave_too_little_of_the_disk_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it was written, and until the disk refused it, nobody's answer could be put on record."""
    works = Works(tmp_path / "works")
    left = SimpleNamespace(free=SPARE + 10)
    monkeypatch.setattr("hilum.jobs.room.shutil.disk_usage", lambda _: left)
    with pytest.raises(StorageError, match="nearly full"):
        works.begin("audit", "a.zip", ["source.zip"], "local", {"source.zip": b"PK" * 6})
    assert [path for path in (tmp_path / "works").iterdir() if path.is_dir()] == []
    works.close()


@pytest.mark.parametrize("name", ["source.zip", STATE])
def test_of_a_work_that_the_disk_does_not_take_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    works = Works(tmp_path / "works")

    def full(path: Path, content: bytes) -> None:
        if path.name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        path.write_bytes(content)

    monkeypatch.setattr("hilum.jobs.works.write_whole", full)
    with pytest.raises(StorageError, match="cannot be kept: No space left on device"):
        works.begin("audit", "a.zip", ["source.zip"], "local", {"source.zip": b"PK"})
    assert [path for path in (tmp_path / "works").iterdir() if path.is_dir()] == []
    works.close()
