"""A few rounds of `make chaos`: killed under load, nothing acknowledged is lost."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.slow
def test_nothing_acknowledged_is_lost():
    command = [sys.executable, "benchmarks/chaos.py", "--kills", "10", "--clients", "4", "--seed", "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 fault(s)" in done.stdout
