"""The machine, and what a container may use of it -> how many cores are ours."""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def cores(cgroups: Path = CGROUPS) -> int:
    """Cores this process may run on, fewer where Docker, Kubernetes or systemd allow it less time than they have."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, _allowed(cgroups) or usable)


def _allowed(cgroups: Path) -> int | None:
    """Processor time over time by the clock, rounded up; None without a limit (cgroup v2, then v1)."""
    found = _words(cgroups / "cpu.max") or [
        *_words(cgroups / "cpu" / "cpu.cfs_quota_us"),
        *_words(cgroups / "cpu" / "cpu.cfs_period_us"),
    ]
    try:
        quota, period = (int(word) for word in found)
    except ValueError:  # "max", or no such files
        return None
    return max(1, math.ceil(quota / period)) if quota > 0 and period > 0 else None


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []
