"""The door of the command line: what it lists, what it refuses, which code it leaves with."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from hilum.flows.bulk import IN_PROCESS
from hilum.interfaces.cli import tasks
from hilum.interfaces.cli.main import COMMANDS, EXTRAS, main, parser_of
from tests.conftest import ROOT


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in COMMANDS)
    assert "130 stopped" in said


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


@pytest.mark.parametrize(
    "command",
    [["predict"], ["audit"], ["models"], ["restore"], ["backup"], ["prepare", str(ROOT / "samples"), "--out"]],
)
def test_a_list_of_files_that_is_given_as_one_name_is_wrong_use_and_told_in_a_line(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As by `hilum predict "$(cat list)"`."""
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    assert main([*command, "\n".join(f"film-{number}.png" for number in range(1000))]) == 2
    *before, said = capsys.readouterr().err.splitlines()
    assert "longer than a file's name can be" in said
    assert "film-1.png\\nfilm-2.png" in said
    assert len(said) < 1000
    assert len(before) <= 1  # which source is being read


@pytest.mark.parametrize(("name", "library"), [("audit", "faiss"), ("evaluate", "faiss"), ("train", "torch")])
def test_a_command_beyond_the_light_install_names_its_extra(name: str, library: str) -> None:
    blocked = f"import sys; sys.modules[{library!r}] = None; from hilum.interfaces.cli.main import main; "
    code = f"{blocked}sys.exit(main([{name!r}, {str(ROOT / 'samples')!r}, '--task', 'pneumonia-cxr']))"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"needs the extra '{EXTRAS[name]}'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [("audit",), ("evaluate", "--task", "pneumonia-cxr")])
def test_looking_at_data_needs_nothing_that_only_learning_needs(tmp_path: Path, command: tuple[str, ...]) -> None:
    """`hilum[data]` beside the serving part brings neither scipy nor scikit-learn nor matplotlib."""
    films, home = tmp_path / "films", {**os.environ, "HILUM_HOME": str(tmp_path / "home")}
    for film in sorted((ROOT / "samples" / "pneumonia-cxr").glob("*.png")):
        (films / film.name.partition("-")[0]).mkdir(parents=True, exist_ok=True)
        shutil.copy(film, films / film.name.partition("-")[0])
    lacking = "import sys; sys.modules.update(dict.fromkeys(('scipy', 'sklearn', 'matplotlib', 'torch')))"
    code = f"{lacking}; from hilum.interfaces.cli.main import main; sys.exit(main(sys.argv[1:]))"
    asked = [*command, str(films), "--report", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", code, *asked], env=home, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "index.html").is_file()


def test_one_image_is_answered_without_opening_what_data_sets_and_servers_need(tmp_path: Path) -> None:
    """Most of the time that one answer takes is the opening of modules (docs/explanation/speed.md)."""
    home = {**os.environ, "HILUM_HOME": str(tmp_path)}
    code = "import sys; from hilum.interfaces.cli.main import main; main(sys.argv[1:]); print(*sys.modules)"
    film = str(next((ROOT / "samples" / "pneumonia-cxr").glob("*.png")))
    asked = [sys.executable, "-c", code, "predict", film, "--task", "pneumonia-cxr"]
    done = subprocess.run(asked, env=home, check=True, capture_output=True, text=True)
    opened = set(done.stdout.splitlines()[-1].split())
    assert "hilum.flows.predict" in opened
    assert opened.isdisjoint((
        "hilum.data.dataset", "hilum.data.source", "hilum.data.places.folder", "hilum.learn", "hilum.records",
        "httpx", "obstore", "pydicom", "sqlalchemy", "starlette",
    ))  # fmt: skip


def test_lime_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "hilum.learn.lime", None)
    film = ROOT / "samples" / "pneumonia-cxr" / "normal-1.png"
    assert main(["predict", str(film), "--task", "pneumonia-cxr", "--explain", str(tmp_path), "--method", "lime"]) == 2
    assert "hilum[learn]" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ["audit"],
        ["prepare", "--out", "made"],
        ["train", "--task", "pneumonia-cxr"],
        ["compare", "--task", "pneumonia-cxr", "--networks", "residual-s"],
        ["evaluate", "--task", "pneumonia-cxr"],
    ],
    ids=lambda command: command[0],
)
def test_a_source_that_cannot_be_read_is_three_as_the_help_says(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main([command[0], "empty", *command[1:]]) == 3
    assert "holds no images" in capsys.readouterr().err
    codes = parser_of(command[0]).format_help().partition("exit code:")[2]
    assert re.search(r"\b3 the source\b", codes)


def test_an_audit_counts_one_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It said "1 pairs" and "1 pictures"."""
    for number, name in enumerate(("normal", "pneumonia")):
        (tmp_path / name).mkdir()
        shutil.copy(ROOT / "samples" / "pneumonia-cxr" / "normal-1.png", tmp_path / name / f"{number}.png")
    assert main(["audit", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "1 pair; 2 images in 1 group; 0 pairs across splits" in told
    assert "1 picture whose copies bear different labels" in told


@pytest.mark.parametrize(
    ("command", "code"), [(["audit"], 0), (["audit", "--task", "pneumonia-cxr"], 1), (["audit", "--report", "r"], 0)]
)
def test_a_folder_of_others_commands_no_terminal(
    command: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Folders name the classes, and an archive from elsewhere names the folders."""
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for folder, film in (("nor\x1b[2Jmal", "normal"), ("pneumonia", "pneumonia")):
        (tmp_path / "films" / folder).mkdir(parents=True)
        shutil.copy(ROOT / "samples" / "pneumonia-cxr" / f"{film}-1.png", tmp_path / "films" / folder)
    assert main([command[0], "films", *command[1:]]) == code
    said = "".join(capsys.readouterr())
    assert r"nor\x1b[2Jmal" in said
    assert all(line.isprintable() for line in said.splitlines())


def test_an_unknown_task_lists_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "knee"]) == 2
    assert "pneumonia-cxr" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "threads"), [("predict", "1"), ("serve", "1"), ("train", None)])
