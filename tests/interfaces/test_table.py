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


@pytest.mark.parametrize("columns", ["80", "100"])
def test_on_a_narrow_terminal_no_row_breaks(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    answer = Prediction(
        "brain-tumor-presence-mri",
        None,
        "balanced",
        label="meningioma",
        probability=0.9,
        file="s" * 40 + "/IM-0042.dcm",
    )
    said = rows(capsys, answer, Unread("film.png", "unreadable_image", "why it cannot be read " * 9))
    assert max(map(len, said)) <= int(columns)
    assert said[0].split() == ["file", "task", "answer", "sure", "also", "possible"]
    assert "IM-0042.dcm" in said[1]
    assert "90.0%" in said[1]
