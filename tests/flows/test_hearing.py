"""What a training tells lies in its progress file, and the curve that is drawn from it is whole."""

from __future__ import annotations

import json
from pathlib import Path

from hilum.flows.hearing import TRAINING, heard_by
from hilum.interfaces.cli.progress import Bars
from hilum.interfaces.http.works import curve
from hilum.jobs.works import Step
from hilum.learn.watch import Ears, Progress, one_of


def at(epoch: int, score: float, *, step: int | None = None) -> Progress:
    """Of three epochs of two steps: an epoch that is over, or a step of it."""
    return Progress(epoch, 3, 2 * (epoch + 1) if step is None else step, 6, 1.0, 1.0, 1 / (epoch + 1), score)


def told(ears: Ears, *epochs: Progress) -> None:
    for now in epochs:
        assert ears.progress is not None
        assert ears.over is not None
        ears.progress(at(now.epoch, float("nan"), step=now.step - 1))
        ears.over(now)


def steps_in(file: Path) -> tuple[Step, ...]:
    return tuple(Step(**json.loads(line)) for line in file.read_text().splitlines())


def points(file: Path) -> list[tuple[float | None, float | None]]:
    return [(point["epoch"], point["score"]) for point in curve(steps_in(file))]


def test_the_curve_holds_every_epoch_however_short_it_was_and_however_often_the_training_was_killed(
    tmp_path: Path,
) -> None:
    first, again = tmp_path / "first.jsonl", tmp_path / "again.jsonl"
    with Bars(quiet=True, file=first) as bars:
        bars.stage(TRAINING)
        told(heard_by(bars), at(0, 0.5), at(1, 0.25))
    assert points(first) == [(1, 0.5), (2, 0.25)]
    for file in (first, again):  # the same work is begun again; or another one is asked for that goes on with it
        with Bars(quiet=True, file=file) as bars:
            bars.stage(TRAINING)
            ears = heard_by(bars)
            assert ears.resumed is not None
            ears.resumed([at(0, 0.5), at(1, 0.25)])
            assert ears.progress is not None
            ears.progress(at(2, 0.25, step=5))
            told(ears, at(2, 0.75))
        assert points(file) == [(1, 0.5), (2, 0.25), (3, 0.75)]


def test_the_epoch_under_way_has_no_score_yet(tmp_path: Path) -> None:
    with Bars(quiet=True, file=tmp_path / "told") as bars:
        bars.stage(TRAINING)
        ears = heard_by(bars)
        told(ears, at(0, 0.5))
        bars._told = 0.0  # long ago
        assert ears.progress is not None
        ears.progress(at(1, 0.5, step=3))
    assert points(tmp_path / "told") == [(1, 0.5), (2, None)]
    assert steps_in(tmp_path / "told")[-1].note == "epoch 2/3, loss 0.500, tune before 0.5000"


def test_of_several_trainings_that_go_on_each_counts_among_all(tmp_path: Path) -> None:
    """As of folds."""
    with Bars(quiet=True, file=tmp_path / "told") as bars:
        bars.stage(TRAINING)
        ears = [one_of(heard_by(bars), number, 2) for number in range(2)]
        assert ears[0].resumed is not None
        ears[0].resumed([at(0, 0.5), at(2, 0.25)])
        told(ears[1], at(0, 0.75))
    assert points(tmp_path / "told") == [(1, 0.5), (3, 0.25), (4, 0.75)]
    last = steps_in(tmp_path / "told")[-1]
    assert (last.stage, last.done, last.total) == (TRAINING, 8, 12)
    goes_on = [step for step in steps_in(tmp_path / "told") if step.stage == TRAINING][1]
    assert (goes_on.done, goes_on.note) == (6, "")
