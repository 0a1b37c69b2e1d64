"""`hilum train` and `compare` as a stranger meets them: what is wrong is said early, in words, with what to do."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hilum.flows.alone import place_held
from hilum.flows.learn import Wishes
from hilum.interfaces.cli import train
from hilum.interfaces.cli.main import main
from hilum.interfaces.cli.progress import Bars
from hilum.learn.seal import put_in_place
from hilum.model.package import MANIFEST, digest_of
from hilum.registry.pins import trust
from hilum.settings import read_settings
from tests.flows.made import write_spots
from tests.learn.made import TASK_TEXT

QUICK = [f"--set={line}" for line in ("network=residual", "width=8", "size=32", "batch=16", "augmentation=none")]


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    (tmp_path / "spot.toml").write_text(TASK_TEXT, encoding="utf-8")
    return f"--task={tmp_path / 'spot.toml'}"


def complaint(capsys: pytest.CaptureFixture[str], *words: str, code: int) -> str:
    capsys.readouterr()
    assert main(list(words)) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said.strip().splitlines()[-1]


def test_a_wrong_source_is_named(tmp_path: Path, task: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such file or folder" in complaint(capsys, "train", str(tmp_path / "none"), task, code=3)
    (tmp_path / "empty").mkdir()
    assert "holds no images" in complaint(capsys, "train", str(tmp_path / "empty"), task, code=3)


def test_what_was_mistyped_is_said_before_the_data_are_looked_at(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    for option, said in (
        ("--set=epoch=3", "no line of that name"),
        ("--set=epochs", "write name=value"),
        ("--set=epochs=many", "epochs=many"),
        ("--set=epochs=0", "epochs must be 1 to 10000"),
        ("--set=size=7", "size must be 16 to 1024"),
        ("--set=final=worst", "final must be one of best, last"),
        ("--set=distill=true", "needs folds"),
        ("--network=resnet", "no network 'resnet'; there are: residual"),
        ("--folds=1", "2 networks or more"),
        ("--tune=-1", "1 trial or more"),
    ):
        assert said in complaint(capsys, "train", "no-such-folder", task, option, code=2)
    said = complaint(
        capsys, "compare", "no-such-folder", task, "--networks=residual-s,cnn-3block", "--set=batch=1", code=2
    )
    assert "batch must be 2 to 4096" in said
    assert "no network 'x'" in complaint(capsys, "compare", "no-such-folder", task, "--networks=residual-s,x", code=2)
    for line in ("folds=3", "distill=yes", "network=residual-s"):
        words = ["no-such-folder", task, "--networks=residual-m", "--set=folds=3", f"--set={line}"]
        assert "each network named once" in complaint(capsys, "compare", *words, code=2)
    assert "name at least one" in complaint(capsys, "compare", "no-such-folder", task, "--networks=,", code=2)
    unused = ["train", "no-such-folder", task, "--network=residual-m", "--set=weights=mine.safetensors"]
    assert "residual-m takes no weights" in complaint(capsys, *unused, code=2)
    small = ["no-such-folder", task, "--set=size=100"]
    for words in (["train", *small, "--network=cnn-4block"], ["compare", *small, "--networks=residual-s,cnn-4block"]):
        assert "cnn-4block needs images of 133 pixels" in complaint(capsys, *words, code=2)
        assert "--seed -1: must be 0 to" in complaint(capsys, words[0], *words[1:3], words[-1], "--seed=-1", code=2)
    assert "hilum train SOURCE --task T --tune 20" in complaint(capsys, "tune", "x", code=2)


@pytest.mark.filterwarnings("ignore")
def test_the_plan_that_is_printed_is_the_one_that_is_trained(
    tmp_path: Path, task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_spots(tmp_path / "images", 40)
    for options, said in (
        (["--seed=7"], "seed 7"),
        (["--seed=7", "--set=seed=9"], "seed 9 set by you"),
        (["--folds=3"], "folds 3 set by you; no novelty reference"),
    ):
        assert main(["train", str(tmp_path / "images"), task, "--plan", *options]) == 0
        assert said in " ".join(capsys.readouterr().out.split())
    assert main(["train", str(tmp_path / "images"), task, "--plan", "--seed=7", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["plan"]["seed"] == {"value": "7", "reason": ""}
    unused = ["--network=residual-m", "--set=weights=mine.safetensors", "--plan"]
    said = complaint(capsys, "train", str(tmp_path / "images"), task, *unused, code=2)
    assert "residual-m takes no weights" in said


@pytest.mark.filterwarnings("ignore")
def test_too_little_to_learn_from_is_said_before_training(
    tmp_path: Path, task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    few = tmp_path / "few"
    write_spots(few, 6)  # three of each class
    said = complaint(capsys, "train", str(few), task, code=1)
    assert "too few images that are no copies of each other" in said
    assert "spot: 3 images" in said
    assert "too few images" in complaint(capsys, "compare", str(few), task, "--networks=residual-s", code=1)
    some = tmp_path / "some"
    write_spots(some, 24)
    said = complaint(capsys, "train", str(some), task, "--folds=20", code=2)
    assert "20 folds: some would hold no image; 11 is the most" in said
    one = tmp_path / "one"
    for path in write_spots(one, 40):
        if path.parent.name == "plain":
            path.unlink()
    assert "no image of plain: every class must be there" in complaint(capsys, "train", str(one), task, code=1)
    broken = tmp_path / "broken"
    for path in write_spots(broken, 10):
        path.write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    assert "no labelled image can be read" in complaint(capsys, "train", str(broken), task, code=1)


@pytest.mark.filterwarnings("ignore")
def test_a_plan_for_data_that_cannot_be_trained_on_says_so(
    tmp_path: Path, task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever asks for the plan first must not learn from the training itself that there can be none."""
    few = tmp_path / "few"
    write_spots(few, 6)
    assert main(["train", str(few), task, "--plan"]) == 1
    planned = capsys.readouterr()
    assert "too few images that are no copies of each other" in planned.err
    assert "network" in planned.out  # the plan is printed all the same
    some = tmp_path / "some"
    write_spots(some, 24)
    assert "20 folds: some would hold no image" in complaint(
        capsys, "train", str(some), task, "--plan", "--folds=20", code=2
    )


