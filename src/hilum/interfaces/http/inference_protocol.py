"""The Open Inference Protocol v2: models by name and version; images or pixels in, recorded answers out as tensors.

With Triton's extensions for classification, binary tensor data and the repository index. An encoded image takes the
whole predict flow; pixels of the declared size take everything but the tags' gate and the preparation.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hilum import __version__
from hilum.errors import Full, HilumError, UnknownModel
from hilum.flows.answer import Ask, Reply
from hilum.flows.predict import Desk, Options, check_options
from hilum.interfaces.http import shapes_v2 as shapes
from hilum.interfaces.http.again import again_of
from hilum.interfaces.http.asked import caller_of, parts_of, unpacked
from hilum.interfaces.http.body import read_bytes
from hilum.interfaces.http.names import check_near
from hilum.interfaces.http.predict import fields_of, keeps, replies_of
from hilum.interfaces.http.problems import ANY_ERROR, Problem, answer, from_error, told_as
from hilum.interfaces.http.tensors import (
    HEADER_LENGTH,
    ROWS,
    Asked,
    Output,
    Tensor,
    Values,
    Wanted,
    plain_body,
    read_request,
    write_answer,
)
from hilum.model.calibration import read_prevalence
from hilum.model.overlay import grey_png
from hilum.model.package import Package
from hilum.parts import Parts
from hilum.registry.pins import Known, known_packages

router = APIRouter(prefix="/v2", tags=["open inference protocol"])
EXTENSIONS = ("classification", "binary_tensor_data", "model_repository")
PLATFORM = "onnx_onnxv1"
OUTPUTS = {"probabilities": "FP32", "class": "BYTES", "admitted": "BOOL", "reasons": "BYTES"}
LABELS = ("champion", "latest")  # in the place of a version
PARAMETERS = ("operating_point", "prevalence", "keep")  # of a request; others are for other servers
ALL = tuple(Wanted(name) for name in OUTPUTS)
MODEL, VERSION = "/models/{name}", "/models/{name}/versions/{version}"


@router.get("", response_model=shapes.Server, summary="The server and what it can do")
async def server() -> Response:
    """Name, version, extensions."""
    return answer({"name": "hilum", "version": __version__, "extensions": list(EXTENSIONS)})


@router.get("/health/live", response_model=shapes.Live, summary="The process answers")
async def live() -> Response:
    """200 as long as it answers at all."""
    return answer({"live": True})


@router.get(
    "/health/ready",
    response_model=shapes.Ready,
    summary="Requests would be answered now",
    responses={503: {"description": "they would not", "model": shapes.Ready}},
)
def ready(request: Request) -> Response:
    """503 while it would not; `live` repeats `ready`, because the protocol's text names it so."""
    good = not parts_of(request).lacking()
    return answer({"live": good, "ready": good}, 200 if good else 503)


@router.get(MODEL, response_model=shapes.ModelMetadata, summary="A model's tensors")
@router.get(VERSION, include_in_schema=False)
def metadata(request: Request, name: str, version: str = "") -> Response:
    """Inputs and outputs; exactly one of the inputs is to be sent."""
    parts = parts_of(request)
    package = _package(_desk(parts, name, version))
    size, classes = package.preparation.size, package.task.classes
    rows = {"probabilities": [-1, len(classes)]}
    return answer({
        "name": name,
        "versions": [known.version for known in known_packages(parts.settings) if known.name == name],
        "platform": PLATFORM,
        "inputs": [
            {"name": "image", "datatype": "BYTES", "shape": [-1]},
            {"name": "pixels", "datatype": "UINT8", "shape": [-1, 1, size, size]},
        ],
        "outputs": [{"name": one, "datatype": kind, "shape": rows.get(one, [-1])} for one, kind in OUTPUTS.items()],
        "parameters": {
            "task": package.task.name,
            "labels": ",".join(classes),
            "operating_points": ",".join(point.name for point in package.task.operating_points),
            "digest": package.digest,
        },
    })  # fmt: skip


@router.get(f"{MODEL}/ready", response_model=shapes.ModelReady, summary="Whether a model can be asked")
@router.get(f"{VERSION}/ready", include_in_schema=False)
def model_ready(request: Request, name: str, version: str = "") -> Response:
    """404 where there is no such model, 503 where it must not be used."""
    _desk(parts_of(request), name, version)
    return answer({"name": name, "ready": True})


@router.post("/repository/index", response_model=list[shapes.Indexed], summary="The models that can be asked for")
def index(request: Request) -> Response:
    """Every version of every package."""
    known = known_packages(parts_of(request).settings)
    return answer([{"name": k.name, "version": k.version, "state": "READY", "reason": ""} for k in known])


