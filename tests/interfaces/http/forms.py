"""Multipart bodies for the tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.conftest import ROOT

SAMPLES = sorted((ROOT / "samples").glob("*/*.png"))
BOUNDARY = "a-boundary"
TYPE = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def form(files: Iterable[tuple[str, bytes]], **fields: str) -> bytes:
    """Files in the field `file`, then plain fields."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + data
        for name, data in files
    ]
    parts += [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
        for name, value in fields.items()
    ]
    return b"\r\n".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def sample(task: str) -> Path:
    """The first synthetic image of a task."""
    return next(path for path in SAMPLES if path.parent.name == task)