@pytest.mark.filterwarnings("ignore")
def test_what_was_decided_about_the_data_is_told_before_training(
    tmp_path: Path, task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows without a file, tables that were not read, patients nobody knows: the audit said it, training did not."""
    images = tmp_path / "images"
    write_spots(images, 40)
    (images / "labels.csv").write_text("image,label\nnowhere,spot\n", encoding="utf-8")
    assert main(["train", str(images), task, "--plan"]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "labels.csv: not used, the folders name the classes" in told
    assert "no patient is known" in told


TOLD = "beware: 60 of 60 images have a short side under 64 pixels"


@pytest.mark.filterwarnings("ignore")
def test_images_that_the_package_will_refuse_are_told_before_training(
    tmp_path: Path, task: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "posix_fallocate", stop)  # before the first epoch
    write_spots(tmp_path / "large", 60)
    write_spots(tmp_path / "small", 60, size=40)
    for name, is_told in (("large", False), ("small", True)):
        assert main(["train", str(tmp_path / name), task, *QUICK, "--no-tracking"]) == 130
        said = " ".join(capsys.readouterr().err.split())
        assert (TOLD in said) is is_told
        assert main(["compare", str(tmp_path / name), task, "--networks=residual-s", "--set=epochs=1"]) == 130
        said = " ".join(capsys.readouterr().err.split())
        assert (TOLD in said) is is_told
        assert "split: train " in said
        assert main(["train", str(tmp_path / name), task, "--plan"]) == 0
        planned = capsys.readouterr()
        assert (TOLD in " ".join(planned.err.split())) is is_told
        assert "beware" not in planned.out


@pytest.mark.filterwarnings("ignore")
def test_a_full_disk_is_said_and_not_a_traceback(
    tmp_path: Path, task: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:  # a disk of that size cannot be made here
        raise OSError(errno.ENOSPC, "No space left on device")

    write_spots(tmp_path / "images", 120)
    monkeypatch.setattr(os, "posix_fallocate", full)
    said = complaint(capsys, "train", str(tmp_path / "images"), task, *QUICK, "--no-tracking", code=1)
    assert re.search(r"home/runs/\S+/prepared-\S+half.npy: no space is left on the disk", said)
    assert not list((tmp_path / "home" / "runs").glob("*/*.half.npy"))


@pytest.mark.parametrize(
    ("told_by", "where"),
    [(signal.SIGINT, "/9999, loss"), (signal.SIGTERM, "/9999, loss"), (signal.SIGTERM, "auditing")],
)
def test_ctrl_c_and_sigterm_are_said_with_how_to_go_on(
    tmp_path: Path, task: str, told_by: signal.Signals, where: str
) -> None:
    write_spots(tmp_path / "images", 120)
    told = tmp_path / "progress"
    command = [sys.executable, "-m", "hilum", "train", str(tmp_path / "images"), task, *QUICK, "--set=epochs=9999"]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run behind a shell ignore it, and so would it
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "HILUM_PROGRESS_FILE": str(told)})
    late = time.monotonic() + 500
    try:
        while not told.exists() or where not in told.read_text():
            assert process.poll() is None
            assert time.monotonic() < late
            time.sleep(0.1)
        process.send_signal(told_by)
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert b"give the same command again and it goes on where it was" in said
    assert b"Traceback" not in said


def test_a_training_that_is_killed_as_its_package_takes_its_place_leaves_no_untrusted_one(
    tmp_path: Path, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command would make another one, or with --out refuse to."""
    out = tmp_path / "mine"

    def killed(
        _data: object, _task: object, wishes: Wishes, _listener: object, finish: Callable[[Any], object]
    ) -> None:
        made = wishes.runs / "sealed"
        made.mkdir(parents=True)
        (made / MANIFEST).write_text("{}")
        finish(SimpleNamespace(package=made))
        put_in_place(made, wishes.out)
        raise KeyboardInterrupt

    write_spots(tmp_path / "images", 4)
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(train, "learn", killed)
    monkeypatch.setattr(train, "_reports", lambda *_: {})
    assert main(["train", str(tmp_path / "images"), task, "--out", str(out)]) == 130
    assert digest_of(out) in trust(read_settings()).pinned
    assert json.loads((tmp_path / "home" / "pins.jsonl").read_text())["folder"] == str(out)


def test_two_trainings_that_begin_in_one_second_have_a_place_each(
    tmp_path: Path, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one was refused its place at its end, which may be hours later."""
    places, models = list[Path](), tmp_path / "home" / "models"

    def begun(_data: object, _task: object, wishes: Wishes, *_: object) -> None:
        places.append(wishes.out)
        assert wishes.version == wishes.out.name
        if len(places) == 1:
            assert main(command) == 130
        raise KeyboardInterrupt

    write_spots(tmp_path / "images", 4)
    command = ["train", str(tmp_path / "images"), task]
    monkeypatch.setattr(train, "learn", begun)
    now = iter(["20260101.000000", "20260101.000000", "20260101.000001"])
    monkeypatch.setattr(train, "_now", lambda: next(now), raising=False)
    assert main(command) == 130
    assert [place.name for place in places] == ["20260101.000000", "20260101.000001"]
    assert [path.name for path in models.rglob("*")] == ["spot"]  # what came to nothing leaves no place behind


def test_of_two_trainings_into_one_folder_the_later_is_refused_at_its_beginning(
    tmp_path: Path, task: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was refused at its end, which may be hours later."""
    begun = list[Path]()

    def learn(_data: object, _task: object, wishes: Wishes, *_: object) -> None:
        begun.append(wishes.out)
        if len(begun) == 1:
            assert "another run under way puts its package there" in complaint(capsys, *command, code=2)
        raise KeyboardInterrupt

    write_spots(tmp_path / "images", 4)
    command = ["train", str(tmp_path / "images"), task, "--out", str(tmp_path / "mine")]
    monkeypatch.setattr(train, "learn", learn)
    assert main(command) == 130
    assert begun == [tmp_path / "mine"]
    assert not (tmp_path / "mine").exists()
    (tmp_path / "mine").mkdir()  # as a kill leaves it
    assert main(command) == 130
    assert len(begun) == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "somebodys").touch()
    assert "exists already" in complaint(capsys, *command, code=2)


def test_the_empty_places_of_killed_trainings_go_with_the_next_one(
    tmp_path: Path, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try of a training that was killed again and again left one."""
    models, now = tmp_path / "home" / "models" / "spot", time.time()
    packed, running, drawn, killed = (models / f"20260101.00000{n}" for n in range(4))
    for place in (packed, running, drawn, killed):
        place.mkdir(parents=True)
    (packed / MANIFEST).touch()
    for place in (packed, running, killed):
        os.utime(place, (now - 60, now - 60))
    os.utime(drawn, (now + 3600, now + 3600))  # only just, however slow this machine is: it is held in a moment

    def begun(*_: object) -> None:
        raise KeyboardInterrupt

    write_spots(tmp_path / "images", 4)
    monkeypatch.setattr(train, "learn", begun)
    with place_held(running):
        assert main(["train", str(tmp_path / "images"), task]) == 130
        assert sorted(models.iterdir()) == [packed, running, drawn]


def test_the_report_of_what_a_search_chose_is_written_over_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("write_audit_report", "write_evaluation_report"):
        monkeypatch.setattr(train, name, lambda *given: given[-1] / "index.html")

    def pages(workplace: Path) -> dict[str, str]:
        learned: Any = SimpleNamespace(audit=0, measured=0, speaker=0, folder=tmp_path, workplace=workplace)
        return train._reports(learned, learned, Bars(quiet=True))

    plain, searched = pages(tmp_path), pages(tmp_path / "tuned-1")
    assert plain["evaluation"] == str(tmp_path / "report" / "index.html")
    assert searched["evaluation"] == str(tmp_path / "tuned-1" / "report" / "index.html")
    assert plain["audit"] == searched["audit"]  # of the same images, by the same rules
