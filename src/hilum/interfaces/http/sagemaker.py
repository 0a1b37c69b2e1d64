"""SageMaker's two questions -> whether the server is ready (/ping), and what POST /predict answers (/invocations)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from hilum.interfaces.http.asked import parts_of
from hilum.interfaces.http.body import FILES, Body, Upload
from hilum.interfaces.http.names import check_near
from hilum.interfaces.http.predict import FIELDS, Predict, fields_of
from hilum.interfaces.http.problems import Problem

router = APIRouter(tags=["operation"])


@router.get(
    "/ping",
    summary="SageMaker asks whether requests would be answered",
    response_class=Response,
    responses={503: {"description": "they would not"}},
)
def ping(request: Request) -> Response:
    """200 or 503, without words."""
    parts = parts_of(request)
    return Response(status_code=503 if parts.lacking() else 200)


class Invocations(Predict):
    """What /predict takes, and JSON: {"instances": [{"b64": …}, …]} or {"image": base64}."""

    route = "/invocations"
    images_in_json = True

    async def files(self, body: Body, given: dict[str, str]) -> Sequence[Upload]:
        """The images of a JSON body; any other is left to /predict."""
        said = body.said
        if isinstance(said, dict) and ("instances" in said or "image" in said):
            rows = said["instances"] if "instances" in said else [said["image"]]
            check_near(said, (*FIELDS, "image", "instances"))
            given.update(fields_of(said))
            if not isinstance(rows, list) or not rows:
                raise Problem(400, "no_image", '"instances" must be a list of {"b64": …}')
            if len(rows) > FILES:
                raise Problem(413, "too_many_files", f"more than {FILES} images in one request")
            return [Upload(f"instance {i}", _image(row)) for i, row in enumerate(rows)]
        return await super().files(body, given)


def _image(row: Any) -> bytes:
    text: Any = row.get("b64") if isinstance(row, dict) else row
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise Problem(400, "no_image", "an image in JSON must be base64") from error
