"""The learn flow end to end on made images: a folder in, a measured package out that answers."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from hilum.data.fingerprint import Fingerprints
from hilum.data.labels import with_task
from hilum.data.source import open_source
from hilum.errors import UsageError
from hilum.flows import learn as flow
from hilum.flows.learn import WITHOUT_NOVELTY, Learned, Wishes, learn, prepared_bench
from hilum.flows.predict import Desk, Options, predict
from hilum.flows.progress import Silent
from hilum.flows.references import FOLDS_TAKE_ALL
from hilum.flows.report import write_evaluation_report
from hilum.learn.plan import override
from hilum.learn.tracking import store_uri
from hilum.learn.tune import Trial, Tuned
from tests.flows.made import write_spots
from tests.learn.made import TASK, TASK_TEXT

CHANGES = ("network=residual", "width=8", "size=32", "epochs=2", "batch=16", "augmentation=none", "mixup=0")


@pytest.mark.filterwarnings("ignore")
def test_from_a_folder_to_a_package_that_answers(tmp_path: Path) -> None:
    paths = write_spots(tmp_path / "images", 120)
    dataset = with_task(open_source(str(tmp_path / "images")), TASK)
    wishes = Wishes("spot", "1", TASK_TEXT, tmp_path / "runs", tmp_path / "package", changes=CHANGES)
    learned = learn(dataset, TASK, wishes, Silent())

    manifest = json.loads((learned.package / "manifest.json").read_text())
    figures = json.loads((learned.package / "metrics.json").read_text())
    split = json.loads((learned.folder / "split.json").read_text())
    assert figures["n"] == split["test"]["cases"] == learned.measured.evaluation.whole.n
    assert manifest["agreement"]["flips"] == 0
    assert learned.measured.evaluation.copies_looked_for
    assert learned.measured.evaluation.copied is None
    assert "Not for diagnosis" in (learned.package / "README.md").read_text()
    assert "test" not in split["parts"]
    assert len(Fingerprints.load(learned.folder / "fingerprints.npz")) == 120  # those of the test, too
    measured = np.array([learned.audit.paths.index(case.id) for case in learned.measured.cases])
    neighbour, beside = figures["baseline"]["nearest neighbour"]["accuracy"], learned.audit.baseline
    known = beside.of(measured, learned.audit.groups)
    assert known is not None
    assert neighbour == known.to_json()  # of the images of the test, as all that stands beside it

    (answer,) = predict(paths[0].read_bytes(), "a", Desk((learned.speaker,)), Options())
    assert answer.prediction.model is not None
    assert answer.prediction.model.digest == learned.digest

    page = write_evaluation_report(learned.measured, dataset, learned.speaker, tmp_path / "report")
    assert "http://" not in page.read_text().replace("http://www.w3.org", "")


@pytest.mark.usefixtures("briefly_admitted")
@pytest.mark.filterwarnings("ignore")
def test_a_run_that_ends_before_its_reports_are_written_leaves_no_package_and_goes_on(tmp_path: Path) -> None:
    write_spots(tmp_path / "images", 120)
    dataset = with_task(open_source(str(tmp_path / "images")), TASK)
    wishes = Wishes("spot", "1", TASK_TEXT, tmp_path / "runs", tmp_path / "package", changes=CHANGES)

    def stopped(learned: Learned) -> None:
        assert (learned.package / "README.md").is_file()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(dataset, TASK, wishes, Silent(), stopped)
    assert not wishes.out.exists()

    learned = learn(dataset, TASK, wishes, Silent())
    assert learned.package == wishes.out
    assert (wishes.out / "README.md").is_file()
    assert not [path for path in tmp_path.rglob("*") if path.name == "sealed"]
    assert learned.speaker.package.folder == wishes.out


@pytest.mark.usefixtures("briefly_admitted")
@pytest.mark.filterwarnings("ignore")
def test_a_split_that_leaks_and_is_kept_shows_its_copies_apart(tmp_path: Path) -> None:
    images = tmp_path / "images"
    for part, seed in (("train", 0), ("test", 1)):
        write_spots(images / part, 80, seed=seed)
    trained = sorted((images / "train").rglob("*.png"))
    for path in trained[:6] + trained[-6:]:
        shutil.copy(path, images / "test" / path.parent.name / f"again-{path.name}")
    dataset = with_task(open_source(str(images)), TASK)
    wishes = Wishes("spot", "1", TASK_TEXT, tmp_path / "runs", tmp_path / "package", changes=CHANGES, keep_split=True)
    evaluation = learn(dataset, TASK, wishes, Silent()).measured.evaluation
    assert evaluation.setting.marks
    assert evaluation.copied is not None
    assert evaluation.clean is not None
    assert evaluation.copied.n + evaluation.clean.n == evaluation.whole.n
    assert evaluation.copied.n >= 12
    card = (tmp_path / "package" / "README.md").read_text()
    assert "The supplied split was kept" in card
    assert "never parted" not in card


@pytest.mark.usefixtures("briefly_admitted")
@pytest.mark.filterwarnings("ignore")
def test_folds_teach_one_network_that_is_packaged_alone(tmp_path: Path) -> None:
    write_spots(tmp_path / "images", 150)
    dataset = with_task(open_source(str(tmp_path / "images")), TASK)
    heard = Heard()
    store = f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}"
    learned = learn(dataset, TASK, replace(wishes(tmp_path, "folds=2", "distill=yes"), tracking=store), heard)
    network = json.loads((learned.package / "network.json").read_text())
    assert network["name"] == "residual"
    assert json.loads((learned.package / "calibration.json").read_text())["origin"].startswith("calibration part")
    assert {path.name for path in (learned.folder / "folds").iterdir()} == {"fold-1", "fold-2"}
    assert (learned.folder / "student").is_dir()
    (run,) = MlflowClient(store).search_runs(["1"])
    for figure in ("tune_score", "fold-1/tune_score", "fold-2/tune_score"):  # none is drawn over another
        assert [row.step for row in MlflowClient(store).get_metric_history(run.info.run_id, figure)] == [0, 1]
    training = [row for row in heard.rows if row[0] == "training"]
    assert list(dict.fromkeys(row[3].split(",")[0] for row in training)) == [f"epoch {i}/6" for i in range(1, 7)]
    assert [row[1] for row in training] == sorted(row[1] for row in training)
    assert training[-1][1] == training[-1][2]
    assert taught(learned.package) == learned_from(learned.folder)


@pytest.mark.usefixtures("briefly_admitted")
@pytest.mark.filterwarnings("ignore")
def test_an_average_of_folds_says_that_it_has_no_novelty_reference(tmp_path: Path) -> None:
    write_spots(tmp_path / "images", 120)
    dataset = with_task(open_source(str(tmp_path / "images")), TASK)
    learned = learn(dataset, TASK, wishes(tmp_path, "folds=2"), Silent())
    assert taught(learned.package) == learned_from(learned.folder)
    assert not (learned.package / "novelty.npz").exists()
    assert WITHOUT_NOVELTY in (learned.package / "README.md").read_text()
    plan = json.loads((learned.package / "plan.json").read_text())
    assert plan["reasons"]["folds"] == f"set by you; no novelty reference: {FOLDS_TAKE_ALL}"


class Heard(Silent):
    """Keeps (stage, done, total, note) of all that is told."""

    def __init__(self) -> None:
        self.now, self.rows = "", list[tuple[str, int, int | None, str]]()

    def stage(self, title: str, total: int | None = None, done: int = 0) -> None:
        self.now = title

    def done(self, count: int, total: int | None = None, note: str = "") -> None:
        self.rows.append((self.now, count, total, note))


def taught(package: Path) -> int:
    return len(Fingerprints.load(package / "fingerprints.npz"))


def learned_from(folder: Path) -> int:
    """Images of the open parts, all of which folds learn from."""
    return sum(map(len, json.loads((folder / "split.json").read_text())["parts"].values()))


def wishes(folder: Path, *changes: str, trials: int = 0) -> Wishes:
    return Wishes("spot", "1", TASK_TEXT, folder / "runs", folder / "package", changes=CHANGES + changes, trials=trials)


def begun(folder: Path, *changes: str, trials: int = 0) -> Any:
    """What is on the bench before anything is trained."""
    dataset = with_task(open_source(str(folder / "images")), TASK)
    with prepared_bench(dataset, TASK, wishes(folder, *changes, trials=trials), Silent()) as bench:
        return bench


def write_table(folder: Path, paths: Sequence[Path], patients: Sequence[int] | None = None) -> None:
    """A table beside the images, with a column `patient` or without."""
    rows = [f"{path.name},{path.name.split('-')[0]}" for path in paths]
    if patients is not None:
        rows = [f"{row},p{patient}" for row, patient in zip(rows, patients, strict=True)]
    head = "image,class" if patients is None else "image,class,patient"
    (folder / "labels.csv").write_text("\n".join([head, *rows]), encoding="utf-8")


def test_patients_that_become_known_begin_a_new_run(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    paths = [path.rename(folder / f"{path.parent.name}-{path.name}") for path in write_spots(tmp_path / "made", 120)]
    write_table(folder, paths)
    alone, again = begun(tmp_path), begun(tmp_path)
    assert again.made.folder == alone.made.folder
    write_table(folder, paths, [i // 3 for i in range(120)])
    grouped = begun(tmp_path)
    assert set(alone.split.parts["train"]) - set(grouped.split.parts["train"])  # some are in the new locked test
    assert grouped.made.folder != alone.made.folder


def test_the_same_run_twice_at_a_time_is_refused(tmp_path: Path) -> None:
    write_spots(tmp_path / "images", 120)
    dataset = with_task(open_source(str(tmp_path / "images")), TASK)
    with (
        prepared_bench(dataset, TASK, wishes(tmp_path), Silent()) as bench,
        pytest.raises(UsageError, match="under way already"),
    ):
        begun(tmp_path)
    assert begun(tmp_path).made.folder == bench.made.folder


@pytest.mark.parametrize("name", ["audit.json", "split.json", "plan.json", "fingerprints.npz"])
def test_what_a_run_notes_of_its_data_takes_the_place_of_the_one_before_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """An erasure reads the fingerprints of runs that were killed at any moment."""
    write_spots(tmp_path / "images", 120)
    bench, sync = begun(tmp_path), os.fsync
    note = bench.made.folder / name
    note.write_bytes(b"before")

    def full(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").readlink().name.startswith(f"{name}."):
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        flow._keep(note.parent, bench.found, bench.split, bench.plan)
    assert note.read_bytes() == b"before"
    assert not list(note.parent.glob("*.new"))


def test_a_run_that_could_not_be_begun_is_begun_again_in_the_same_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a notebook: the error that is shown there holds on to all that was open."""
    write_spots(tmp_path / "images", 120)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as until:
        until.setattr(flow, "_keep", full)
        with pytest.raises(OSError, match="No space") as shown:
            begun(tmp_path)
    assert begun(tmp_path).made.folder.is_dir()
    assert shown.tb is not None


