"""The learn flow end to end on made images: a folder in, a measured package out that answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hilum.data.fingerprint import Fingerprints
from hilum.data.labels import with_task
from hilum.data.source import open_source
from hilum.flows.learn import Wishes, learn
from hilum.flows.predict import Desk, Options, predict
from hilum.flows.progress import Silent
from hilum.flows.report import write_evaluation_report
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

    (answer,) = predict(paths[0].read_bytes(), "a", Desk((learned.speaker,)), Options())
    assert answer.prediction.model is not None
    assert answer.prediction.model.digest == learned.digest

    page = write_evaluation_report(learned.measured, dataset, learned.speaker, tmp_path / "report")
    assert "http://" not in page.read_text().replace("http://www.w3.org", "")


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


@pytest.mark.filterwarnings("ignore")
def test_folds_teach_one_network_that_is_packaged_alone(tmp_path: Path) -> None:
    write_spots(tmp_path / "images", 150)
    dataset = with_task(open_source(str(tmp_path / "images")), TASK)
    changes = (*CHANGES, "folds=2", "distill=yes")
    learned = learn(
        dataset,
        TASK,
        Wishes("spot", "1", TASK_TEXT, tmp_path / "runs", tmp_path / "package", changes=changes),
        Silent(),
    )
    network = json.loads((learned.package / "network.json").read_text())
    assert network["name"] == "residual"
    assert json.loads((learned.package / "calibration.json").read_text())["origin"].startswith("calibration part")
    assert {path.name for path in (learned.folder / "folds").iterdir()} == {"fold-1", "fold-2"}
    assert (learned.folder / "student").is_dir()
