"""The shipped chest package again under another version, or for a question of one's own; trusted by a home."""

from __future__ import annotations

import json
from pathlib import Path

from hilum.learn.seal import write_package
from hilum.registry.pins import pin
from hilum.settings import read_settings
from tests.conftest import ROOT

SHIPPED = ROOT / "models" / "pneumonia-cxr"


def another_version(home: Path, version: str, remark: bytes = b"") -> str:
    """Its digest; a remark at the end of its card makes it another package."""
    return _package(home, ("pneumonia-cxr", version), {"README.md": remark})


def own_question(home: Path) -> str:
    """The digest of a package named `my-question`, whose task no shipped file holds."""
    task = (SHIPPED / "task.toml").read_text(encoding="utf-8")
    return _package(home, ("my-question", "1.0.0"), {}, task.replace('name = "pneumonia-cxr"', 'name = "my-question"'))


def _package(home: Path, named: tuple[str, str], remarks: dict[str, bytes], task: str = "") -> str:
    name, version = named
    folder = home / "models" / name / version
    manifest = json.loads((SHIPPED / "manifest.json").read_bytes())
    files = {name: (SHIPPED / name).read_bytes() for name in manifest["files"]}
    for file, remark in remarks.items():
        files[file] += remark
    files["task.toml"] = task.encode() or files["task.toml"]
    about = {key: value for key, value in manifest.items() if key not in ("format", "files", "task")}
    write_package(files, {**about, "name": name, "version": version}, folder)
    return pin(read_settings({"HILUM_HOME": str(home)}), folder, "test")
