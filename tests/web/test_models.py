"""The curves of the Models page are drawn from what the package holds; without them, from the points it holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hilum.evaluate.charts import curves
from hilum.interfaces.web.models import _reliability, _roc
from hilum.interfaces.web.models_shown import by_digest
from hilum.interfaces.web.words import DASH, figure
from hilum.registry.pins import known_packages, release_pins
from tests.evaluate.made import BRAIN, CHEST, made_rows
from tests.flows.recorded import settings_for
from tests.interfaces.http.running import running
from tests.interfaces.versions import another_version, unmeasured_version

FIGURE = {"value": 0.9, "low": 0.8, "high": 0.95}
FIGURES: dict[str, Any] = {"sensitivity": FIGURE, "specificity": FIGURE, "sensitivity_at_specificity_0.90": FIGURE}


class Held:
    """A package as far as the page asks."""

    def __init__(self, metrics: dict[str, Any]) -> None:
        self.metrics = metrics


def test_with_curves() -> None:
    kept = {"metrics": FIGURES, "curves": curves(made_rows(), CHEST)}
    drawn = _roc(FIGURES, Held(kept)).svg()  # type: ignore[arg-type]
    assert "Pneumonia" in drawn
    assert drawn.count("<circle") == 2  # the operating point, and one point with its interval
    assert _reliability(kept).count("<circle") == len(kept["curves"]["reliability"])


def test_without_curves() -> None:
    held = {"metrics": FIGURES}
    assert _reliability(held) == ""
    drawn = _roc(FIGURES, Held(held)).svg()  # type: ignore[arg-type]
    assert drawn.count("<circle") == 2
    assert "Pneumonia" not in drawn


def test_a_figure_that_cannot_be_said() -> None:
    assert figure("ece", {"value": None, "low": None, "high": None}) == "too few"
    assert figure("auroc", {"value": None, "low": None, "high": None}) == DASH


def test_what_a_page_keeps_of_a_package_holds_no_network(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    package = by_digest(settings, known_packages(settings)[0].digest)
    assert package is not None
    assert package.fresh == {}


def test_where_there_is_no_model_none_is_compared(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with running(tmp_path / "home", MODELS=str(tmp_path / "none")) as server:
        page = server.ask("GET", "/app/versions", headers={"Accept": "text/html"})
    assert b"No model is installed" in page.body
    assert b"only one" not in page.body


def test_a_package_without_figures_has_its_page_and_stands_beside_another(tmp_path: Path) -> None:
    unmeasured_version(tmp_path, "7.7.7")
    with running(tmp_path) as server:
        page = server.ask("GET", "/app/models/pneumonia-cxr@7.7.7", headers={"Accept": "text/html"})
        beside = "/app/versions?a=pneumonia-cxr@7.7.7&b=pneumonia-cxr@1.1.0"
        both = server.ask("GET", beside, headers={"Accept": "text/html"})
    assert (page.status, both.status) == (200, 200)
    assert b"It was never measured." in page.body
    assert b"They were measured on different images" not in both.body


def test_of_many_classes_the_page_says_which_curves_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy = replace(BRAIN.labels[BRAIN.negative or 0], title="Healthy", negative=True)
    ill = (replace(healthy, name=f"c{i}", title=f"C{i}", negative=False) for i in range(9))
    task = replace(BRAIN, labels=(healthy, *ill))
    kept = curves(made_rows(task, n=600), task)
    counts = {name: {"n": 60} for name in task.classes}
    with running(tmp_path) as server:
        settings = server.parts.settings
        known = next(one for one in known_packages(settings) if one.name == "brain-tumor-mri")
        package = by_digest(settings, known.digest)
        assert package is not None
        few = server.ask("GET", "/app/models/brain-tumor-mri", headers={"Accept": "text/html"})
        monkeypatch.setitem(package.metrics, "curves", kept)
        monkeypatch.setitem(package.metrics, "per_class", counts)
        many = server.ask("GET", "/app/models/brain-tumor-mri", headers={"Accept": "text/html"})
    assert b"hardest to tell" not in few.body
    assert b"Drawn are the classes that are hardest to tell; 4 more are not." in many.body


def test_two_packages_of_one_name_and_version_are_told_apart(tmp_path: Path) -> None:
    """The list named both alike, and each way led to the first."""
    digest = another_version(tmp_path, "1.1.0", b"\nanother\n")
    shipped = release_pins()["pneumonia-cxr"]
    html = {"Accept": "text/html"}
    with running(tmp_path) as server:
        page = server.ask("GET", f"/app/versions?a={shipped[:12]}&b={digest[:12]}", headers=html).body.decode()
        own = server.ask("GET", f"/app/models/{digest}", headers=html).body.decode()
        every = server.ask("GET", "/app/models", headers=html).body.decode()
    for one in (shipped, digest):
        assert f'<option value="{one[:12]}" selected>pneumonia-cxr@1.1.0 ({one[:12]})</option>' in page
        assert f'<th scope="col" class="num">pneumonia-cxr@1.1.0 ({one[:12]})</th>' in page
    assert '<option value="brain-tumor-mri@' in page
    assert f"/app/versions?a={digest[:12]}&amp;b={shipped[:12]}" in own
    assert f'href="/app/models/{digest[:12]}"' in every
