"""Every request but the predictions, which count themselves -> how often, how long, with what status."""

from __future__ import annotations

from starlette.types import ASGIApp, Scope

from hilum.interfaces.http.watched import PLAIN, PROBES, Seen, Watched
from hilum.monitor.meters import Meters


class Measured(Watched):
    """Counts what it sees."""

    left_out = (*PLAIN, *PROBES)

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        super().__init__(app)
        self._meters = meters

    def seen(self, scope: Scope, what: Seen) -> None:  # noqa: ARG002 - counting needs no more than was seen
        """Count one request."""
        self._meters.request(what.route, what.status, (what.ended - what.began) / 1e9)
