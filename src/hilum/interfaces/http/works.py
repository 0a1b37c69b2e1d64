"""Ask for an audit or a training; watch, read and stop any long work, which runs in a process of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Request
from pydantic import Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from hilum.access.deed import Deed
from hilum.errors import MissingExtra, NotFound, UsageError
from hilum.interfaces.http import shapes
from hilum.interfaces.http.asked import caller_of, parts_of
from hilum.interfaces.http.body import Body as Received
from hilum.interfaces.http.body import Strict, Upload, read_body
from hilum.interfaces.http.names import KNOWN_NAMES
from hilum.interfaces.http.orders import ZIP, Order, sender_of, taken, works_of
from hilum.interfaces.http.problems import answer, in_words, told_as
from hilum.jobs.learnt import RUNS
from hilum.jobs.works import REPORT, Step, Work, Works
from hilum.learn.plan import LARGEST_SEED, Plan, override
from hilum.registry.questions import reference_of
from hilum.settings import Settings

router = APIRouter(tags=["data and training"])
_EPOCH = re.compile(r"epoch (\d+)/(\d+), loss ([\d.]+)(?:, tune ([\d.]+))?")
_LINE = re.compile(r"[a-z_]{1,40}")
_NO_FILE = ("auto", "none")  # what `weights` may say instead of a path
ASKED = 'send {"source": …, "task": …} or a zip in the field \'file\''


class Audit(Strict):
    """What to audit: a folder or file below HILUM_DATA_ROOTS."""

    source: str = Field(max_length=1000)
    task: str | None = Field(None, description="read labels and patients by this task's rules")


class Training(Strict):
    """What to train on, for which question, and what of the plan to change; paths lie below HILUM_DATA_ROOTS."""

    source: str = Field(max_length=1000)
    task: str
    network: str | None = Field(None, pattern=r"^[a-z0-9-]{1,40}$")
    changes: dict[str, str | int | float] = Field(default_factory=dict, description="lines of the plan: epochs, …")
    folds: int = Field(0, ge=0, le=10, description="0: one network; from 2 on so many are averaged")
    tune: int = Field(0, ge=0, le=500, description="trials of a search before training")
    seed: int = Field(0, ge=0, le=LARGEST_SEED)


class Zipped(Strict):
    """What is said of a zip to audit; `source` is an empty field of a form."""

    source: str = ""
    task: str | None = None


AUDITED = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": Audit.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "a zip of labelled images"},
                        "task": {"type": "string"},
                    },
                }
            },
        },
    }
}


@router.post(
    "/audits", response_model=shapes.WorkTaken, status_code=202, summary="Audit a data set", openapi_extra=AUDITED
)
async def audits(request: Request) -> Response:
    """JSON `{"source", "task"?}`, or a zip of labelled images as the multipart field `file`; answers with the work.

    Header `Idempotency-Key`: the same key and request get the audit that was taken on, and begin no other.
    """
    parts = parts_of(request)
    needs_auditing()
    headers = dict(request.scope["headers"])
    body = await read_body(request.receive, headers, parts.settings.upload_bytes)
    beside = dict(request.query_params)

    def begun() -> Work:
        return taken(parts, _audited(body, beside, parts.settings), sender_of(request))

    return _told(await run_in_threadpool(begun))


@router.post(
    "/trainings",
    response_model=shapes.WorkTaken,
    status_code=202,
    summary="Train a package",
    dependencies=[KNOWN_NAMES],
)
def trainings(request: Request, said: Annotated[Training, Body()]) -> Response:
    """Audit, split, plan, train, calibrate, seal, measure; it never promotes what it made.

    Header `Idempotency-Key`: the same key and request get the training that was taken on, and begin no other.
    """
    parts = parts_of(request)
    needs_learning()
    if said.folds == 1:
        raise UsageError("folds: 0 for one network, 2 or more for several that answer together")
    source = allowed(said.source, parts.settings)
    lines = [_line(name, value, parts.settings) for name, value in sorted(said.changes.items())]
    network = [f"network={said.network}"] if said.network else []
    folds = [f"folds={said.folds}"] if said.folds else []
    override(Plan(), [*network, *folds, *lines])  # what is mistyped is said now, not when its turn has come
    numbers = [f"--{name}={value}" for name, value in (("folds", said.folds), ("tune", said.tune)) if value]
    task = reference_of(said.task, parts.settings)
    options = [*(f"--{one}" for one in network), *(f"--set={line}" for line in lines), *numbers]
    arguments = (source, f"--task={task}", *options, f"--seed={said.seed}")
    return _told(taken(parts, Order("train", f"{said.task} on {Path(source).name}", arguments), sender_of(request)))


@router.get(
    "/works",
    response_model=shapes.Works,
    summary="Audits, trainings and evaluations, newest first",
    dependencies=[KNOWN_NAMES],
)
def works(request: Request) -> Response:
    """Each with its state and how far it is. A key that may only train sees the trainings of its own user."""
    known = works_of(parts_of(request))
    return answer({"works": [described(known, work) for work in known.all() if may_see(request, work)]})


@router.get("/works/{identity}", response_model=shapes.WorkOne, summary="One audit, training or evaluation")
def work(request: Request, identity: str) -> Response:
    """State, progress, the curve of a training, and the result once there is one."""
    known = works_of(parts_of(request))
    one = _seen(request, identity)
    told = {"curve": curve(known.steps(identity)), "result": known.result(identity), "log": known.said(identity)}
    return answer({**described(known, one), **told})


@router.get(
    "/works/{identity}/report",
    dependencies=[KNOWN_NAMES],
    summary="The page of an audit, training or evaluation",
    response_class=FileResponse,
    responses=told_as("text/html"),
)
def report(request: Request, identity: str, of: Literal["audit", "evaluation"] | None = None) -> Response:
    """HTML in one file. A training has two: `of` says which, its evaluation where nothing is said."""
    parts = parts_of(request)
    known = works_of(parts)
    one = _seen(request, identity)
    return sent(report_page(known, one, parts.settings.home, of or ("audit" if one.kind == "audit" else "evaluation")))


@router.delete("/works/{identity}", response_model=shapes.Work, summary="Stop an audit, training or evaluation")
def stopped(request: Request, identity: str) -> Response:
    """What was stopped can be asked for again; a training then goes on where it was."""
    parts = parts_of(request)
    known = works_of(parts)
    ran, one = not known.get(identity).over, known.stop(identity)
    if ran:
        parts.tell(Deed("work_stopped", caller_of(request.scope), one.id, {"kind": one.kind}))
    return answer(described(known, one))


REPORT_POLICY = (  # its scripts run in an origin of their own: they reach neither the server nor the cookies
    "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; frame-ancestors 'self'"
)


def sent(page: Path | None) -> Response:
    """A report, for a browser that lets it reach nothing.

    Raises:
        NotFound: there is none.
    """
    if page is None:
        raise NotFound("there is no report (yet)")
    return FileResponse(page, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": REPORT_POLICY})


def may_see(request: Request, work: Work) -> bool:
    """Whether the caller may look at all works, or this is a training of its own."""
    caller = request.scope.get("state", {}).get("caller")
    return caller is None or caller.may("data") or (work.kind == "train" and work.caller == caller.id)


def report_page(known: Works, work: Work, home: Path, of: str) -> Path | None:
    """Where the page of an audit, an evaluation, or one of the two of a training lies below `home`; None: nowhere."""
    place = known.folder(work.id) / REPORT / "index.html"
    if work.kind == "train":
        said = known.result(work.id) if work.state == "done" else None
        pages = said.get("reports") if isinstance(said, dict) else None
        place = _in_runs(str(pages.get(of, "")), home) if isinstance(pages, dict) else Path()
    elif {"audit": "audit", "evaluate": "evaluation"}[work.kind] != of:
        return None
    return place if place.is_file() and place.resolve().is_relative_to(home.resolve()) else None


def _in_runs(written: str, home: Path) -> Path:
    """A page of a run by where it was written: the home may have been moved, or restored elsewhere, since."""
    parts = Path(written).parts
    below = next((i for i in reversed(range(len(parts))) if parts[i] == RUNS), len(parts))
    return home.joinpath(*parts[below:])


def can_learn() -> bool:
    """Whether the learning part is installed beside the server."""
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "lightning", "monai"))


def can_audit() -> bool:
    """Whether the part that audits, and measures, is installed beside the server."""
    return importlib.util.find_spec("faiss") is not None


def needs_auditing() -> None:
    """Raises MissingExtra where auditing is not installed."""
    if not can_audit():
        raise MissingExtra("auditing", "data")


def needs_learning() -> None:
    """Raises MissingExtra where training is not installed."""
    if not can_learn():
        raise MissingExtra("training", "learn")


def allowed(source: str, settings: Settings) -> str:
    """A source that a request may name: below HILUM_DATA_ROOTS, links resolved.

    Raises:
        UsageError: it lies elsewhere, or no root is set.
    """
    if not settings.data_roots:
        raise UsageError("no folder may be named here: the operator sets HILUM_DATA_ROOTS")
    path = Path(source)
    candidates = [path] if path.is_absolute() else [root / path for root in settings.data_roots]
    for candidate in candidates:
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # too long, a zero byte, a loop of links
            real = candidate.resolve()
            if real.exists() and any(real.is_relative_to(root.resolve()) for root in settings.data_roots):
                return str(real)
    raise UsageError(f"{source!r} does not lie under a folder of HILUM_DATA_ROOTS, or is not there")


def described(known: Works, one: Work) -> dict[str, Any]:
    """A work as JSON; the command line, and how often it was begun, stay inside."""
    said = asdict(one)
    del said["arguments"], said["starts"]
    steps = known.steps(one.id)
    return {**said, "progress": asdict(steps[-1]) if steps else None}


def curve(steps: tuple[Step, ...]) -> list[dict[str, float | None]]:
    """One point an epoch, in their order: its loss, and its score on the tune part once it is over."""
    points: dict[int, dict[str, float | None]] = {}
    for step in steps:
        found = _EPOCH.search(step.note)
        if found:
            score = float(found[4]) if found[4] else None
            epoch, epochs, loss = int(found[1]), int(found[2]), float(found[3])
            points[epoch] = {"epoch": epoch, "epochs": epochs, "loss": loss, "score": score}
    return [points[epoch] for epoch in sorted(points)]


def _seen(request: Request, identity: str) -> Work:
    work = works_of(parts_of(request)).get(identity)
    if not may_see(request, work):
        raise NotFound(f"no work {identity[:64]!r}")
    return work


def _audited(body: Received, beside: Mapping[str, str], settings: Settings) -> Order:
    """`beside`: what the address says, where the body may not: that of a zip alone."""
    if upload := body.only_file():
        asked = Zipped.model_validate({**beside, **body.fields})
        if asked.source:
            raise UsageError("send a zip or name a 'source', not both")
        return _packed(upload, _task_arguments(asked.task or None, settings))
    try:
        said = Audit.model_validate({**beside, **body.said} if isinstance(body.said, dict) else body.said)
    except ValidationError as error:
        wrong = f": {in_words(error.errors())}" if isinstance(body.said, dict) else ""
        raise UsageError(f"{ASKED}{wrong}") from error
    source = allowed(said.source, settings)
    return Order("audit", Path(source).name, (source, *_task_arguments(said.task, settings), "--report", REPORT))


def _packed(upload: Upload, task: list[str]) -> Order:
    """A zip lies in the work's own folder under a name of ours."""
    if upload.data[:4] != b"PK\x03\x04" or not zipfile.is_zipfile(io.BytesIO(upload.data)):  # its end may be cut off
        raise UsageError("send a zip of labelled images: one folder a class, or images and a CSV")
    return Order("audit", upload.name, (ZIP, *task, "--report", REPORT), {ZIP: upload.data})


def _task_arguments(task: str | None, settings: Settings) -> list[str]:
    return [] if task is None else [f"--task={reference_of(task, settings)}"]


def _line(name: str, value: str | float, settings: Settings) -> str:
    """A line of the plan; weights of a file are a path like any other.

    Raises:
        UsageError: no name of a line, or a file that lies elsewhere.
    """
    if not _LINE.fullmatch(name):
        raise UsageError(f"changes: {name!r} is no line of a plan")
    text = str(value).strip()
    return f"{name}={allowed(text, settings) if name == 'weights' and text not in _NO_FILE else text}"


def _told(work: Work) -> Response:
    said: Mapping[str, Any] = {"id": work.id, "state": work.state, "kind": work.kind}
    return answer(said, 202, {"Location": f"/works/{work.id}"})
