"""Headers of a request -> whether it comes from our own pages, from a program, or from somebody else's web site.

A server on loopback is within reach of every page its user opens. So the name in Host must be ours (a name that was
made to point here is not: DNS rebinding), and what another site causes the browser to send is refused (cross-site
request forgery), whether by Origin or by Fetch Metadata (Sec-Fetch-Site).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

SAFE = ("GET", "HEAD", "OPTIONS")
OURS = (b"same-origin", b"none")
Headers = Mapping[bytes, bytes]


def is_loopback(name: str) -> bool:
    """Whether a host name or address, without a port, is this machine."""
    name = name.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_name(netloc: str) -> str | None:
    """The name or address in `name:port`, lower case; None when it is neither."""
    try:
        parts = urlsplit(f"//{netloc}")
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname if parts.netloc == netloc and parts.username is None and not parts.path else None


class Origins:
    """Which names are ours: loopback, and the one in HILUM_PUBLIC_URL; with users and no such URL, any."""

    def __init__(self, public_url: str, *, local: bool) -> None:
        self._public = urlsplit(public_url).netloc.lower()
        self._any = not local and not self._public
        self._known: dict[bytes, bool] = {}

    def host_is_ours(self, headers: Headers) -> bool:
        """Whether Host names this server."""
        host = headers.get(b"host", b"")
        known = self._known.get(host)
        if known is None:
            known = self._is_ours(host.decode("latin-1").lower())
            if len(self._known) < 64:
                self._known[host] = known
        return known

    def is_foreign(self, headers: Headers, method: str) -> bool:
        """Whether another site made the browser send this."""
        site = headers.get(b"sec-fetch-site")
        safe = method in SAFE
        if site is not None and site not in OURS:
            looked_at = headers.get(b"sec-fetch-mode") == b"navigate" and headers.get(b"sec-fetch-dest") == b"document"
            if not (safe and looked_at):
                return True
        origin = headers.get(b"origin")
        return not safe and origin is not None and not self._own_origin(origin, headers)

    def _own_origin(self, origin: bytes, headers: Headers) -> bool:
        try:
            there = urlsplit(origin.decode("latin-1").lower()).netloc
        except ValueError:  # no address: of no page of ours
            return False
        return bool(there) and there in (headers.get(b"host", b"").decode("latin-1").lower(), self._public)

    def _is_ours(self, host: str) -> bool:
        name = host_name(host)
        return name is not None and (self._any or is_loopback(name) or host == self._public)
