"""A request going by -> its route, status, beginning and end; what both counting and tracing stand on."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PLAIN = ("/predict", "/v1/predict", "/invocations", "/v1/invocations")  # plain endpoints, which name no route
PROBES = ("/livez", "/readyz", "/health", "/healthz", "/metrics")


@dataclass(frozen=True, slots=True)
class Seen:
    """route: the pattern, never the path. began, ended: nanoseconds since 1970. status 500 where nothing was sent."""

    route: str
    status: int
    began: int
    ended: int


class Watched(ABC):
    """A plain ASGI layer; those who derive from it say what they do with what was seen."""

    left_out: tuple[str, ...] = PROBES

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    @abstractmethod
    def seen(self, scope: Scope, what: Seen) -> None:
        """One request is over."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Watch one request."""
        if scope["type"] != "http" or scope["path"] in self.left_out:
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
            self.seen(scope, Seen(route, status, began, time.time_ns()))
