"""The Models pages: every package with its figures, one with its card and curves, two versions beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from hilum.errors import UnknownModel
from hilum.evaluate.drawing import Axis, Chart, Dot, Line
from hilum.interfaces.http.asked import parts_of
from hilum.interfaces.web.charts import SERIES_MOST
from hilum.interfaces.web.measuring import measuring
from hilum.interfaces.web.models_shown import card_of, opened, speaking
from hilum.interfaces.web.page import may, must, show
from hilum.interfaces.web.words import percent
from hilum.model.package import Package
from hilum.registry.history import history
from hilum.registry.pins import Known, known_packages, looked_at

router = APIRouter()
HEADLINES = ("balanced_accuracy", "sensitivity", "specificity", "auroc", "ece")
FIGURES = (
    "accuracy", "balanced_accuracy", "sensitivity", "specificity", "precision", "f1", "auroc", "auprc",
    "detection_auroc", "specificity_at_sensitivity_0.95", "sensitivity_at_specificity_0.95",
    "ppv_at_prevalence_0.01", "ppv_at_prevalence_0.1", "npv_at_prevalence_0.1", "ece", "ece_if_calibrated", "brier",
)  # fmt: skip
KNOWN_POINTS = ("0.90", "0.95")


@dataclass(frozen=True, slots=True)
class Shown:
    """One package on a page; `package` None where it must not be used."""

    known: Known
    package: Package | None
    speaks: bool

    @property
    def metrics(self) -> dict[str, Any]:
        """Its figures by name, {} where it was never measured."""
        return dict((self.package.metrics if self.package else {}).get("metrics", {}))


@router.get("/models")
def models(request: Request) -> Response:
    """Every package, those that answer first."""
    must(request, "read")
    shown = sorted(_all(request), key=lambda one: not one.speaks)
    said = {"models": shown, "headlines": HEADLINES, "damaged": _damaged(request), "called": _told_apart(shown)}
    return show(request, "models.html", said)


@router.get("/versions")
def versions(request: Request, a: str = "", b: str = "") -> Response:
    """Two packages, figure by figure."""
    must(request, "read")
    known = _all(request)
    both = [_one(request, name) for name in (a, b)] if a and b else known[:2]
    said = {"models": known, "both": both, "figures": FIGURES, "called": _told_apart(known)}
    return show(request, "versions.html", said)


@router.get("/models/{reference}")
def model(request: Request, reference: str) -> Response:
    """One package: what it is for, how good it is, where its points lie."""
    must(request, "read")
    one, every = _one(request, reference), _all(request)
    parts, package = parts_of(request), one.package
    events = [event for event in history(parts.records, one.known.task) if event.digest == one.known.digest]
    here = package is not None and parts.works is not None and may(request, "evaluate")
    return show(request, "model.html", {
        "model": one,
        "figures": [name for name in FIGURES if name in one.metrics],
        "card": card_of(package) if package else "",
        "roc": _roc(one.metrics, package).svg() if package and "sensitivity" in one.metrics else "",
        "undrawn": _undrawn(package.metrics) if package else 0,
        "reliability": _reliability(package.metrics) if package else "",
        "events": events,
        "measuring": measuring(parts, one.known.digest) if here else None,
        "others": [other for other in every if other.known.task == one.known.task and other != one],
        "called": _told_apart(every),
    })  # fmt: skip


def _all(request: Request) -> list[Shown]:
    parts = parts_of(request)
    now = () if parts.lacking() else speaking(parts.settings, parts.crew.chosen)
    digests = {one.digest for one in now}
    return [Shown(one, opened(parts.settings, one), one.digest in digests) for one in known_packages(parts.settings)]


def _told_apart(models: Sequence[Shown]) -> dict[str, str]:
    """Digest -> by what a model is asked for: name@version, or the start of its digest where others are called so."""
    digests: dict[str, set[str]] = {}
    for one in models:
        digests.setdefault(one.known.reference, set()).add(one.known.digest)
    return {
        one.known.digest: one.known.reference if len(digests[one.known.reference]) == 1 else one.known.digest[:12]
        for one in models
    }


def _damaged(request: Request) -> list[str]:
    """Packages without a readable manifest; in which folder is told only where everybody is on this machine."""
    parts = parts_of(request)
    found = [str(error) for error in looked_at(parts.settings)[1]]
    return found if parts.access is None else ["A package is damaged; the server's log says which."] * bool(found)


def _one(request: Request, reference: str) -> Shown:
    """By name@version, name (the one that speaks, where one of that name does), or the start of a digest.

    Raises:
        UnknownModel: nothing answers to it.
    """
    found = [
        one for one in _all(request) if reference in (one.known.reference, one.known.name) or _starts(one, reference)
    ]
    if not found:
        raise UnknownModel(f"no model {reference[:80]!r}")
    return max(found, key=lambda one: one.speaks)  # the first of them where none speaks


def _starts(one: Shown, reference: str) -> bool:
    return len(reference) >= 6 and one.known.digest.startswith(reference)


def _curves(metrics: dict[str, Any], name: str) -> Any:
    return metrics.get("curves", {}).get(name)


def _undrawn(metrics: dict[str, Any]) -> int:
    """Classes without a line: of more than can be told apart a package holds those that are hardest to tell."""
    drawn = len(_curves(metrics, "roc") or ())
    measured = sum(part["n"] > 0 for part in metrics.get("per_class", {}).values())
    return max(measured - drawn, 0) if drawn >= SERIES_MOST else 0


def _roc(metrics: dict[str, Any], package: Package) -> Chart:
    """The curve where the package holds it, else the points of it that were measured; a cross of its interval each."""
    lines = [Line("Chance", ((0, 0), (1, 1)), style=0)]
    curves = _curves(package.metrics, "roc") or {}
    lines += [Line(name, [tuple(point) for point in points], i) for i, (name, points) in enumerate(curves.items(), 1)]
    found: dict[str, tuple[float, dict[str, float] | None, bool]] = {}
    for level in KNOWN_POINTS:
        at = float(level)
        found[f"sensitivity at {level} specificity"] = (
            1 - at,
            metrics.get(f"sensitivity_at_specificity_{level}"),
            True,
        )
        found[f"specificity at {level} sensitivity"] = (at, metrics.get(f"specificity_at_sensitivity_{level}"), False)
    dots = []
    for name, (other, figure, upward) in found.items():
        if figure is not None:
            x, y = (other, figure["value"]) if upward else (1 - figure["value"], other)
            ends = [(other, figure[end]) if upward else (1 - figure[end], other) for end in ("low", "high")]
            dots.append(Dot(f"{name}: sensitivity {percent(y)}, false alarms {percent(x)}", x, y, 4.0, 2))
            lines.append(Line("", ends, 2))
    sensitivity, specificity = metrics["sensitivity"]["value"], metrics["specificity"]["value"]
    words = f"Operating point 'balanced': sensitivity {percent(sensitivity)}, false alarms {percent(1 - specificity)}"
    dots.append(Dot(words, 1 - specificity, sensitivity, 6.0, 1))
    title = "ROC: the share of disease found against the share of false alarms"
    return Chart(title, Axis("False alarms (1 - specificity)"), Axis("Sensitivity"), tuple(lines), tuple(dots))


def _reliability(metrics: dict[str, Any]) -> str:
    """The curve where the package holds its points; "" where it does not."""
    found = _curves(metrics, "reliability")
    if not found:
        return ""
    points = [(float(stated), float(right)) for stated, right, *_ in found]
    lines = (Line("Perfectly calibrated", ((0, 0), (1, 1)), style=0), Line("This model", points, 1))
    dots = tuple(Dot(f"stated {percent(x)}, right {percent(y)}", x, y, 4.0, 1) for x, y in points)
    title = "Reliability: the share of right answers against the stated probability"
    return Chart(title, Axis("Stated probability"), Axis("Share right"), lines, dots).svg()
