"""The table of the README is what the shipped packages say that they were measured at."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import ROOT

ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and (ROOT / "models" / line.split("|")[1].strip()).is_dir()
]


def written(found: dict[str, float]) -> str:
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def test_every_shipped_package_has_its_row() -> None:
    assert {row[0] for row in ROWS} == {path.name for path in (ROOT / "models").iterdir() if path.is_dir()}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}, {row[1]}")
def test_a_row_is_what_was_measured(row: list[str]) -> None:
    package, source, count, balanced, auroc, error, neighbour = row
    said: dict[str, Any] = json.loads((ROOT / "models" / package / "metrics.json").read_text(encoding="utf-8"))
    if source.startswith("– "):
        metrics = said["sources"][f"locked test of {source.removeprefix('– ')}"]
        assert neighbour == ""
    else:
        metrics = said["metrics"]
        assert said["source"] == f"locked test of {source}"
        assert count == f"{said['n']} ({said['groups']})"
        assert neighbour == written(said["baseline"]["nearest neighbour"]["accuracy"])
    assert (balanced, auroc) == (written(metrics["balanced_accuracy"]), written(metrics["auroc"]))
    assert error == f"{metrics['ece']['value']:.3f} (chance {metrics['ece_if_calibrated']['value']:.3f})"
