"""Who speaks for a task, and how it came to be: promote a package without a request lost, look at the history."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Body, Request
from pydantic import Field
from starlette.responses import Response

from hilum.flows.promotion import Decision, promote, roll_back
from hilum.interfaces.http import shapes
from hilum.interfaces.http.asked import caller_of, parts_of
from hilum.interfaces.http.body import Strict
from hilum.interfaces.http.names import KNOWN_NAMES
from hilum.interfaces.http.problems import answer
from hilum.registry.history import chosen, history
from hilum.registry.pins import named_package

router = APIRouter(tags=["catalogue"])


class Reason(Strict):
    """Why a package is to speak."""

    why: str = Field("", max_length=2000)


@router.post(
    "/models/{reference}/promote",
    response_model=shapes.Event,
    status_code=201,
    summary="Let a package speak for its task",
    dependencies=[KNOWN_NAMES],
)
def promoted(request: Request, reference: str, reason: Annotated[Reason | None, Body()] = None) -> Response:
    """It is opened, checked and warmed first; requests on their way are answered by the one that spoke before."""
    parts = parts_of(request)
    decision = Decision(caller_of(request.scope), reason.why if reason else "")
    folder = named_package(reference, parts.settings, chosen(parts.records))  # a path is no reference here
    event = promote(str(folder), parts.records, parts.settings, decision)
    parts.switch()
    return answer(asdict(event), 201)


@router.post(
    "/tasks/{name}/rollback",
    response_model=shapes.Event,
    status_code=201,
    summary="Let the package that spoke before speak again",
    dependencies=[KNOWN_NAMES],
)
def rolled_back(request: Request, name: str, reason: Annotated[Reason | None, Body()] = None) -> Response:
    """The last promotion of the task is taken back; again: the one before it, down to the shipped package."""
    parts = parts_of(request)
    decision = Decision(caller_of(request.scope), reason.why if reason else "")
    event = roll_back(name, parts.records, parts.settings, decision)
    parts.switch()
    return answer(asdict(event), 201)


@router.get("/history", response_model=shapes.History, summary="Who spoke when, and why", dependencies=[KNOWN_NAMES])
def changes(request: Request, task: str | None = None) -> Response:
    """Newest first; the shipped packages spoke before the first change."""
    parts = parts_of(request)
    return answer({"history": [asdict(event) for event in history(parts.records, task)]})