def test_commands_that_answer_keep_idle_threads_still(
    name: str, threads: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "")  # put back afterwards, whatever the command sets
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    main([name, "--help"])
    assert os.environ.get("OPENBLAS_NUM_THREADS") == threads


@pytest.mark.parametrize(
    "command",
    [
        ("audit",),
        ("evaluate", "--task", "pneumonia-cxr"),
        ("compare", "--task", "pneumonia-cxr", "--networks", "residual"),
    ],
)
def test_a_place_for_the_report_that_is_none_is_said_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    (tmp_path / "taken").write_text("x")
    name, *rest = command
    assert main([name, str(tmp_path / "no such source"), *rest, "--report", str(tmp_path / "taken")]) == 1
    assert "taken: a file lies where a folder must be" in capsys.readouterr().err


def test_nothing_to_answer_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(tmp_path)]) == 0
    assert "No image was found" in capsys.readouterr().out


def test_a_terminal_without_our_letters_gets_every_row() -> None:
    films = [str(ROOT / "samples" / "pneumonia-cxr" / f"{name}-1.png") for name in ("normal", "pneumonia")]
    poor = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-m", "hilum", "predict", *films], env=poor, capture_output=True, check=True)
    assert b"2 answered" in done.stdout


def test_no_program_of_the_folder_that_is_looked_at_is_run(tmp_path: Path) -> None:
    """The workers that answer many files are Pythons of their own, and would import first from where they start."""
    film = ROOT / "samples" / "pneumonia-cxr" / "normal-1.png"
    folder, script = tmp_path / "set", tmp_path / "bin" / "hilum"
    for place in (folder, script.parent):
        place.mkdir()
    for number in range(IN_PROCESS):
        shutil.copy(film, folder / f"{number}.png")
    (folder / "signal.py").write_text("open('run', 'x')")
    script.write_text("from hilum.interfaces.cli.main import script\nif __name__ == '__main__':\n    script()\n")
    home = {**os.environ, "HILUM_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, str(script), "predict", ".", "--json"], cwd=folder, env=home, capture_output=True, check=False
    )
    assert not (folder / "run").exists(), done.stderr.decode()[-2000:]
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert len(done.stdout.splitlines()) == IN_PROCESS