def test_the_next_training_tells_the_store_of_one_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, alone = list[BinaryIO](), flow.alone
    monkeypatch.setattr(flow, "alone", lambda folder: held.append(alone(folder)) or held[-1])  # type: ignore[func-returns-value]
    write_spots(tmp_path / "images", 120)
    dataset = with_task(open_source(str(tmp_path / "images")), TASK)
    kept = replace(wishes(tmp_path), tracking=store_uri(tmp_path, {}))
    first, second = (
        prepared_bench(dataset, TASK, replace(kept, changes=(*CHANGES, line)), Silent())
        for line in ("epochs=3", "epochs=4")
    )
    killed, alive = first.__enter__(), second.__enter__()
    held[0].close()  # as the end of its process does
    with prepared_bench(dataset, TASK, kept, Silent()):
        pass
    client = MlflowClient(kept.tracking)
    assert [client.get_run(bench.run.id).info.status for bench in (killed, alive)] == ["KILLED", "RUNNING"]
    second.__exit__(None, None, None)


def test_more_trials_go_on_and_what_they_chose_is_trained_in_its_own_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_spots(tmp_path / "images", 120)
    few, many, none = (begun(tmp_path, trials=trials) for trials in (2, 5, 0))
    assert few.made.folder == many.made.folder == none.made.folder
    assert begun(tmp_path, "learning_rate=0.001", trials=2).made.folder != few.made.folder

    def chosen(rate: str) -> Any:
        trial = Trial(0, 0.5, 1.0, {"learning_rate": rate})
        monkeypatch.setattr(
            flow, "tune", lambda plan, *_, **__: Tuned(override(plan, [f"learning_rate={rate}"]), trial, (trial,))
        )
        return flow._searched(few)

    slow, slow_again, quick = (chosen(rate) for rate in ("0.001", "0.001", "0.01"))
    assert slow.workplace == slow_again.workplace
    assert len({slow.workplace, quick.workplace, none.workplace}) == 3
    assert slow.made.folder == few.made.folder