@router.post(
    "/repository/models/{name}/load", response_model=shapes.Nothing, summary="Open a model ahead of its first question"
)
def load(request: Request, name: str) -> Response:
    """Every installed package is loaded when it is first asked; this only does it sooner."""
    _desk(parts_of(request), name, "")
    return answer({})


@router.post(
    "/repository/models/{name}/unload",
    summary="Not offered",
    status_code=409,
    response_class=Response,
    responses={409: ANY_ERROR},
)
def unload(request: Request, name: str) -> Response:
    """409: whatever is installed can be asked; another package is promoted instead."""
    _known(parts_of(request), name, "")
    raise Problem(409, "not_unloaded", "what is installed can be asked: promote another package instead")


INFER = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["inputs"],
                    "properties": {
                        "id": {"type": "string"},
                        "parameters": {"type": "object", "description": "operating_point, prevalence, keep"},
                        "inputs": {"type": "array", "items": {"type": "object"}},
                        "outputs": {"type": "array", "items": {"type": "object"}},
                    },
                }
            },
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post(
    f"{MODEL}/infer",
    response_model=shapes.Inferred,
    summary="Classify images",
    openapi_extra=INFER,
    responses=told_as("application/octet-stream"),
)
@router.post(f"{VERSION}/infer", include_in_schema=False)
async def infer(request: Request, name: str, version: str = "") -> Response:
    """`image` BYTES [N] (base64 in JSON) or `pixels` UINT8 [N, 1, S, S] in; a refusal is a row with `admitted` false.

    Refused rows have NaN probabilities (null in JSON), an empty class and their reasons. The ids of the answers, which
    are on record, stand in `parameters.prediction_ids`, with commas. Header `Idempotency-Key`: the same key and images
    get the recorded answers.
    """
    since, parts = time.perf_counter(), parts_of(request)
    if parts.line.full:
        parts.meters.away("full")
        raise Full("too many requests wait already: try again in a moment")
    asked = await _sent(request, parts.settings.upload_bytes)
    desk = await run_in_threadpool(_desk, parts, name, version)
    asks = await run_in_threadpool(_asks, parts, desk, asked, (caller_of(request.scope), since))
    key, ask = request.headers.get("idempotency-key"), partial(replies_of, parts.line)
    if key is None:
        replies, replayed = await ask(asks), False
    else:
        replies, replayed = await again_of(request.app).answer(asks, key.encode("latin-1"), ask, version)
    if not any(isinstance(reply, Reply) for reply in replies):
        return from_error(next(reply for reply in replies if isinstance(reply, HilumError)))
    answered = _answered(asked, _package(desk), replies)
    if replayed:
        answered.headers["Idempotent-Replayed"] = "true"
    return answered


async def _sent(request: Request, most: int) -> Asked:
    """What was asked; the body itself is let go."""
    data = await read_bytes(request.receive, dict(request.scope["headers"]), most)
    encoding, held = request.headers.get("content-encoding", ""), partial(unpacked, request.scope)
    plain = await run_in_threadpool(plain_body, data, encoding, most, held)
    return await run_in_threadpool(read_request, plain, request.headers.get(HEADER_LENGTH))


def _asks(parts: Parts, desk: Desk, asked: Asked, sender: tuple[str, float]) -> list[Ask]:
    """One question an image; raises Problem or UsageError where the tensors or parameters do not fit."""
    if len(asked.inputs) != 1 or not asked.inputs.keys() <= {"image", "pixels"}:
        raise Problem(400, "bad_request", "send one input: 'image' (BYTES) or 'pixels' (UINT8)")
    (tensor,) = asked.inputs.values()
    check_near(asked.parameters, PARAMETERS)
    package, said = _package(desk), fields_of(asked.parameters)
    options = Options(
        said.get("operating_point") or "balanced",
        read_prevalence(said.get("prevalence") or None),
        prepared=tensor.name == "pixels",
    )
    check_options(options, desk)
    _check_outputs(asked.outputs)
    keep = keeps(parts.settings.keep_images, said.get("keep"))
    files = _pixels(tensor, package.preparation.size) if options.prepared else _images(tensor)
    named, (caller, since) = f"v2 {tensor.name}", sender
    return [
        Ask(data, f"{tensor.name} {i}", desk, named, options, caller, keep, None, since) for i, data in enumerate(files)
    ]


def _images(tensor: Tensor) -> list[bytes]:
    if tensor.datatype != "BYTES" or tensor.shape[1:] not in ((), (1,)):
        raise Problem(400, "bad_request", "'image' must be BYTES of shape [N] or [N, 1]")
    if len(tensor.data) > ROWS:
        raise Problem(413, "too_many_files", f"more than {ROWS} images in one request")
    try:
        return [one if isinstance(one, bytes) else base64.b64decode(str(one), validate=True) for one in tensor.data]
    except (binascii.Error, ValueError) as error:
        raise Problem(400, "bad_request", f"'image' in JSON must be base64: {error}") from error


