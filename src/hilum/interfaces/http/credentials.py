"""The headers of a request -> who asks: a key, a session, or nobody; never an exception for what is merely missing."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import anyio
from anyio.to_thread import run_sync
from starlette.types import Scope

from hilum.access.access import Access
from hilum.access.caller import ANYBODY, Caller
from hilum.errors import NotSignedIn

COOKIE = "hilum"
SECURE_COOKIE = "__Host-hilum"  # the browser then insists on https, on this host alone, and on the path /
LOOKUPS = 4  # looks into the database at once, apart from the threads that answer requests


@dataclass(frozen=True, slots=True)
class Found:
    """Who asks; `session` is the cookie's token, if that is how; `fault` says what is wrong with what was shown."""

    caller: Caller
    session: str = ""
    fault: str = ""


NOBODY = Found(ANYBODY)


class Credentials:
    """Finds the caller; what was verified a moment ago costs no look into the database."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._lookups: anyio.CapacityLimiter | None = None

    async def find(self, headers: Mapping[bytes, bytes], scheme: str, *, by_itself: bool = False) -> Found:
        """Who asks; where a page asks `by_itself`, nobody is known to sit before it, and the session goes on idling."""
        shown = headers.get(b"authorization")
        if shown is not None:
            kind, _, token = shown.decode("latin-1").partition(" ")
            if kind.lower() != "bearer" or not token.startswith("hilum_"):
                return Found(ANYBODY, fault="Authorization must be: Bearer hilum_…")
            return await self._look(token, self._access.keys.known, self._access.keys.check)
        token = session_of(headers, scheme)
        if not token:
            return NOBODY
        sessions = self._access.sessions
        return await self._look(token, sessions.known, sessions.peek if by_itself else sessions.check, session=token)

    async def _look(
        self,
        token: str,
        known: Callable[[str], Caller | None],
        check: Callable[[str], Caller],
        session: str = "",
    ) -> Found:
        caller = known(token)
        if caller is None:
            if self._lookups is None:
                self._lookups = anyio.CapacityLimiter(LOOKUPS)
            try:
                caller = await run_sync(check, token, limiter=self._lookups)
            except NotSignedIn as error:
                return Found(ANYBODY, fault=str(error))
        return Found(caller, session)


def cookie_name(scheme: str) -> str:
    """The session cookie's name under http or https."""
    return SECURE_COOKIE if scheme == "https" else COOKIE


def session_of(headers: Mapping[bytes, bytes], scheme: str) -> str:
    """The token in the session cookie; "" without one, or with two of the name."""
    raw = headers.get(b"cookie")
    if raw is None:
        return ""
    name = cookie_name(scheme)
    found = [value for part in raw.decode("latin-1").split(";") for key, _, value in (part.strip().partition("="),)
             if key == name]  # fmt: skip
    return found[0] if len(found) == 1 else ""


def address_of(scope: Scope) -> str:
    """The sender's address; IPv6 by /64, of which everybody has as many as they like, but not IPv4 inside it."""
    host = (scope.get("client") or ("unknown", 0))[0]
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return str(host)
    inside = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else found
    return str(inside or ipaddress.ip_network((found, 64), strict=False))
