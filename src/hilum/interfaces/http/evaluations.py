"""Labelled images and a model -> how good its answers are, measured in a process of its own and asked for by id."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from hilum.errors import MissingExtra, NotFound, UsageError
from hilum.flows.predict import Options, check_options
from hilum.interfaces.http import shapes
from hilum.interfaces.http.asked import parts_of
from hilum.interfaces.http.body import Strict, Upload, read_body
from hilum.interfaces.http.orders import ZIP, Order, Sender, sender_of, taken, works_of
from hilum.interfaces.http.packed import Packed, is_zip
from hilum.interfaces.http.problems import answer, in_words, told_as
from hilum.interfaces.http.works import allowed, can_audit, report_page, sent
from hilum.jobs.works import REPORT, Work
from hilum.model.calibration import read_prevalence
from hilum.parts import Parts
from hilum.registry.questions import known_task, reference_of

router = APIRouter(tags=["evaluate"])


class Evaluation(Strict):
    """What to measure on; source: a folder or file below HILUM_DATA_ROOTS, or absent where a zip is sent."""

    source: str = Field("", max_length=1000)
    task: str
    model: str | None = Field(None, description="name, name@version or digest; absent: who speaks for the task")
    operating_point: str = "balanced"
    prevalence: str | float | list[float] | None = Field(None, description="one share, or one a class")


BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": Evaluation.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "task"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "a zip of labelled images"},
                        "task": {"type": "string"},
                        "model": {"type": "string"},
                        "operating_point": {"type": "string", "default": "balanced"},
                        "prevalence": {"type": "string"},
                    },
                }
            },
        },
    }
}


@router.post(
    "/evaluate",
    response_model=shapes.Evaluation,
    status_code=202,
    summary="Measure a model on labelled images",
    openapi_extra=BODY,
)
async def evaluate(request: Request) -> Response:
    """A zip (one folder a class, or images and a CSV) or a folder the operator allows; 202 with where to look.

    Header `Idempotency-Key`: the same key and request get the evaluation that was taken on, and begin no other.
    """
    parts = parts_of(request)
    headers = dict(request.scope["headers"])
    body = await read_body(request.receive, headers, parts.settings.upload_bytes)
    said = _said({**dict(request.query_params), **(body.fields if body.files else _object(body.said))})
    upload = body.only_file()
    work = await run_in_threadpool(_begin, parts, said, upload, sender_of(request))
    told = described(parts, work)
    return answer(told, 202, {"Location": f"/evaluations/{work.id}"})


@router.get(
    "/evaluations/{identity}", response_model=shapes.Evaluation, summary="How far an evaluation is, and what came out"
)
def evaluation(request: Request, identity: str) -> Response:
    """Once `state` is done, `evaluation` is the evaluation object, and `report` where its page is."""
    return answer(described(parts_of(request), _found(request, identity)))


@router.get(
    "/evaluations/{identity}/report",
    summary="The page of an evaluation",
    response_class=FileResponse,
    responses=told_as("text/html"),
)
def report(request: Request, identity: str) -> Response:
    """HTML in one file: curves, errors with their heatmaps, where the threshold falls; what `hilum evaluate` writes."""
    parts = parts_of(request)
    page = report_page(works_of(parts), _found(request, identity), parts.settings.home, "evaluation")
    return sent(page)


def _found(request: Request, identity: str) -> Work:
    work = works_of(parts_of(request)).get(identity)
    if work.kind != "evaluate":
        raise NotFound(f"no evaluation {identity[:64]!r}")
    return work


def can_measure() -> bool:
    """Whether the part that measures, which is the one that audits, is installed beside the server."""
    return can_audit()


def described(parts: Parts, work: Work) -> dict[str, Any]:
    """An evaluation as JSON; where it failed, `error` is the last line of what the process wrote."""
    known = works_of(parts)
    steps = known.steps(work.id)
    told: dict[str, Any] = {"id": work.id, "state": work.state, "title": work.title}
    if steps:
        told["progress"] = {"stage": steps[-1].stage, "done": steps[-1].done, "total": steps[-1].total}
    told["evaluation"] = known.result(work.id) if work.state == "done" else None
    written = work.state == "done" and report_page(known, work, parts.settings.home, "evaluation") is not None
    told["report"] = f"/evaluations/{work.id}/report" if written else None
    if work.state == "failed":
        lines = [line for line in known.said(work.id).splitlines() if line.strip()]
        told["error"] = lines[-1] if lines else f"it ended with code {work.code}"
    return told


def _begin(parts: Parts, said: Evaluation, upload: Upload | None, sender: Sender) -> Work:
    """Check everything that can be checked at the door, then put the work in the line.

    Raises:
        MissingExtra: measuring is not installed. UsageError, UnknownTask, UnknownModel: what was said does not fit.
        Problem: the key is too long (400). KeyReused: it was used for something else.
    """
    if not can_measure():
        raise MissingExtra("measuring on labelled images", "data")
    task = known_task(said.task, parts.settings).name
    desk = parts.desks.desk(task, said.model)
    shares = _shares(said)
    check_options(Options(said.operating_point, read_prevalence(shares)), desk)
    package = desk.speakers[0].package
    if package.task.name != task:
        raise UsageError(f"{package.name} answers {package.task.name}, not {task}")
    asked = reference_of(task, parts.settings, package.digest)
    arguments = [f"--task={asked}", f"--model={package.digest}", f"--operating-point={said.operating_point}"]
    arguments += [] if shares is None else [f"--prevalence={shares}"]
    arguments += [f"--report={REPORT}"]
    if upload is not None and said.source:
        raise UsageError("send a zip or name a 'source', not both")
    if upload is None:
        if not said.source:
            raise UsageError("name a 'source', or send a zip in the field 'file'")
        source = allowed(said.source, parts.settings)
        order = Order("evaluate", Path(source).name, (source, *arguments), named=said.model is not None)
        return taken(parts, order, sender)
    if not is_zip(upload.data):
        raise UsageError("send a zip of labelled images: one folder a class, or images and a CSV")
    Packed(upload.data, parts.settings.max_bytes)
    files = {ZIP: upload.data}
    return taken(parts, Order("evaluate", upload.name, (ZIP, *arguments), files, said.model is not None), sender)


def _shares(said: Evaluation) -> str | None:
    """The prevalence as a command is told it."""
    shares = said.prevalence
    return None if shares is None else ",".join(map(str, shares)) if isinstance(shares, list) else str(shares)


def _said(given: Mapping[str, Any]) -> Evaluation:
    try:
        return Evaluation.model_validate(given)
    except ValidationError as error:
        raise UsageError(in_words(error.errors())) from error


def _object(said: Any) -> Mapping[str, Any]:
    if not isinstance(said, dict):
        raise UsageError('send {"source": …, "task": …}, or a zip in the field \'file\'')
    return said
