"""What ships to browsers: pinned libraries with their licences, addresses that follow content, one set of tokens."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hilum.interfaces.web import static_files
from hilum.interfaces.web.page import FOLDER as TEMPLATES
from hilum.interfaces.web.page import environment
from tests.conftest import ROOT
from tests.interfaces.http.running import Running, running

TOKEN = re.compile(r"(--[a-z0-9-]+): ([^;]+);")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home")) as server:
        yield server


def test_the_libraries_are_the_pinned_ones() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/vendor_web.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    names = {path.name for path in (static_files.FOLDER / "vendor").iterdir()}
    assert {name.split(".")[0] for name in names if name.endswith(".js")} == {
        name.split(".")[0] for name in names if name.endswith("LICENSE.txt")
    }


def test_an_address_follows_the_content_and_is_kept_for_ever(server: Running) -> None:
    answer = server.ask("GET", static_files.address("app.css"), headers={"Accept-Encoding": "identity"})
    assert answer.body == (static_files.FOLDER / "app.css").read_bytes()
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/css")
    small = server.ask("GET", static_files.address("app.css"), headers={"Accept-Encoding": "gzip"})
    assert small.headers["content-encoding"] == "gzip"
    assert len(small.body) < len(answer.body) / 2
    old = server.ask("GET", "/static/000000000000/app.css")
    assert (old.status, old.headers["cache-control"]) == (200, "no-cache")


@pytest.mark.parametrize("name", ["../page.py", "%2e%2e/page.py", "nothing.js", "vendor"])
def test_nothing_else_is_served(server: Running, name: str) -> None:
    assert server.ask("GET", f"/static/{static_files.version()}/{name}").status == 404


@pytest.mark.parametrize("name", sorted(path.name for path in TEMPLATES.glob("*.html")))
def test_no_template_breaks_the_policy(name: str) -> None:
    environment().get_template(name)
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:|hx-on", text)
    assert all("src=" in script for script in re.findall(r"<script[^>]*>", text))
    assert not re.search(r'(src|href|action)="(https?:)?//', text)


def test_pages_and_reports_have_the_same_colours() -> None:
    def tokens(text: str) -> dict[str, str]:
        return dict(TOKEN.findall(text))

    report = (ROOT / "src/hilum/data/pages/style.css").read_text()
    light, dark = report.split("prefers-color-scheme: dark", 1)
    app = tokens((static_files.FOLDER / "app.css").read_text().split("/* ground", 1)[0])
    bright, dim = tokens(light), tokens(dark)
    shared = [name for name in dim if name in app]
    assert len(shared) >= 17
    assert {name: app[name] for name in shared} == {name: f"light-dark({bright[name]}, {dim[name]})" for name in shared}
