"""The Read page: drop, paste or take a sample, and the part of a page that says one answer."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
from fastapi import APIRouter, Request
from starlette.responses import Response

from hilum.errors import NotFound
from hilum.interfaces.http.asked import parts_of
from hilum.interfaces.http.recorded import found
from hilum.interfaces.web.answers import answer_shown
from hilum.interfaces.web.page import move, must, show
from hilum.interfaces.web.questions import offered
from hilum.settings import shipped_samples
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
    return show(request, "read.html", {"samples": _samples(), **offered(parts_of(request))})


@router.get("/answer/{name}")
def answer(request: Request, name: str) -> Response:
    """The part of a page that says one recorded answer."""
    must(request, "read")
    parts = parts_of(request)
    return show(request, "answer.html", {"answer": answer_shown(found(parts, name), parts)})


@router.get("/speaking")
def models_at_the_foot(request: Request) -> Response:
    """The part of every page that names the models that answer."""
    must(request, "predict")
    return show(request, "speaking.html")


@router.get("/thumb/{task}/{name}")
def thumb(request: Request, task: str, name: str) -> Response:
    """One synthetic image, small."""
    must(request, "predict")
    return Response(_thumb(_sample(task, name)), media_type="image/jpeg", headers={"Cache-Control": "max-age=86400"})


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
