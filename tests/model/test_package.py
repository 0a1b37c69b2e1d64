"""A package whose JSON is none of ours is said to be damaged, however it is wrong."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from hilum.errors import PackageDamaged
from hilum.model.package import Trust, digest_of, open_package

SHIPPED = Path(__file__).resolve().parents[2] / "models" / "pneumonia-cxr"
NESTED = "[" * 200_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "mine"))


def _opened(folder: Path) -> None:
    open_package(folder, Trust(pinned=(digest_of(folder),)))


@pytest.mark.parametrize("files", [["model.onnx"], list, "model.onnx"])
def test_a_manifest_whose_files_are_no_table(folder: Path, files: object) -> None:
    said = json.loads((folder / "manifest.json").read_bytes())
    said["files"] = list(said["files"]) if files is list else files
    (folder / "manifest.json").write_text(json.dumps(said))
    with pytest.raises(PackageDamaged):
        _opened(folder)


def test_a_manifest_nested_without_end_is_refused_before_anybody_asks_whom_to_trust(folder: Path) -> None:
    (folder / "manifest.json").write_text(NESTED)
    with pytest.raises(PackageDamaged):
        open_package(folder, Trust())


@pytest.mark.parametrize("text", ["[]", NESTED])
def test_a_calibration_that_is_no_object(folder: Path, text: str) -> None:
    (folder / "calibration.json").write_text(text)
    said = json.loads((folder / "manifest.json").read_bytes())
    said["files"]["calibration.json"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(said))
    with pytest.raises(PackageDamaged):
        _opened(folder)
