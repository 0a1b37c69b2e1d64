"""Hostile files: each is refused by name in about a second and within 256 MiB, and no decoder dies of one."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.image.hostile import BIG, HOSTILE, KEPT, ODD

SECONDS = 2.0  # of processor time; about one on an idle machine
MEBIBYTES = 256
REFUSALS = ("UnreadableImage", "UnsupportedFormat", "ImageTooLarge")
Costs = dict[str, dict[str, object]]


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> Costs:
    folder = tmp_path_factory.mktemp("hostile")
    for name, make in (HOSTILE | ODD | BIG | KEPT).items():
        (folder / name).write_bytes(make())
    command = [sys.executable, "-m", "tests.image.hostile", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: Costs = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_by_name(name: str, costs: Costs) -> None:
    outcome = str(costs[name]["outcome"])
    assert outcome.split(":", maxsplit=1)[0] in REFUSALS, outcome
    assert f": {name}: " in outcome


@pytest.mark.parametrize("name", ODD | BIG)
def test_odd_and_large_files_are_read(name: str, costs: Costs) -> None:
    assert costs[name]["outcome"] == "1 frames"


@pytest.mark.parametrize("name", KEPT)
def test_what_is_read_is_kept_without_names_or_not_at_all(name: str, costs: Costs) -> None:
    assert str(costs[name]["outcome"]).partition(" frames, ")[2] in ("kept", "not kept"), costs[name]


@pytest.mark.parametrize("name", HOSTILE | ODD | BIG | KEPT)
def test_no_file_costs_more_than_its_share(name: str, costs: Costs) -> None:
    assert float(str(costs[name]["seconds"])) < SECONDS
    assert float(str(costs[name]["mebibytes"])) < MEBIBYTES
