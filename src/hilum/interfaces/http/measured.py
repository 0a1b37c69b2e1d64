"""Every request but the predictions, which count themselves -> how often, how long, with what status."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hilum.monitor.meters import Meters

THEMSELVES = ("/predict", "/v1/predict", "/invocations", "/v1/invocations", "/livez", "/readyz", "/metrics")


class Measured:
    """A plain ASGI layer; the label is the route's pattern, never the path."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self._app = app
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count one request."""
        if scope["type"] != "http" or scope["path"] in THEMSELVES:
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._meters.request(route, status, time.perf_counter() - started)
