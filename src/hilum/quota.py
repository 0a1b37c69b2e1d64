"""The machine, and what a container may use of it -> how many cores are ours."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")  # "0::/system.slice/hilum.service"; with v1 "4:cpu,cpuacct:/…"


def cores(cgroups: Path = CGROUPS, own: Path = OWN) -> int:
    """Cores this process may run on, fewer where Docker, Kubernetes or systemd allow it less time than they have."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([usable, *filter(None, map(_allowed, _groups(cgroups, own)))])


def _groups(cgroups: Path, own: Path) -> Iterator[Path]:
    """Where limits may stand (cgroup v2, then v1): for a container at the root, for a service in its group or above."""
    yield cgroups
    yield cgroups / "cpu"
    for line in _text(own).splitlines():
        kinds, _, path = line.partition(":")[2].partition(":")
        if kinds and "cpu" not in kinds.split(","):
            continue
        inside = Path(path.strip("/"))
        if ".." not in inside.parts:  # a group outside of what this container sees
            yield from ((cgroups / "cpu" if kinds else cgroups) / group for group in (inside, *inside.parents))


def _allowed(group: Path) -> int | None:
    """Processor time over time by the clock, rounded up; None without a limit."""
    found = _text(group / "cpu.max") or f"{_text(group / 'cpu.cfs_quota_us')} {_text(group / 'cpu.cfs_period_us')}"
    try:
        quota, period = map(int, found.split())
    except ValueError:  # "max", or no such files
        return None
    return max(1, math.ceil(quota / period)) if quota > 0 and period > 0 else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