def _pixels(tensor: Tensor, size: int) -> list[bytes]:
    """Each plane as PNG: lossless, and fit to be kept and looked at."""
    if tensor.datatype != "UINT8" or not isinstance(tensor.data, np.ndarray) or tensor.shape[1:] != (1, size, size):
        raise Problem(400, "bad_request", f"'pixels' must be UINT8 of shape [N, 1, {size}, {size}]")
    if tensor.shape[0] > ROWS:
        raise Problem(413, "too_many_files", f"more than {ROWS} images in one request")
    return [grey_png(plane.astype(np.float32) / np.float32(255)) for plane in tensor.data.reshape(-1, size, size)]


def _check_outputs(wanted: Sequence[Wanted] | None) -> None:
    for one in wanted or ():
        if one.name not in OUTPUTS and one.name != "*":
            raise Problem(400, "bad_request", f"no output {one.name[:40]!r}; there are: {', '.join(OUTPUTS)}")
        if one.classification and one.name != "probabilities":
            raise Problem(400, "bad_request", "classification is for the output 'probabilities'")


def _answered(asked: Asked, package: Package, replies: Sequence[Reply | HilumError]) -> Response:
    """The tensors; a file of several frames has a row each, and a file that cannot be read is a refused row."""
    rows: list[dict[str, Any]] = []
    for reply in replies:
        if isinstance(reply, Reply):
            rows.extend(json.loads(body) for body in reply.bodies)
        else:
            rows.append({"id": "", "prediction": None, "probabilities": {}, "gate": {"reasons": [reply.code]}})
    spoke = next((row["model"] for row in rows if row.get("model")), None)  # on record: perhaps another version
    digest, version = (spoke["digest"], spoke["version"]) if spoke else (package.digest, package.version)
    head = {
        "model_name": package.name,
        "model_version": version,
        **({} if asked.id is None else {"id": asked.id}),
        "parameters": {
            "prediction_ids": ",".join(row["id"] for row in rows),
            "digest": digest,
            "operating_point": str(asked.parameters.get("operating_point") or "balanced"),
        },
    }
    wanted = asked.outputs or ALL
    if wanted[0].name == "*":
        wanted = tuple(Wanted(name, binary=True) for name in OUTPUTS)
    body, headers = write_answer(head, [_output(one, rows, package.task.classes) for one in wanted])
    return Response(body, headers={**headers, "Cache-Control": "no-store"})


def _output(wanted: Wanted, rows: Sequence[dict[str, Any]], classes: Sequence[str]) -> Output:
    n = len(rows)
    kind = OUTPUTS[wanted.name]
    values: Values
    if wanted.name == "probabilities":
        table = [[float(row["probabilities"].get(name, math.nan)) for name in classes] for row in rows]
        if wanted.classification:
            best = min(wanted.classification, len(classes))
            words = [word for row in table for word in _best(row, classes, best)]
            return Output(wanted.name, "BYTES", (n, best), words, wanted.binary)
        return Output(wanted.name, kind, (n, len(classes)), [v for row in table for v in row], wanted.binary)
    if wanted.name == "class":
        values = [(row["prediction"] or {}).get("class", "") for row in rows]
    elif wanted.name == "admitted":
        values = [row["prediction"] is not None for row in rows]
    else:
        values = [",".join(row["gate"]["reasons"]) for row in rows]
    return Output(wanted.name, kind, (n,), values, wanted.binary)


def _best(row: Sequence[float], classes: Sequence[str], best: int) -> list[str]:
    """Triton's classification strings, value:index:label, most probable first."""
    order = sorted(range(len(row)), key=lambda i: -row[i])[:best]
    return [f"{row[i]:f}:{i}:{classes[i]}" for i in order]


def _desk(parts: Parts, name: str, version: str) -> Desk:
    return parts.desks.desk("auto", _known(parts, name, version).digest)


def _known(parts: Parts, name: str, version: str) -> Known:
    """The package of a name; without a version, or with the label "champion", the one that was promoted, if any was.

    Raises:
        UnknownModel: there is none.
    """
    known = known_packages(parts.settings)
    found = [one for one in known if one.name == name and version in ("", *LABELS, one.version)]
    if not found:
        told = f" of version {version[:64]!r}" if version else ""
        raise UnknownModel(f"no model {name[:64]!r}{told}; there are: {', '.join(one.reference for one in known)}")
    if version == "latest":
        return next((one for one in found if one.origin == "trained"), found[0])
    return next((one for one in found if parts.crew.chosen.get(one.task) == one.digest), found[0])


def _package(desk: Desk) -> Package:
    return desk.speakers[0].package
