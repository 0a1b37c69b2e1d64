"""Every request -> one trace, where a collector is configured."""

from __future__ import annotations

from starlette.types import ASGIApp, Scope

from hilum.interfaces.http.watched import Seen, Watched
from hilum.monitor.traces import Request, Traces


class Traced(Watched):
    """The innermost layer, so that what it measures is the service and not its doors."""

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        super().__init__(app)
        self._traces = traces

    def seen(self, scope: Scope, what: Seen) -> None:
        """Trace one request."""
        stages = scope.get("state", {}).get("stages", {})
        parent = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), "")
        told = Request(scope["method"], what.route, what.status, what.began, what.ended, stages, parent)
        self._traces.request(told)
