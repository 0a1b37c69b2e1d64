"""Signing in with OpenID Connect: to the provider and back (authorization code with PKCE, state, nonce; Core 1.0, 3.1).

What the browser must bring back lies in a short-lived cookie under our own seal, so no process needs to remember it.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hilum.access.access import Access
from hilum.errors import AccessError, HilumError, NotSignedIn, UsageError
from hilum.interfaces.http.account import access_of, in_address, local_path, signed_in
from hilum.interfaces.http.provider import FAULTS, Provider

router = APIRouter(tags=["access"])
log = logging.getLogger("hilum.http")
COOKIE, PATH = "hilum_oidc", "/login/oidc"
CODE = re.compile("[a-z_]{1,40}")  # of errors (RFC 6749, 4.1.2.1)
PATIENCE = 600  # seconds between leaving for the provider and coming back


@router.get(PATH, summary="Sign in at the OpenID Connect provider", status_code=303, response_class=Response)
async def leave(request: Request, next: str = "/") -> Response:  # noqa: A002  # the name in the address
    """To the provider, with what must come back sealed in a cookie."""
    access, provider = access_of(request), _provider(request)
    kept: dict[str, Any] = {"next": local_path(next), "until": int(time.time()) + PATIENCE}
    kept |= {name: secrets.token_urlsafe(48) for name in ("state", "nonce", "verifier")}
    try:
        known = await provider.described()
        client = provider.client(_back(request))
        address, _ = client.create_authorization_url(
            known.authorize, state=kept["state"], code_verifier=kept["verifier"], nonce=kept["nonce"]
        )
        await client.aclose()
    except FAULTS as error:
        _note(error)
        return _failed(request, NotSignedIn("the provider does not answer"))
    response = RedirectResponse(address, 303)
    secure = request.url.scheme == "https"
    response.set_cookie(
        COOKIE, _seal(access, kept), PATIENCE, path=PATH, secure=secure, httponly=True, samesite="lax"
    )  # fmt: skip
    return response


@router.get(f"{PATH}/callback", summary="Back from the provider", status_code=303, response_class=Response)
async def come_back(request: Request, code: str = "", state: str = "", error: str = "") -> Response:
    """A session, once the provider's word was checked; else the sign-in page with the reason."""
    access, provider = access_of(request), _provider(request)
    try:
        kept = _unseal(access, request.cookies.get(COOKIE, ""))
        if not hmac.compare_digest(str(kept["state"]).encode(), state.encode()):
            raise NotSignedIn("this is not the sign-in that was begun here")
        if not code:
            raise NotSignedIn(f"the provider gave no leave ({error if CODE.fullmatch(error) else 'no code'})")
        claims = await _asked(provider, _back(request), code, kept)
        role, name = provider.role(claims), _name(claims)
        identity, old = f"{claims['iss']} {claims['sub']}", request.state.session or None
        session = await run_sync(access.sign_in_as, identity, name, role, old)
    except (AccessError, UsageError) as fault:
        return _failed(request, fault)
    response = signed_in(request, session, str(kept["next"]))
    response.delete_cookie(COOKIE, path=PATH)
    return response


async def _asked(provider: Provider, back: str, code: str, kept: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        known = await provider.described()
        async with provider.client(back) as client:
            given = await client.fetch_token(known.token, code=code, code_verifier=kept["verifier"])
        return await provider.claims(given["id_token"], str(kept["nonce"]))
    except FAULTS as error:
        _note(error)
        raise NotSignedIn("the provider's word cannot be trusted, or it does not answer") from error


def _note(error: Exception) -> None:
    """What went wrong with the provider: who signs in is told no more than that, who runs the server must know."""
    log.warning("OpenID Connect: %s: %s", type(error).__name__, str(error).partition("\n")[0][:500])


def _name(claims: Mapping[str, Any]) -> str:
    """A name to show."""
    said = str(claims.get("preferred_username") or claims.get("email") or claims.get("name") or "user")
    return re.sub(r"[^\w.@+-]", "_", said)[:48].lstrip(".@+-") or "user"


def _back(request: Request) -> str:
    base = request.app.state.parts.settings.public_url or str(request.base_url).rstrip("/")
    return f"{base}{PATH}/callback"


def _seal(access: Access, kept: Mapping[str, Any]) -> str:
    raw = json.dumps(kept).encode().hex()
    return f"{raw}.{access.ground.hash('oidc', raw).hex()}"


def _unseal(access: Access, sealed: str) -> dict[str, Any]:
    raw, _, seal = sealed.partition(".")
    if not hmac.compare_digest(access.ground.hash("oidc", raw).hex().encode(), seal.encode()):
        raise NotSignedIn("the sign-in was not begun in this browser")
    kept: dict[str, Any] = json.loads(bytes.fromhex(raw))
    if kept["until"] < time.time():
        raise NotSignedIn("the sign-in took too long: begin again")
    return kept


def _provider(request: Request) -> Provider:
    provider: Provider = request.app.state.provider
    return provider


def _failed(request: Request, error: HilumError) -> Response:
    told = urlencode({"failed": error.code, **in_address(request.app.state.parts.secret, str(error))})
    return RedirectResponse(f"/login?{told}", 303)
