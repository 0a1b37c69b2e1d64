"""`hilum evaluate` on the shipped packages: a second model beside the first, and models of another question."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from hilum.interfaces.cli.main import main
from hilum.task import task_text
from tests.conftest import ROOT
from tests.interfaces.versions import package_of_own_task


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))


@pytest.fixture
def slices(tmp_path: Path) -> Path:
    """The sample slices in class folders."""
    for picture in (ROOT / "samples" / "brain-tumor-mri").glob("*.png"):
        folder = tmp_path / "slices" / picture.name.partition("-")[0]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, folder)
    return tmp_path / "slices"


@pytest.mark.filterwarnings("ignore")
def test_a_second_model_stands_in_text_and_report(
    slices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["evaluate", str(slices), "--task=brain-tumor-mri", "--versus=brain-tumor-mri"]
    assert main([*asked, f"--report={tmp_path / 'report'}"]) == 0
    said, page = capsys.readouterr().out, (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert 'id="versus"' in page
    for shown in (said, page.replace("&#39;", "'")):
        assert "Against brain-tumor-mri" in shown
        assert "this model alone is right on 0, the other alone on 0 (McNemar's test, mid-p: p = 1)" in shown
        assert "+0.0000 to +0.0000" in shown


@pytest.mark.filterwarnings("ignore")
def test_errors_are_explained_by_the_method_asked_for_and_its_faithfulness_told(slices: Path, tmp_path: Path) -> None:
    """In the report, beside that of the class-activation maps of the very same images."""
    (slices / "glioma" / "glioma-1.png").rename(slices / "pituitary" / "glioma-1.png")
    where = tmp_path / "report"
    asked = ["evaluate", str(slices), "--task=brain-tumor-mri", f"--report={where}", "--method=occlusion"]
    assert main(asked) == 0
    page = (where / "index.html").read_text(encoding="utf-8")
    rows = page[page.index("How faithful the heatmaps are") :]
    for method in ("class-activation map", "occlusion"):
        assert re.search(rf'<th scope="row">{method}</th><td class="num" data-key="0\.\d+">0\.\d+', rows)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("command", [["evaluate", "--task=brain-tumor-mri"], ["audit"]], ids=lambda asked: asked[0])
def test_a_report_that_the_disk_does_not_take_leaves_the_one_before(
    command: list[str], slices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a page in its place would be read as a whole one."""
    where, sync = tmp_path / "report", os.fsync
    where.mkdir()
    (where / "index.html").write_text("the page before")

    def full(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").readlink().parent == where:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    assert main([*command, str(slices), f"--report={where}"]) == 1
    assert [(path.name, path.read_text()) for path in where.iterdir()] == [("index.html", "the page before")]


def test_lime_without_its_library_is_said_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "hilum.learn.lime", None)
    asked = ["evaluate", "no-such-folder", "--task=brain-tumor-mri", f"--report={tmp_path}", "--method=lime"]
    assert main(asked) == 2
    assert "hilum[learn]" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--model", "--versus"])
def test_a_model_of_another_task_is_wrong_use_before_anything_is_read(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "no-such-folder", "--task=pneumonia-cxr", f"{option}=brain-tumor-mri"]) == 2
    said = capsys.readouterr().err
    assert "brain-tumor-mri answers brain-tumor-mri, not pneumonia-cxr" in said
    assert "Traceback" not in said


def test_a_task_of_that_name_with_other_classes_is_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(task_text("pneumonia-cxr").replace('name = "normal"', 'name = "sound"'), encoding="utf-8")
    assert main(["evaluate", "no-such-folder", f"--task={mine}"]) == 2
    assert "answers pneumonia-cxr with the classes normal, pneumonia, not sound, pneumonia" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")
def test_a_question_of_ones_own_is_known_by_its_name_where_its_package_is_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package_of_own_task(tmp_path / "home", "my-question")
    films = ROOT / "samples" / "pneumonia-cxr"
    for picture in films.glob("*.png"):
        folder = tmp_path / "films" / picture.name.partition("-")[0]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, folder)
    assert main(["predict", str(films), "--task=my-question"]) == 0
    assert "my-question" in capsys.readouterr().out
    assert main(["evaluate", str(tmp_path / "films"), "--task=my-question"]) == 0
    assert main(["audit", str(tmp_path / "films"), "--task=my-question", "--json"]) == 0
    assert '"classes": {"normal": ' in capsys.readouterr().out
    assert main(["prepare", str(tmp_path / "films"), "--task=my-question", f"--out={tmp_path / 'out'}"]) == 0
    assert (tmp_path / "out" / "normal").is_dir()
    assert main(["predict", str(films), "--task=your-question"]) == 2
    assert "no task 'your-question'" in capsys.readouterr().err
    mine = tmp_path / "your.toml"
    mine.write_text(task_text("pneumonia-cxr").replace('"pneumonia-cxr"', '"your-question"'), encoding="utf-8")
    assert main(["predict", str(films), f"--task={mine}"]) == 2
    assert "written with --out: --model DIR" in capsys.readouterr().err


def test_an_operating_point_or_a_share_that_does_not_fit_is_said_before_anything_is_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It was said after the whole set had been audited."""
    asked = ["evaluate", "no-such-folder", "--task=pneumonia-cxr"]
    for option, said in (
        ("--operating-point=screning", "no operating point 'screning'"),
        ("--prevalence=2", "between 0"),
    ):
        assert main([*asked, option]) == 2
        assert said in capsys.readouterr().err


def test_a_way_of_drawing_without_a_report_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was drawn, and nothing said."""
    assert main(["evaluate", "no-such-folder", "--task=pneumonia-cxr", "--method=occlusion"]) == 2
    assert "--report DIR" in capsys.readouterr().err
