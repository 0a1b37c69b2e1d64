"""The rules of the house, held by tests: sizes, first lines, arrows, task files; of documentation see test_docs.py."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hilum.task import read_task
from tests.conftest import ROOT

SOURCES = sorted((ROOT / "src").rglob("*.py"))
FUNCTION_LINES = 60
PARAMETERS = 6  # keyword-only ones count too; self and cls do not
HOMES = re.compile(r"/(?:root|home|Users|work)/\w")  # a folder of somebody's machine
THREADS = (
    "flows/answer.py",
    "flows/line.py",
    "flows/retention.py",
    "flows/worker.py",
    "jobs/works.py",
)  # whoever waits for a thread must be told, whatever happened


def test_no_source_file_is_a_house_of_its_own() -> None:
    long = {str(path.relative_to(ROOT)): n for path in SOURCES if (n := len(path.read_text().splitlines())) > 400}
    assert long == {}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_every_file_opens_with_one_sentence(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text()))
    assert said
    assert len(said.split("\n\n", maxsplit=1)[0]) > 20


def functions() -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    return [
        (f"{path.relative_to(ROOT / 'src')}:{node.name}", node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_functions_stay_small() -> None:
    long = {name: n for name, node in functions() if (n := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES}
    assert long == {}


def test_functions_take_few_parameters() -> None:
    def counted(given: ast.arguments) -> int:
        names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        return len(names) - (names[:1] in (["self"], ["cls"]))

    many = {name: n for name, node in functions() if (n := counted(node.args)) > PARAMETERS}
    assert many == {}


def test_no_broad_except_outside_the_doors() -> None:
    assert [name for name in THREADS if not (ROOT / "src" / "hilum" / name).is_file()] == []
    broad = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        if "interfaces" not in path.parts and not str(path).endswith(THREADS)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")))
    ]
    assert broad == []


@pytest.mark.parametrize("path", sorted((ROOT / "tasks").glob("*.toml")), ids=lambda path: path.stem)
def test_every_task_file_is_a_task_of_that_name(path: Path) -> None:
    assert read_task(path).name == path.stem


def test_the_serving_part_never_imports_the_learning_part() -> None:
    code = (
        "import sys, hilum.interfaces.cli.predict, hilum.bootstrap\n"
        "heavy = {'torch','lightning','monai','sklearn','scipy','matplotlib','faiss','pandas','pydicom','mlflow'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_nothing_names_a_machine_or_a_pickle() -> None:
    for path in SOURCES:
        text = path.read_text()
        assert "allow_pickle=True" not in text, path
        assert not HOMES.search(text), path


def test_no_key_and_no_package_lies_beside_the_shipped_ones() -> None:
    """What somebody tried in the working tree must not come along with a commit."""
    git = shutil.which("git")
    asked = [git, "-c", "safe.directory=*", "ls-files"]
    there = git is not None and (ROOT / ".git").exists()  # not where only a release was unpacked
    kept = (
        subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n") if there else []
    )
    assert [one for one in kept if one.endswith((".pem", ".key"))] == []
    assert [one for one in kept if one.endswith("/manifest.json") and not one.startswith("models/")] == []


def test_every_room_stands_in_the_contracts_of_arrows() -> None:
    """One that does not could import whatever it liked, and `lint-imports` would say nothing."""
    arrows, torch, client = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    placed = {name.strip(" ()") for layer in arrows["layers"] for name in layer.split("|")}
    house = ROOT / "src" / "hilum"
    rooms = {f"hilum.{path.name}" for path in house.iterdir() if (path / "__init__.py").is_file()}
    files = {f"hilum.{path.stem}" for path in house.glob("*.py") if not path.stem.startswith("__")}
    assert sorted((rooms | files) - placed) == ["hilum.client"]
    assert sorted(rooms - {*torch["source_modules"]}) == ["hilum.learn"]
    assert sorted(rooms - {*client["forbidden_modules"]}) == ["hilum.client"]


def test_imports_stand_at_the_top_outside_the_doors() -> None:
    """Two that nothing else brings along wait: whoever answers one image would open them for nothing."""
    inside = {
        (str(path.relative_to(ROOT / "src" / "hilum")), getattr(node, "module", None) or node.names[0].name)
        for path in SOURCES
        if "interfaces" not in path.parts
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert inside == {("model/unfolded.py", "ctypes"), ("settings.py", "difflib")}
