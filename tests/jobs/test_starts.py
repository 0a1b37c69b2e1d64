"""A work that takes its server along is begun a few times, and then no more; one that gets on is begun again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import uuid
from dataclasses import asdict
from pathlib import Path

import pytest

from hilum.flows.hearing import TRAINING
from hilum.jobs.starts import GOES_ON, MOST, Starts, reached
from hilum.jobs.works import LOG, PROGRESS, STATE, Work, Works
from tests.jobs.test_works import until

DIES = """
import os, signal, sys
from pathlib import Path
from hilum.jobs.works import Works

def begun(*_, **how):
    with (how["cwd"] / "progress.jsonl").open("a") as told:
        told.write(sys.argv[2])
    os.kill(os.getpid(), signal.SIGKILL)

import hilum.jobs.works
hilum.jobs.works.subprocess.Popen = begun
works = Works(Path(sys.argv[1]))
while not (one := works.all()[0]).over:
    works._thread.join(0.02)
print(one.state)
"""


def step(done: int, stage: str = TRAINING) -> str:
    return json.dumps({"at": 1.0, "stage": stage, "done": done, "total": 100, "note": ""}) + "\n"


def asked(folder: Path, **how: object) -> Work:
    """A training that lies in a folder of works."""
    work = Work(str(uuid.uuid4()), "train", "films", (), "local", 1.0, **how)  # type: ignore[arg-type]
    place = folder / work.id
    place.mkdir(parents=True)
    (place / STATE).write_text(json.dumps(asdict(work)))
    return work


def started(folder: Path, told: str) -> tuple[int, str]:
    """A server that dies with the work as soon as that has told so much."""
    run = subprocess.run([sys.executable, "-c", DIES, str(folder), told], capture_output=True, text=True, check=False)
    return run.returncode, run.stdout.strip()


@pytest.mark.parametrize("stage", ["auditing", TRAINING])
def test_a_work_that_takes_every_server_along_is_given_up_and_says_how_to_go_on(tmp_path: Path, stage: str) -> None:
    """One container for both, whose memory the training fills: it came up and went down for ever."""
    work = asked(tmp_path)
    free = MOST + (stage in GOES_ON)  # of the first start nobody can say whether the next one gets further
    assert [started(tmp_path, step(7, stage)) for _ in range(free)] == [(-signal.SIGKILL, "")] * free
    assert started(tmp_path, "") == (0, "failed")
    said = (tmp_path / work.id / LOG).read_text().splitlines()[-1]  # the one that an evaluation tells as its error
    assert f"begun {MOST} times in a row" in said
    assert "no memory left" in said
    assert "ask for it again" in said


def test_a_training_that_gets_on_between_two_kills_is_begun_again_each_time(tmp_path: Path) -> None:
    """As on a machine that is taken away every few hours."""
    asked(tmp_path)
    ends = [started(tmp_path, step(done)) for done in (10, 20, 20, 20, 30, 30)]
    assert {code for code, _ in ends} == {-signal.SIGKILL}


def test_a_server_that_leaves_in_good_order_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.Popen
    monkeypatch.setattr("hilum.jobs.works.subprocess.Popen", lambda _, **how: real(["sleep", "600"], **how))
    before = Starts(MOST - 1, 5)
    work = asked(tmp_path, state="running", starts=before)
    (tmp_path / work.id / PROGRESS).write_text(step(5))
    for _ in range(2):
        works = Works(tmp_path)
        until(works, work.id, lambda _, works=works: works._running is not None)  # type: ignore[misc]
        assert works.get(work.id).starts == Starts(MOST, 5)
        works.close()
        assert (works.get(work.id).state, works.get(work.id).starts) == ("running", before)


def test_a_work_that_an_earlier_version_wrote_down_has_not_been_begun_in_vain(tmp_path: Path) -> None:
    work = asked(tmp_path, state="done")
    said = json.loads((tmp_path / work.id / STATE).read_bytes())
    del said["starts"]
    (tmp_path / work.id / STATE).write_text(json.dumps(said))
    works = Works(tmp_path)
    assert works.get(work.id) == work
    works.close()


def test_only_what_is_taken_up_again_counts_as_having_come_further() -> None:
    assert reached([("auditing", 900), ("searching", 2), (TRAINING, 10), (TRAINING, 7), ("answering", 50)]) == 12
    assert Starts(2, 10).another(10) == Starts(3, 10)
    assert Starts(3, 10).another(11) == Starts(1, 11)
    assert Starts(1, 11).another(4) == Starts(2, 11)
    assert [Starts(count).in_vain for count in (MOST, MOST + 1)] == [False, True]