def test_a_list_of_names_that_are_no_utf8_is_read(tmp_path: Path) -> None:
    """As `find | hilum predict -` has them from old archives, where the terminal speaks UTF-8."""
    odd = os.fsencode(tmp_path) + b"/caf\xe9.png"
    shutil.copy(ROOT / "samples" / "pneumonia-cxr" / "normal-1.png", odd)
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict", "HILUM_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "hilum", "predict", "-", "--json"]
    done = subprocess.run(command, env=strict, input=odd + b"\n", capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert os.fsencode(json.loads(done.stdout)["file"]) == odd


@pytest.mark.parametrize(
    ("words", "closed", "code"),
    [
        (["predict", "FILM", "--json"], "stdout", 0),
        (["predict", "FILM"], "stdout", 0),
        (["predict", "-"], "stdin", 0),
        (["verify"], "stderr", 2),
    ],
)
def test_a_command_works_where_who_started_it_has_closed_a_stream(
    tmp_path: Path, words: list[str], closed: str, code: int
) -> None:
    """As `>&-`, some schedulers and old daemons do."""
    handle = ("stdin", "stdout", "stderr").index(closed)
    closing = (
        f"import os, sys; os.close({handle}); os.execv(sys.executable, [sys.executable, '-m', 'hilum', *sys.argv[1:]])"
    )
    film = str(ROOT / "samples" / "pneumonia-cxr" / "normal-1.png")
    given = [film if word == "FILM" else word for word in words]
    home = {**os.environ, "HILUM_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", closing, *given], env=home, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (code, b"")


def test_a_task_that_nobody_answers_cannot_be_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    assert main(["rollback", "nope", "--why", "no"]) == 2
    assert not (tmp_path / "hilum.db").exists()


STOPPED = """import importlib, os, signal, sys
from hilum.interfaces.cli.main import main
real = importlib.import_module
def imported(*named):
    os.kill(os.getpid(), signal.SIGTERM)
    return real(*named)
importlib.import_module = imported
sys.exit(main(sys.argv[1:]))"""


@pytest.mark.parametrize("command", ["export", "train", "compare", "prepare", "backup", "restore", "erase"])
def test_a_command_that_is_told_to_end_in_its_first_seconds_says_so(command: str) -> None:
    done = subprocess.run([sys.executable, "-c", STOPPED, command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.startswith(f"hilum {command}: stopped")) == (130, True)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="where nothing can be made, even by root, is /proc")
@pytest.mark.parametrize(
    ("home", "said", "code"), [("/proc/here", "cannot be made there", 1), ("/tmp/" + "x" * 300, "longer", 2)]
)
def test_a_home_that_cannot_be_made_is_said(
    home: str, said: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HILUM_HOME", home)
    assert main(["history"]) == code
    told = capsys.readouterr().err
    assert said in told
    assert home in told


def test_a_package_is_shown_without_what_its_card_says_to_catalogues(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "pneumonia-cxr"]) == 0
    shown = capsys.readouterr().out
    assert "# pneumonia-cxr" in shown
    assert "model-index:" not in shown
    assert "\n---\n" not in shown


CHEST = ("--task", "pneumonia-cxr")
ENDING = """import atexit, sys
from hilum.interfaces.cli.main import script
atexit.register(print, "taken apart")
sys.argv = ["hilum", *sys.argv[1:]]
script()"""


@pytest.mark.parametrize(
    ("words", "code", "apart"),
    [(["predict", "FILM", *CHEST], 0, False), (["predict", "FILM", "BROKEN", *CHEST], 3, False), (["tasks"], 0, True)],
)
def test_an_answer_is_complete_though_its_process_ends_at_once(
    tmp_path: Path, words: list[str], code: int, apart: bool
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    names = {"FILM": str(ROOT / "samples" / "pneumonia-cxr" / "normal-1.png"), "BROKEN": str(broken)}
    given = [names.get(word, word) for word in words]
    done = subprocess.run([sys.executable, "-c", ENDING, *given], check=False, capture_output=True, text=True)
    assert done.returncode == code
    assert ("taken apart" in done.stdout) == apart
    assert apart or "Research use only" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_an_answer_that_could_not_be_written_is_no_success() -> None:
    film = str(ROOT / "samples" / "pneumonia-cxr" / "normal-1.png")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", ENDING, "predict", film], check=False, stdout=full, stderr=-1)
    assert done.returncode != 0
    assert b"No space left" in done.stderr or b"no space is left" in done.stderr


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="names of open files are asked of Linux")
def test_the_full_disk_that_takes_no_more_of_what_is_printed_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A print names no file; a disk without room cannot be made here."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tasks, "run", full)
    for room, said in ((0, f"hilum tasks: {tmp_path / 'out.txt'}: no space is left"), (9, "hilum tasks: no space")):
        with (tmp_path / "out.txt").open("w") as output, monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", output)
            patched.setattr(os, "fstatvfs", lambda _, room=room: SimpleNamespace(f_bavail=room))
            assert main(["tasks"]) == 1
        assert said in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["tasks"]], ids=" ".join)
