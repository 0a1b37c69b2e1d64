"""The packages that speak -> what a page offers to be asked: questions, operating points, and what may be kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hilum.interfaces.web.models_shown import opened, speaking
from hilum.model.calibration import OperatingPoint
from hilum.model.package import Package
from hilum.parts import Parts


def offered(parts: Parts) -> dict[str, Any]:
    """The values of `question.html`."""
    settings = parts.settings
    packages = [p for one in speaking(settings, parts.crew.chosen) if (p := opened(settings, one)) is not None]
    asked = [
        {
            "name": p.task.name,
            "title": p.task.title,
            "offered": _points(p),
            "titles": {label.name: label.title for label in p.task.labels},
        }
        for p in packages
    ]
    return {
        "tasks": asked,
        "offered_auto": _common_points(asked),
        "keep": settings.keep_images,
        "retention": settings.retention_days,
        "upload": settings.upload_bytes,
    }


def _points(package: Package) -> list[tuple[str, str]]:
    points = package.calibration.points
    return [(name, f"{name} ({note})" if (note := _note(points, name)) else name) for name in points]


def _note(points: Mapping[str, OperatingPoint], name: str) -> str:
    """What a point is, beside its name; those that differ by their names alone say so."""
    own = points[name]
    same = [other for other, point in points.items() if point.threshold == own.threshold is not None and other != name]
    twins = f"same threshold as {' and '.join(same)} in this model" if same else ""
    return "; ".join(part for part in (own.note, twins) if part)


def _common_points(asked: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The points that every question has; 'balanced' always is one."""
    shared = [{name for name, _ in one["offered"]} for one in asked]
    names = [name for name, _ in asked[0]["offered"] if all(name in each for each in shared)] if asked else ["balanced"]
    return [(name, name) for name in names]
