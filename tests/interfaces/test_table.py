"""The table on the terminal: long names keep both ends, hostile ones command nothing."""

from __future__ import annotations

import pytest

from hilum.flows.bulk import Unread
from hilum.flows.prediction import Prediction
from hilum.interfaces.cli.table import WIDTHS, PredictionTable


def rows(capsys: pytest.CaptureFixture[str], *lines: Prediction | Unread) -> list[str]:
    table = PredictionTable()
    for line in lines:
        table.add(line)
    table.close()
    return capsys.readouterr().out.splitlines()


def test_a_long_name_keeps_its_start_and_more_of_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    name = "studies/2024/ward-7/" + "x" * 60 + "/series-3/IM-0042.dcm"
    cell = rows(capsys, Prediction("t", None, "balanced", label="a", probability=0.9, file=name))[1][: WIDTHS["file"]]
    assert len(cell.strip()) == WIDTHS["file"]
    assert cell.startswith("studies/2024")
    assert cell.endswith("series-3/IM-0042.dcm")


def test_a_name_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    said = "\n".join(rows(capsys, Unread("\x1b[31m\nred.png", "unreadable_image", "is no image")))
    assert "\x1b" not in said
    assert r"\x1b[31m\nred.png  unreadable" in said
