"""The Read page: drop, paste or take a sample, and the part of a page that says one answer."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import cv2
from fastapi import APIRouter, Request
from starlette.responses import Response

from hilum.errors import NotFound
from hilum.interfaces.http.recorded import found
from hilum.interfaces.web.answers import answer_shown
from hilum.interfaces.web.models_shown import opened, speaking
from hilum.interfaces.web.page import move, must, parts_of, show
from hilum.model.package import Package
from hilum.settings import Settings, shipped_samples
from hilum.task import Task, shipped_tasks

router = APIRouter()
SHOWN = {  # samples on the page, one of each class: few enough to be looked through
    "brain-tumor-mri": ("glioma-1", "meningioma-1", "notumor-1", "pituitary-1"),
    "pneumonia-cxr": ("normal-1", "pneumonia-1"),
}
THUMB = 176  # pixels a side, shown at half that


@router.get("/")
def start(request: Request) -> Response:  # noqa: ARG001 - a route takes its request
    """The application begins at Read."""
    return move("/app/read")


@router.get("/read")
def read(request: Request) -> Response:
    """The page on which images are read."""
    must(request, "predict")
    settings = parts_of(request).settings
    asked = _asked(settings)
    return show(request, "read.html", {
        "samples": _samples(),
        "tasks": asked,
        "offered_auto": _common_points(asked),
        "keep": settings.keep_images,
        "retention": settings.retention_days,
        "upload": settings.upload_bytes,
    })  # fmt: skip


@router.get("/answer/{name}")
def answer(request: Request, name: str) -> Response:
    """The part of a page that says one recorded answer."""
    must(request, "read")
    parts = parts_of(request)
    return show(request, "answer.html", {"answer": answer_shown(found(parts, name), parts)})


@router.get("/thumb/{task}/{name}")
def thumb(request: Request, task: str, name: str) -> Response:
    """One synthetic image, small."""
    must(request, "predict")
    return Response(_thumb(_sample(task, name)), media_type="image/jpeg", headers={"Cache-Control": "max-age=86400"})


def _asked(settings: Settings) -> list[dict[str, Any]]:
    """The questions that can be asked here, with their operating points."""
    packages = [package for one in speaking(settings) if (package := opened(settings, one)) is not None]
    return [{"name": p.task.name, "title": p.task.title, "offered": _points(p)} for p in packages]


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


def _samples() -> list[dict[str, str]]:
    tasks: dict[str, Task] = {task.name: task for task in shipped_tasks()}
    there = [
        (task, stem)
        for task, stems in SHOWN.items()
        for stem in stems
        if (shipped_samples() / task / f"{stem}.png").is_file()
    ]
    return [
        {
            "name": f"{stem}.png",
            "title": next((label.title for label in tasks[task].labels if label.name == stem.split("-")[0]), stem),
            "path": f"/samples/{task}/{stem}.png",
            "thumb": f"/app/thumb/{task}/{stem}.png",
        }
        for task, stem in there
        if task in tasks
    ]


def _sample(task: str, name: str) -> Path:
    there = {(path.parent.name, path.name): path for path in shipped_samples().glob("*/*.png")}
    if (task, name) not in there:
        raise NotFound("no such sample")
    return there[task, name]


@cache
def _thumb(path: Path) -> bytes:
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    height, width = grey.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = cv2.resize(grey[top : top + side, left : left + side], (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", square, [cv2.IMWRITE_JPEG_QUALITY, 72])
    return bytes(encoded.tobytes())
