"""An application and its parts -> the same with the endpoints of signing in, behind the security layer."""

from __future__ import annotations

from fastapi import FastAPI

from hilum.access.access import Access
from hilum.access.links import FIRST_SECONDS
from hilum.access.passwords import AT_ONCE
from hilum.errors import MissingExtra
from hilum.interfaces.http import account, people
from hilum.interfaces.http.security import Page, Security, guard_of
from hilum.interfaces.http.turns import Turns
from hilum.settings import Settings

SIGN_INS = 32  # that may wait for a hash


def secure(app: FastAPI, settings: Settings, access: Access | None, page: Page | None = None) -> None:
    """Add the endpoints and, outermost, the layer; to be called after every other layer was added."""
    app.state.hashing = Turns(AT_ONCE, SIGN_INS, "sign-ins")
    for prefix in ("", "/v1"):
        for router in (account.router, people.router):
            app.include_router(router, prefix=prefix, include_in_schema=not prefix)
    if access is not None and settings.oidc_issuer:
        _add_provider(app, settings)
    app.add_middleware(Security, guard=guard_of(settings, access, page, app.state.parts.meters.away))


def _add_provider(app: FastAPI, settings: Settings) -> None:
    try:
        from hilum.interfaces.http import oidc
        from hilum.interfaces.http.provider import Provider
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("hilum"):
            raise
        raise MissingExtra("OpenID Connect", "oidc") from error
    app.state.provider = Provider(settings)
    app.include_router(oidc.router)


def first_words(access: Access | None, address: str) -> str | None:
    """What the server prints while nobody can sign in yet: the one-time link; None otherwise."""
    token = None if access is None else access.links.first()
    if token is None:
        return None
    hours = int(FIRST_SECONDS // 3600)
    words = f"Nobody can sign in yet. Make the first administrator, once, within {hours} hours:"
    return f"{words} {address}/first-start#{token}"
