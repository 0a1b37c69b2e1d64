"""The shipped chest package again under another version or for a task of one's own, trusted by a home."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hilum.learn.seal import write_package
from hilum.registry.pins import pin
from hilum.settings import read_settings
from tests.conftest import ROOT

SHIPPED = ROOT / "models" / "pneumonia-cxr"


def another_version(home: Path, version: str, remark: bytes = b"") -> str:
    """Its digest; a remark at the end of its card makes it another package."""
    files, about = _shipped()
    files["README.md"] += remark
    return _sealed(home, files, {**about, "version": version})


def unmeasured_version(home: Path, version: str) -> str:
    """The digest of one that was sealed and holds no figures."""
    files, about = _shipped()
    return _sealed(home, {**files, "metrics.json": b"{}"}, {**about, "version": version})


def package_that_cannot_answer(home: Path, file: str, content: bytes) -> str:
    """The digest of one that opens, though a file of it does not fit the others."""
    files, about = _shipped()
    return _sealed(home, {**files, file: content}, {**about, "version": "6.6.6"})


def package_of_own_task(
    home: Path,
    name: str = "my-films",
    *,
    version: str = "1.0.0",
    negative: str = "normal",
    priority: int = 10,
    illness: str = "",
) -> str:
    """The digest of a package that learned from a task file of one's own: another name and title.

    negative: what its class without disease is called. priority: its `auto_priority`; a chest film's own task has 10.
    illness: the title of its other class; else as shipped.
    """
    files, about = _shipped()
    text = files["task.toml"].decode().replace('name = "pneumonia-cxr"', f'name = "{name}"')
    text = text.replace("auto_priority = 10", f"auto_priority = {priority}")
    text = text.replace('name = "normal"', f'name = "{negative}"')
    text = text.replace('title = "Pneumonia"', f'title = "{illness or "Pneumonia"}"')
    files["calibration.json"] = files["calibration.json"].replace(b'"normal"', f'"{negative}"'.encode())
    files["task.toml"] = text.replace('title = "Pneumonia on a chest X-ray"', 'title = "What our films show"').encode()
    return _sealed(home, files, {**about, "name": name, "version": version})


def _shipped() -> tuple[dict[str, bytes], dict[str, Any]]:
    manifest = json.loads((SHIPPED / "manifest.json").read_bytes())
    files = {name: (SHIPPED / name).read_bytes() for name in manifest["files"]}
    return files, {key: value for key, value in manifest.items() if key not in ("format", "files", "task")}


def _sealed(home: Path, files: dict[str, bytes], about: dict[str, Any]) -> str:
    folder = home / "models" / about["name"] / about["version"]
    write_package(files, about, folder)
    return pin(read_settings({"HILUM_HOME": str(home)}), folder, "test")
