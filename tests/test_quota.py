"""How many cores are ours: the machine's, or what a container is allowed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hilum.quota import cores

MACHINE = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("max 100000", MACHINE),
        ("100000 100000", 1),
        ("50000 100000", 1),
        ("6400000 100000", MACHINE),
        ("nonsense", MACHINE),
        ("100000 0", MACHINE),
        ("0 100000", MACHINE),
    ],
)
def test_the_quota_of_a_container_counts(tmp_path: Path, said: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(f"{said}\n")
    assert cores(tmp_path, tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [(-1, MACHINE), (100_000, 1), (20_000, 1)])
def test_the_older_files_count_too(tmp_path: Path, quota: int, expected: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert cores(tmp_path, tmp_path) == expected


@pytest.mark.parametrize(
    ("said", "limited", "expected"),
    [
        ("0::/system.slice/hilum.service", "system.slice/hilum.service", 1),
        ("0::/system.slice/hilum.service", "system.slice", 1),
        ("0::/system.slice/hilum.service", "system.slice/other.service", MACHINE),
        ("0::/../../system.slice", "system.slice", MACHINE),
        ("9:name=systemd:/a\n4:cpu,cpuacct:/a b", "cpu/a b", 1),
        ("9:cpuset:/a", "a", MACHINE),
        ("nonsense", "nonsense", MACHINE),
    ],
)
def test_the_quota_of_a_service_counts(tmp_path: Path, said: str, limited: str, expected: int) -> None:
    """systemd writes CPUQuota into the group of the service, not at the root as a container sees it."""
    (tmp_path / "own").write_text(f"{said}\n")
    group = tmp_path / "groups" / limited
    group.mkdir(parents=True)
    names = ("cpu.cfs_quota_us", "cpu.cfs_period_us") if limited.startswith("cpu/") else ("cpu.max",)
    for name in names:
        (group / name).write_text("100000 100000\n" if name == "cpu.max" else "100000\n")
    assert cores(tmp_path / "groups", tmp_path / "own") == expected


def test_without_either_it_is_the_machine(tmp_path: Path) -> None:
    assert cores(tmp_path / "absent", tmp_path / "absent") == MACHINE


@pytest.mark.parametrize(("counted", "expected"), [(3, 3), (None, 1)])
def test_where_a_process_cannot_ask_for_its_own_cores_those_of_the_machine_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: int | None, expected: int
) -> None:
    """As on a Mac."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: counted)
    assert cores(tmp_path, tmp_path) == expected
