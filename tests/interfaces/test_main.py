"""The door of the command line: what it lists, what it refuses, which code it leaves with."""

from __future__ import annotations

import pytest

from hilum.interfaces.cli.main import COMMANDS, main, parser_of


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in COMMANDS)


def test_a_misspelt_command_is_wrong_use_and_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pedict"]) == 2
    assert "did you mean 'predict'" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_examples(name: str) -> None:
    said = parser_of(name).format_help()
    assert f"hilum {name}" in said
    assert "examples:" in said


def test_a_path_that_is_not_there_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "no-such-file.png"]) == 2
    assert "no-such-file.png: no such file" in capsys.readouterr().err


def test_an_unknown_task_lists_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "knee"]) == 2
    assert "pneumonia-cxr" in capsys.readouterr().err
