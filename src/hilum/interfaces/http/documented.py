"""The OpenAPI pages of POST /predict and /invocations, whose real endpoints are plain ASGI, and of every error."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query

from hilum.interfaces.http.shapes import Job, Prediction, Predictions, Problem

router = APIRouter()


class Documented(FastAPI):
    """An application whose schema also holds what its operations call a problem."""

    def openapi(self) -> dict[str, Any]:
        """The schema, made when it is first asked for."""
        schema = super().openapi()
        schema["components"]["schemas"].setdefault(Problem.__name__, Problem.model_json_schema())
        return schema


FIELDS: dict[str, dict[str, Any]] = {  # of a JSON body
    "task": {"type": "string", "default": "auto"},
    "model": {"type": "string", "description": "name, name@version or digest prefix"},
    "operating_point": {"type": "string", "default": "balanced"},
    "prevalence": {
        "anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}}, {"type": "string"}],
        "description": "one share, or one a class",
    },
    "keep": {"type": "boolean", "description": "whether the image may be kept"},
}
BYTES = {"schema": {"type": "string", "format": "binary"}}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        **FIELDS,
                        "prevalence": {"type": "string", "description": "one share, or one a class with commas"},
                    },
                }
            },
            "image/*": BYTES,
            "application/dicom": BYTES,
            "application/zip": BYTES,
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["image_url"],
                    "properties": {"image_url": {"type": "string", "format": "uri"}, **FIELDS},
                }
            },
        },
    }
}


ENCODED = {"type": "string", "format": "byte", "description": "base64"}
INVOCATION = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "image": ENCODED,
                        "instances": {"type": "array", "items": {"type": "object", "properties": {"b64": ENCODED}}},
                        **FIELDS,
                    },
                }
            },
            "image/*": BYTES,
            "application/dicom": BYTES,
        },
    }
}


@router.post(
    "/invocations",
    tags=["operation"],
    summary="SageMaker's question: what POST /predict answers",
    openapi_extra=INVOCATION,
    response_model=Prediction | Predictions,
)
def invocations() -> None:
    """Bodies and parameters of `/predict`, and JSON: `{"image": base64}` or `{"instances": [{"b64": …}, …]}`."""
    raise NotImplementedError  # the plain endpoint stands before it


@router.post(
    "/predict",
    tags=["predict"],
    summary="Classify images",
    openapi_extra=BODY,
    response_model=Prediction | Predictions,
    responses={202: {"description": "a job was begun", "model": Job}},
)
def predict(
    task: Annotated[str, Query(description="a task, or auto: the first whose gate admits the image")] = "auto",
    operating_point: Annotated[str, Query()] = "balanced",
    prevalence: Annotated[str | None, Query()] = None,
    keep: Annotated[bool | None, Query()] = None,
    model: Annotated[str | None, Query(description="name, name@version or digest prefix")] = None,
) -> None:
    """One or many files (`file`), a raw image or DICOM body, or `{"image_url": …}`.

    An answer is on record when it arrives. Header `Idempotency-Key`: the same key and file get the recorded answer
    again. Answers carry `X-Cache` and `ETag`.

    More than 64 files, a zip of so many (or a large one), or the header `Prefer: respond-async`: 202, `Location:
    /jobs/{id}` and the job, which goes on even where the server is stopped in between.
    """
    raise NotImplementedError((task, operating_point, prevalence, keep, model))  # the plain endpoint stands before it
