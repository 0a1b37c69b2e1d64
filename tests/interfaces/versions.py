"""The shipped chest package again under another version, trusted by a home."""

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
    folder = home / "models" / "pneumonia-cxr" / version
    manifest = json.loads((SHIPPED / "manifest.json").read_bytes())
    files = {name: (SHIPPED / name).read_bytes() for name in manifest["files"]}
    files["README.md"] += remark
    about = {key: value for key, value in manifest.items() if key not in ("format", "files", "task")}
    write_package(files, {**about, "version": version}, folder)
    return pin(read_settings({"HILUM_HOME": str(home)}), folder, "test")
