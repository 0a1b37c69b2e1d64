"""Is the server alive, ready, and what has it counted? The questions of an orchestrator and of Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from hilum.interfaces.http.asked import parts_of

router = APIRouter(tags=["operation"])


@router.get("/livez", summary="The process answers")
@router.get("/health", include_in_schema=False)
@router.get("/healthz", include_in_schema=False)
async def livez() -> Response:
    """200 as long as the process answers at all."""
    return PlainTextResponse("ok")


@router.get("/readyz", summary="Requests would be answered now")
def readyz(request: Request) -> Response:
    """200 when the record can be written and a model is loaded and the server is not shutting down, else 503."""
    parts = parts_of(request)
    lacking = parts.lacking()
    return PlainTextResponse("ready" if not lacking else "\n".join(lacking), 503 if lacking else 200)


@router.get("/metrics", summary="Counters in the Prometheus text format")
async def metrics(request: Request) -> Response:
    """No patient data, no file names, no ids: tasks, models, classes, stages."""
    parts = parts_of(request)
    return Response(parts.meters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
