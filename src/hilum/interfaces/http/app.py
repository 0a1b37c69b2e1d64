"""The wired parts -> one ASGI application: answers, records, catalogue, probes, pages; every error a problem."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib import import_module

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from hilum import __version__
from hilum.errors import MissingExtra
from hilum.interfaces.http import (
    catalogue,
    documented,
    evaluations,
    inference_protocol,
    jobs,
    probes,
    problems,
    recorded,
    sagemaker,
    speaking,
    works,
)
from hilum.interfaces.http.fetch import Fetcher
from hilum.interfaces.http.measured import Measured
from hilum.interfaces.http.predict import Predict
from hilum.interfaces.http.secured import secure
from hilum.interfaces.http.turns import Turns
from hilum.interfaces.web import pages
from hilum.parts import Parts

SHOWN = 4  # kept pictures that are decoded or drawn side by side
DESCRIPTION = """Calibrated answers to clinical questions about single images, each on record before it is told.
Research software, not a medical device. Paths answer under `/v1` too, but `/v2`, probes and metrics. Errors are RFC
9457 problems."""


def create_app(parts: Parts) -> FastAPI:
    """The application; it closes the parts when the server stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(parts.close)
        if (traces := getattr(app.state, "traces", None)) is not None:
            await run_in_threadpool(traces.close)

    app = documented.Documented(
        title="Hilum",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses={"default": problems.ANY_ERROR},
    )
    if parts.fetch is None and parts.settings.image_url_hosts:
        fetcher = Fetcher(parts.settings.image_url_hosts, parts.settings.upload_bytes)
        parts = replace(parts, fetch=fetcher.fetch)
    app.state.parts = parts
    app.state.drawing = Turns(1, 8, "pictures of evidence")  # an occlusion is two seconds of a core
    app.state.showing = Turns(SHOWN, 256, "pictures")
    problems.install(app)
    for path, endpoint in (("/predict", Predict(parts)), ("/invocations", sagemaker.Invocations(parts))):
        for prefix in ("", "/v1"):
            app.router.routes.append(Route(f"{prefix}{path}", endpoint, methods=["POST"], include_in_schema=False))
    app.router.routes.append(Route("/v1", catalogue.root, include_in_schema=False))
    for prefix in ("", "/v1"):
        for router in (
            recorded.router,
            catalogue.router,
            speaking.router,
            jobs.router,
            evaluations.router,
            works.router,
        ):
            app.include_router(router, prefix=prefix, include_in_schema=not prefix)
    for router in (documented.router, probes.router, inference_protocol.router, sagemaker.router):
        app.include_router(router)
    pages.install(app)
    if parts.settings.traces_url:
        _trace(app, parts.settings.traces_url)
    app.add_middleware(Measured, meters=parts.meters)
    secure(app, parts.settings, parts.access, pages.refused_scope)
    return app


def _trace(app: FastAPI, url: str) -> None:
    try:
        traced, traces = import_module("hilum.interfaces.http.traced"), import_module("hilum.monitor.traces")
    except ModuleNotFoundError as error:
        raise MissingExtra("HILUM_TRACES_URL", "telemetry") from error
    app.state.traces = traces.Traces(url, __version__)
    app.add_middleware(traced.Traced, traces=app.state.traces)
