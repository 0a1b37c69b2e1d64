"""Every request -> one trace, where a collector is configured; a plain ASGI layer."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hilum.monitor.traces import Request, Traces

PLAIN = ("/predict", "/v1/predict", "/invocations", "/v1/invocations")  # endpoints that name no route
PROBES = ("/livez", "/readyz", "/health", "/healthz", "/metrics")


class Traced:
    """The innermost layer, so that what it measures is the service and not its doors."""

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        self._app = app
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Trace one request."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        began, status = time.time_ns(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            plain = scope["path"] if scope["path"] in PLAIN else "none"
            route = str(getattr(scope.get("route"), "path", plain))
            stages = scope.get("state", {}).get("stages", {})
            parent = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), "")
            ended = time.time_ns()
            self._traces.request(Request(scope["method"], route, status, began, ended, stages, parent))
