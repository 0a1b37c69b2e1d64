"""The packages that speak -> what a page offers to be asked: questions, operating points, and what may be kept."""

from __future__ import annotations

from typing import Any

from hilum.interfaces.web.models_shown import opened, speaking
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
    return [
        (name, name if not point.note else f"{name} ({point.note})")
        for name, point in package.calibration.points.items()
    ]


def _common_points(asked: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The points that every question has; 'balanced' always is one."""
    shared = [{name for name, _ in one["offered"]} for one in asked]
    names = [name for name, _ in asked[0]["offered"] if all(name in each for each in shared)] if asked else ["balanced"]
    return [(name, name) for name in names]
