"""The head of a request that would only be turned away -> "come again", told by the connection; the rest is not read.

Under overload most requests end so: what they cost is taken from those that are answered. Here it is a tenth of what
the same answer costs behind the layers. Whatever is unusual about such a request goes the long way.
"""

from __future__ import annotations

from collections.abc import Callable

from hilum.errors import Full
from hilum.flows.line import Line
from hilum.interfaces.http.problems import from_error
from hilum.interfaces.http.watched import PLAIN
from hilum.interfaces.http.wire import Wire, spoken
from hilum.monitor.meters import Meters

LARGEST = 1024 * 1024  # bytes of a body that is let pass by; a larger one is refused the long way, which hangs up
FULL = Full("too many requests wait already: try again in a moment")


def for_line(line: Line, meters: Meters) -> type[Wire]:
    """Connections that turn questions away while the line is full."""
    paths = {path.encode(): path.removeprefix("/v1") for path in PLAIN}

    def turned_away(target: bytes) -> bool:
        route = paths.get(target.partition(b"?")[0]) if line.full else None
        if route is None:
            return False
        meters.away("full")
        meters.request(route, 503, 0.0)
        return True

    return shedding(turned_away)


def shedding(turned_away: Callable[[bytes], bool]) -> type[Wire]:
    """Connections that ask, with the target of each POST, whether it is turned away."""
    return type("SheddingWire", (Shedding,), {"turned_away": staticmethod(turned_away)})


class Shedding(Wire):
    """One connection."""

    turned_away: Callable[[bytes], bool]
    _shed = False

    def on_headers_complete(self) -> None:
        """Let the request in, or not."""
        if self._is_plain() and self.turned_away(self.url):
            self._heading, self._shed = False, True
            self._calm()
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Nobody waits for the body of a request that was not let in."""
        if self._shed:
            self._fresh = True
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is over: now it can be told, and the connection be used again."""
        if not self._shed:
            super().on_message_complete()
            return
        self._shed = False
        self.transport.write(_TOLD)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _is_plain(self) -> bool:
        """A POST of a declared, small body on a connection that stays and has nothing else under way."""
        if self._known or self.parser.should_upgrade():
            return False
        if self.parser.get_method() != b"POST" or not self.parser.should_keep_alive() or self.expect_100_continue:
            return False
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        said = next((value for name, value in self.headers if name == b"content-length"), b"")
        return said.isdigit() and len(said) < 16 and int(said) <= LARGEST


_TOLD = spoken(from_error(FULL))
