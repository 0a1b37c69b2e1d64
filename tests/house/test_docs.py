"""What the documentation names is there: pages, headings, pictures; and what is there stands in it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from hilum.access.throttle import ADDRESS
from hilum.interfaces.http.batch import TOGETHER
from hilum.interfaces.http.body import FILES
from hilum.interfaces.http.packed import MEMBERS
from hilum.interfaces.http.security import LARGEST_HEADERS, LONGEST_TARGET
from hilum.interfaces.http.tensors import NUMBERS
from hilum.interfaces.http.wire import HEAD_SECONDS, LEAST_READ
from hilum.jobs.inbox import KEPT_DAYS
from hilum.model.explain import fidelity, occlusion
from hilum.task import GEOMETRIES, LEAST_SIDE, SELECT_BY, Code, Label, OperatingRule, Task
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "samples" / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)  # what stands in it is no link
LINK = re.compile(r"\]\(([^)\s]+)\)")
REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+(\[[a-z]+\])?")


def links(page: Path) -> list[str]:
    """Where a page points to, but for other sites."""
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    return [link for link in LINK.findall(text) if not link.startswith(("https://", "http://", "mailto:"))]


def anchors(page: Path) -> set[str]:
    """The headings of a page as a browser's address names them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def aims(page: Path) -> list[Path]:
    """The files a page points to."""
    return [(page.parent / link.partition("#")[0]).resolve() for link in links(page) if not link.startswith("#")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        aim = (page.parent / path).resolve() if path else page
        if not aim.exists() or (anchor and anchor not in anchors(aim)):
            lost.append(link)
    assert lost == []


def test_every_page_and_picture_is_pointed_to() -> None:
    there = {*ROOT.glob("docs/**/*.md"), *ROOT.glob("docs/images/*")}
    pointed = {aim for page in PAGES for aim in aims(page) if aim != page}
    assert sorted(str(one.relative_to(ROOT)) for one in there - pointed) == []


def test_pages_that_the_program_names_are_there() -> None:
    places = [
        path for room in ("src", "tasks", "recipes", "scripts", "benchmarks") for path in ROOT.glob(f"{room}/**/*")
    ]
    named = {
        (path, page)
        for path in places
        if path.suffix in {".py", ".toml", ".html"}
        for page in re.findall(r"docs/[a-z/-]+\.md", path.read_text(encoding="utf-8"))
    }
    assert [(str(path), page) for path, page in named if not (ROOT / page).is_file()] == []


def test_every_dependency_has_its_reason() -> None:
    said = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*said["project"]["dependencies"], *said["dependency-groups"]["dev"]]
    asked += [one for extra in said["project"]["optional-dependencies"].values() for one in extra]
    names = {found.group().partition("[")[0] for one in asked if (found := REQUIREMENT.match(one))} - {"hilum"}
    rows = (ROOT / "docs/decisions/0002-dependencies.md").read_text(encoding="utf-8").splitlines()
    reasons = {
        found.group().partition("[")[0]
        for row in rows
        if row.startswith("| ")
        for library in row.split("|")[1].split(",")
        if (found := REQUIREMENT.match(library.strip()))
    } - {"library"}
    assert sorted(names - reasons) == []
    assert sorted(reasons - names) == []


def test_every_part_that_can_be_installed_is_told_where_installing_is() -> None:
    said = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    page = (ROOT / "docs/how-to/install.md").read_text(encoding="utf-8")
    parts = [part for part in said["project"]["optional-dependencies"] if part != "examples"]  # of the notebook alone
    assert [part for part in parts if not re.search(rf"[`,\[]{part}[`,\]]", page)] == []


def test_every_network_that_can_be_named_is_described() -> None:
    from hilum.learn.networks import NETWORKS

    page = (ROOT / "docs/how-to/compare-networks.md").read_text(encoding="utf-8")
    assert [name for name in NETWORKS if f"`{name}`" not in page] == []


def test_every_line_of_a_task_file_is_described() -> None:
    page = (ROOT / "docs/reference/task-file.md").read_text(encoding="utf-8")
    lines = {field.name for kind in (Task, Label, OperatingRule, Code) for field in fields(kind)}
    words = {*lines, *SELECT_BY, *GEOMETRIES, str(LEAST_SIDE)}
    assert sorted(word for word in words if not re.search(rf"[`\[ ]{word}[`\] ]", page)) == []


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("explanation/security.md", f"within {HEAD_SECONDS:.0f} seconds"),
        ("explanation/security.md", f"headers of {LARGEST_HEADERS // 1024} kB"),
        ("explanation/security.md", f"path and query of {LONGEST_TARGET // 1024} kB"),
        ("explanation/security.md", f"less than {LEAST_READ // 1024} kB a second of an answer"),
        ("explanation/security.md", f"after {ADDRESS.free} tries by address alone"),
        ("how-to/call-the-api.md", f"More than {TOGETHER} files"),
        ("how-to/call-the-api.md", f"A form holds at most {FILES} files"),
        ("how-to/call-the-api.md", f"A zip holds at most {MEMBERS:,} files"),
        ("how-to/call-the-api.md", f"for {KEPT_DAYS} days from when it was sent"),
        ("how-to/use-the-web-application.md", f"A batch is listed for {KEPT_DAYS} days"),
        ("how-to/call-the-api.md", f"as JSON at most {NUMBERS:,} numbers"),
    ],
)
def test_limits_are_told_as_they_are(page: str, told: str) -> None:
    assert told in (ROOT / "docs" / page).read_text(encoding="utf-8")


def test_an_explanation_takes_as_many_passes_as_told() -> None:
    asked: list[int] = []

    def predict(pixels: np.ndarray) -> np.ndarray:
        asked.append(len(pixels))
        return np.zeros((len(pixels), 2))

    pixels = np.zeros((1, 192, 192), np.uint8)  # as the shipped packages see
    occlusion(predict, pixels, 0)
    covered = sum(asked)
    fidelity(predict, pixels, np.zeros((192, 192)), 0)
    page = (ROOT / "docs" / "how-to" / "explain-an-answer.md").read_text(encoding="utf-8")
    assert f"| nothing | {covered} more |" in page
    assert f"{sum(asked) - covered} passes more" in page
