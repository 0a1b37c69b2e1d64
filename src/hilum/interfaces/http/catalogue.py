"""What can be asked, and who answers: tasks, models with their figures, samples, the welcome."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, RedirectResponse, Response

from hilum import __version__
from hilum.errors import NotFound
from hilum.interfaces.http import shapes
from hilum.interfaces.http.asked import parts_of
from hilum.interfaces.http.names import KNOWN_NAMES
from hilum.interfaces.http.problems import answer, told_as
from hilum.model.package import CARD, Package, open_package
from hilum.parts import Parts
from hilum.registry.pins import known_packages, named_package, trust
from hilum.registry.questions import known_task, known_tasks, speaking_for
from hilum.settings import Settings, shipped_samples
from hilum.task import Task

router = APIRouter(tags=["catalogue"])


@router.get("/", response_model=shapes.Welcome, summary="Welcome: what there is, and where")
def root(request: Request) -> Response:
    """JSON for programs; a browser is sent to the application."""
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/app/read", 303)
    return answer(welcome(parts_of(request).settings))


@router.get(
    "/tasks",
    response_model=shapes.Tasks,
    summary="The clinical questions that can be answered",
    dependencies=[KNOWN_NAMES],
)
def tasks(request: Request) -> Response:
    """Each with its classes, operating points, intended use and the model that speaks for it."""
    settings = parts_of(request).settings
    speaking = speaking_for(parts_of(request).crew.chosen, settings)
    references = {known.digest: known.reference for known in known_packages(settings)}
    told = [{**_task(task), "model": references.get(speaking.get(task.name, ""))} for task in known_tasks(settings)]
    return tagged(request, {"tasks": told})


@router.get("/tasks/{name}", response_model=shapes.Task, summary="One clinical question")
def task(request: Request, name: str) -> Response:
    """404 where there is no such task."""
    return answer(_task(known_task(name, parts_of(request).settings)))


@router.get(
    "/models", response_model=shapes.Models, summary="The packages that are installed", dependencies=[KNOWN_NAMES]
)
def models(request: Request) -> Response:
    """Each with its task, digest, where it came from and whether it is the one that answers."""
    settings = parts_of(request).settings
    known = known_packages(settings)
    speaking = set(speaking_for(parts_of(request).crew.chosen, settings).values())
    told = [
        {
            "name": one.name,
            "version": one.version,
            "digest": one.digest,
            "task": one.task,
            "origin": one.origin,
            "champion": one.digest in speaking,
            "metrics": _metrics(one.folder),
        }
        for one in known
    ]
    return tagged(request, {"models": told})


@router.get("/models/{reference}", response_model=shapes.Package, summary="One package: figures, calibration, card")
def model(request: Request, reference: str) -> Response:
    """`reference`: name, name@version, name@champion, or the start of a digest; never a path."""
    return tagged(request, described(_opened(parts_of(request), reference)))


@router.get(
    "/models/{reference}/card",
    summary="The model card, Markdown",
    response_class=Response,
    responses=told_as("text/markdown"),
)
def card(request: Request, reference: str) -> Response:
    """As it was sealed."""
    card = _opened(parts_of(request), reference).read(CARD)
    return Response(card, media_type="text/markdown; charset=utf-8")


@router.get("/samples", response_model=shapes.Samples, summary="Synthetic images to try the server with")
def samples() -> Response:
    """They show no real patient."""
    names = sorted(_samples())
    return answer({"samples": [{"name": name, "url": f"/samples/{name}"} for name in names]})


@router.get(
    "/samples/{task}/{name}", summary="One synthetic image", response_class=FileResponse, responses=told_as("image/png")
)
def sample(task: str, name: str) -> Response:
    """A PNG."""
    path = _samples().get(f"{task}/{name}")
    if path is None:
        raise NotFound(f"no sample {task}/{name}")
    return FileResponse(path, media_type="image/png")


def welcome(settings: Settings) -> dict[str, Any]:
    """What a program sees at the root."""
    return {
        "name": "Hilum",
        "version": __version__,
        "notice": "Research software, not a medical device.",
        "models": [one.reference for one in known_packages(settings)],
        "links": {
            name: f"/{name}"
            for name in ("predict", "predictions", "feedback", "models", "tasks", "samples", "docs", "v2", "metrics")
        },
    }


def described(package: Package) -> dict[str, Any]:
    """A package as JSON."""
    return {
        "name": package.name,
        "version": package.version,
        "digest": package.digest,
        "task": _task(package.task),
        "calibration": package.calibration.to_json(),
        "plan": package.plan,
        "metrics": package.metrics,
    }


def tagged(request: Request, value: object) -> Response:
    """JSON with an ETag; 304 where the caller has it already."""
    etag = f'"{hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    asked = request.headers.get("if-none-match", "")
    if etag in asked or asked.strip() == "*":  # any there is (RFC 9110, 13.1.2)
        return Response(status_code=304, headers=headers)  # with what 200 would say (RFC 9110, 15.4.5): it is kept
    return answer(value, headers=headers)


def _task(task: Task) -> dict[str, Any]:
    return {
        "name": task.name,
        "title": task.title,
        "classes": list(task.classes),
        "operating_points": [point.name for point in task.operating_points],
        "intended_use": task.intended_use,
        "auto_priority": task.auto_priority,
    }


def _metrics(folder: Path) -> dict[str, Any]:
    """The headline figures of a package, for lists; the full ones are behind its own address."""
    try:
        said = json.loads((folder / "metrics.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return {"n": said.get("n"), "metrics": said.get("metrics", {}), "baseline": said.get("baseline", {})}


def _opened(parts: Parts, reference: str) -> Package:
    return open_package(named_package(reference, parts.settings, parts.crew.chosen), trust(parts.settings))


def _samples() -> dict[str, Path]:
    folder = shipped_samples()
    return {path.relative_to(folder).as_posix(): path for path in folder.glob("*/*.png")}
