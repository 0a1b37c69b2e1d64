"""Is the server alive, ready, and what has it counted? The questions of an orchestrator and of Prometheus."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from hilum.interfaces.http.asked import parts_of
from hilum.interfaces.http.problems import told_as

router = APIRouter(tags=["operation"])
log = logging.getLogger("hilum.http")


@router.get("/livez", summary="The process answers", response_class=PlainTextResponse)
@router.get("/health", include_in_schema=False)
@router.get("/healthz", include_in_schema=False)
async def livez() -> Response:
    """200 as long as the process answers at all."""
    return PlainTextResponse("ok")


@router.get(
    "/readyz",
    summary="Requests would be answered now",
    response_class=PlainTextResponse,
    responses=told_as("text/plain", 503, "they would not, and why"),
)
def readyz(request: Request) -> Response:
    """200 when the record can be written and a model is loaded and the server is not shutting down, else 503.

    What is wrong may name folders: it is told here only where everybody who asks is on this machine.
    """
    parts = parts_of(request)
    lacking = parts.lacking()
    if not lacking:
        return PlainTextResponse("ready")
    log.warning("not ready: %s", "; ".join(lacking))
    return PlainTextResponse("\n".join(lacking) if parts.access is None else "not ready: the log says why", 503)


@router.get("/metrics", summary="Counters in the Prometheus text format", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """No patient data, no file names, no ids: tasks, models, classes, stages."""
    parts = parts_of(request)
    return Response(parts.meters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