def test_a_full_disk_is_told_in_a_line_whatever_is_printed(words: list[str]) -> None:
    """What is short was written when the interpreter ended, and failed there with a traceback and exit code 120."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-m", "hilum", *words], check=False, stdout=full, stderr=-1, text=True)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "no space is left" in done.stderr


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["predict", ""], "predict: an"),
        (["predict", "FILM", "--model", ""], "--model: an"),
        (["audit", "SET", "--against", ""], "--against: an"),
        (["audit", "SET", "--against="], "--against: an"),
        (["evaluate", "SET", "--task=pneumonia-cxr", "--versus", ""], "--versus: an"),
        (["prepare", "SET", "--out", ""], "--out: an"),
        (["backup", ""], "backup: an"),
        (["users", "key", "list", ""], "users: an"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_variable_of_the_shell_that_is_not_set_is_wrong_use(
    words: list[str], where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was the folder that one stood in, or an option that was never given: an audit against nothing said clean."""
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    samples = ROOT / "samples" / "pneumonia-cxr"
    names = {"FILM": str(samples / "normal-1.png"), "SET": str(samples)}
    assert main([names.get(word, word) for word in words]) == 2
    said = capsys.readouterr()
    assert f"{where} empty word names nothing" in said.err
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_help_for_a_command_is_that_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "audit"]) == main(["audit", "--help"]) == 0
    told = capsys.readouterr().out
    assert told.count("usage: hilum audit") == 2


@pytest.mark.parametrize("beside", [["pneumonia-cxr"], ["--sign", "key.pem"]], ids=" ".join)
def test_what_would_be_left_undone_beside_a_pin_is_wrong_use(
    beside: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The package was pinned, and neither shown nor signed."""
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    assert main(["models", *beside, "--pin", str(ROOT / "models" / "pneumonia-cxr")]) == 2
    assert "--pin DIR stands by itself" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_read_at_most_is_the_same_for_a_data_set_as_for_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An evaluation went by limits of its own: films that are answered here were unreadable there."""
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    for name, side in (("a/small", 20), ("a/large", 40), ("b/small", 24), ("b/large", 44)):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((side, side), 50).save(tmp_path / "set" / f"{name}.png")
    monkeypatch.setenv("HILUM_MAX_PIXELS", "900")
    main(["audit", str(tmp_path / "set"), "--json"])
    left = {Path(one["path"]).stem for one in json.loads(capsys.readouterr().out)["unreadable"]}
    assert left == {"large"}


def test_a_set_of_which_nothing_can_be_read_is_not_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`verdict clean` and a success were told of files that nobody had looked into."""
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    for name in ("a/1.png", "b/2.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True)
        (tmp_path / "set" / name).write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    for words in ([], ["--json"], ["--report", str(tmp_path / "report")]):
        assert main(["audit", str(tmp_path / "set"), *words]) == 3
        said = capsys.readouterr()
        assert ("none of its 2 images can be read" in said.err, said.out) == (True, "")
