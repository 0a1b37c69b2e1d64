"""Progress where nobody looks at a terminal: a line now and then, with what is left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hilum.errors import UsageError
from hilum.interfaces.cli import progress
from hilum.interfaces.cli.progress import Bars


class Clock:
    """A clock that the test moves."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now

    time = monotonic


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def test_a_long_stage_says_how_far_it_is_twice_a_minute(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Bars() as bars:
        bars.stage("training", 1200)
        for count in range(0, 121, 10):
            bars.done(count, note="loss 0.5")
            clock.now += 6.0
    assert capsys.readouterr().err.splitlines() == [
        "training",
        "  training: 50 of 1200, 0:30 so far, about 11:30 left, loss 0.5",
        "  training: 100 of 1200, 1:00 so far, about 11:00 left, loss 0.5",
    ]


def test_a_short_stage_is_one_line_and_one_without_end_promises_none(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Bars() as bars:
        bars.stage("reading")
        bars.done(3)
        clock.now += 4000
        bars.done(7)
        bars.stage("sealing", 2)
        bars.done(2, 2)
    assert capsys.readouterr().err.splitlines() == ["reading", "  reading: 7, 1:06:40 so far", "sealing"]


@pytest.mark.parametrize("name", ["images [raw]", "images[/b]"])
def test_brackets_in_a_name_are_no_markup(capsys: pytest.CaptureFixture[str], name: str) -> None:
    with Bars() as bars:
        bars.stage(f"reading {name}")
    assert capsys.readouterr().err == f"reading {name}\n"


def test_nothing_is_said_where_quiet_is_asked_for(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Bars(quiet=True) as bars:
        bars.stage("training", 10)
        clock.now += 100
        bars.done(5)
    assert capsys.readouterr().err == ""


def test_a_progress_file_that_cannot_be_written_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"HILUM_PROGRESS_FILE=.*nowhere/progress.jsonl: cannot be written \(No such"):
        Bars(file=tmp_path / "nowhere" / "progress.jsonl")


def test_a_stage_that_goes_on_tells_the_time_left_by_what_was_done_since(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Bars() as bars:
        bars.stage("training", 100, done=50)
        clock.now += 60.0
        bars.done(50, 100)
        clock.now += 60.0
        bars.done(60, 100)
    assert capsys.readouterr().err.splitlines() == [
        "training",
        "  training: 50 of 100, 1:00 so far",
        "  training: 60 of 100, 2:00 so far, about 8:00 left",
    ]


def test_what_is_to_be_kept_is_written_however_soon_it_follows(clock: Clock, tmp_path: Path) -> None:
    with Bars(quiet=True, file=tmp_path / "told") as bars:
        bars.stage("training", 9)
        bars.done(1, note="a step")
        bars.reached(2, note="an epoch")
        bars.reached(4, note="another")
        clock.now += 0.1
        bars.done(5, note="a step")
    notes = [json.loads(line)["note"] for line in (tmp_path / "told").read_text().splitlines()]
    assert notes == ["", "an epoch", "another"]
