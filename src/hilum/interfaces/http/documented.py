"""The OpenAPI page of POST /predict, whose real endpoint is plain ASGI, and the page that shows the whole schema."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

router = APIRouter()


class ModelName(BaseModel):
    """Which package spoke."""

    name: str
    version: str
    digest: str


class Answered(BaseModel):
    """The class at the operating point."""

    model_config = ConfigDict(populate_by_name=True)
    class_: str = Field(alias="class")
    probability: float = Field(ge=0, le=1, description="calibrated")


class Gate(BaseModel):
    """Whether the image may be answered, and why not."""

    admitted: bool
    reasons: list[str] = Field(description="codes")
    messages: list[str] = Field(description="the same in words")
    novelty: float | None = Field(description="share of calibration images that are less novel")


class Prediction(BaseModel):
    """One image answered or refused; a refusal has `prediction` null."""

    id: str
    file: str | None = None
    frame: int | None = None
    task: str | None
    model: ModelName | None
    prediction: Answered | None
    probabilities: dict[str, float]
    operating_point: str
    conformal_set: list[str] = Field(description="the classes that 95% coverage asks for")
    gate: Gate
    explanation: dict[str, object]
    timings: dict[str, float] = Field(description="milliseconds a stage")


class Predictions(BaseModel):
    """Several files or frames, in their order; a file that cannot be read has `error` instead."""

    predictions: list[Prediction | dict[str, object]]


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
                        "task": {"type": "string", "default": "auto"},
                        "operating_point": {"type": "string", "default": "balanced"},
                        "prevalence": {"type": "string", "description": "one share, or one a class with commas"},
                        "keep": {"type": "boolean", "description": "whether the image may be kept"},
                    },
                }
            },
            "image/*": {"schema": {"type": "string", "format": "binary"}},
            "application/dicom": {"schema": {"type": "string", "format": "binary"}},
            "application/zip": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["image_url"],
                    "properties": {"image_url": {"type": "string", "format": "uri"}},
                }
            },
        },
    }
}


@router.post(
    "/predict",
    tags=["predict"],
    summary="Classify images",
    openapi_extra=BODY,
    response_model=Prediction | Predictions,
    responses={
        202: {"description": "a job was begun", "content": {"application/json": {"schema": {"type": "object"}}}}
    },
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
