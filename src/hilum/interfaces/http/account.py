"""Signing in and out, first start, passwords: JSON from programs and plain forms from pages, which are drawn elsewhere.

A form is answered with 303: to `next` when it went well, else back to its page with `?failed=CODE` (and `seconds`).
Passwords are hashed by two threads of their own, so that whoever knocks cannot hold up the answers.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hilum.access.access import Access
from hilum.access.caller import Caller
from hilum.access.sessions import Session
from hilum.errors import AccessError, HilumError, TooManyAttempts, UsageError
from hilum.interfaces.http import shapes_access as shapes
from hilum.interfaces.http.credentials import address_of, cookie_name
from hilum.interfaces.http.problems import Problem, answer
from hilum.interfaces.http.security import FORM_TOKEN, check_csrf
from hilum.interfaces.http.turns import Turns
from hilum.secret import derived

router = APIRouter(tags=["access"])
FORM = "application/x-www-form-urlencoded"
SENT_ON: dict[int | str, dict[str, Any]] = {303: {"description": "a form: signed in, or the page again"}}
T = TypeVar("T")


def _fields(*names: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": list(names),
        "properties": {name: {"type": "string", "maxLength": 4096} for name in names},
    }
    kinds = ("application/json", FORM)
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema} for kind in kinds}}}


@router.post(
    "/login",
    response_model=shapes.SignedIn,
    summary="Sign in with name and password",
    openapi_extra=_fields("name", "password"),
    responses=SENT_ON,
)
async def login(request: Request) -> Response:
    """Answers the session's CSRF token and sets its cookie; every sign-in makes a new session."""
    access, said = access_of(request), await _said(request, "name", "password")
    old = request.state.session or None

    def sign_in() -> Session:
        return access.sign_in(said["name"], said["password"], address_of(request.scope), old)

    return await _answered(request, said, "/login", sign_in)


@router.post("/logout", summary="Sign out", status_code=204)
async def logout(request: Request) -> Response:
    """Ends this session; a form needs the field csrf_token, a script the header."""
    access, said = access_of(request), await _said(request)
    session = session_of(request, access, said)
    await run_sync(access.sessions.end, session)
    left = RedirectResponse("/login", 303) if _is_form(request) else Response(status_code=204)
    left.headers["Clear-Site-Data"] = '"cache"'  # what pages keep in a browser goes by the person (session.js)
    left.set_cookie(cookie_name(request.url.scheme), "", max_age=0, secure=request.url.scheme == "https", httponly=True)
    return left


@router.get("/session", response_model=shapes.Session, summary="Who am I, what may I, and what must I send along")
async def session(request: Request) -> Response:
    """For pages: the caller, what they may do, and the CSRF token; never an error."""
    caller: Caller = request.state.caller
    access: Access | None = request.app.state.parts.access
    told = {
        "auth": "off" if access is None else "on",
        "user": None if caller.via == "nobody" else user_of(caller),
        "acts": sorted(caller.acts),
        "csrf_token": access.sessions.csrf(request.state.session) if access and request.state.session else None,
        "oidc": bool(request.app.state.parts.settings.oidc_issuer),
    }
    return answer(told, headers={"Cache-Control": "no-store"})


@router.post(
    "/first-start",
    response_model=shapes.SignedIn,
    summary="Make the first administrator with the link printed at the start",
    openapi_extra=_fields("token", "name", "password"),
    responses=SENT_ON,
)
async def first_start(request: Request) -> Response:
    """Works once, while there are no users; signs in."""
    access, said = access_of(request), await _said(request, "token", "name", "password")

    def begin() -> Session:
        return access.sessions.start(access.links.begin(said["token"], said["name"], said["password"]), "session")

    return await _answered(request, said, "/first-start", begin)


@router.post(
    "/set-password",
    response_model=shapes.SignedIn,
    summary="Choose a password with a one-time link",
    openapi_extra=_fields("token", "password"),
    responses=SENT_ON,
)
async def set_password(request: Request) -> Response:
    """Works once for each link; signs in."""
    access, said = access_of(request), await _said(request, "token", "password")

    def accept() -> Session:
        return access.sessions.start(access.links.accept(said["token"], said["password"]), "session")

    return await _answered(request, said, "/set-password", accept)


@router.post(
    "/password", response_model=shapes.SignedIn, summary="Change the own password", openapi_extra=_fields("old", "new")
)
async def password(request: Request) -> Response:
    """Ends every session of the user and begins a new one."""
    access, said = access_of(request), await _said(request, "old", "new")
    session_of(request, access, said)

    def change() -> Session:
        user = access.change_password(request.state.caller, said["old"], said["new"], address_of(request.scope))
        return access.sessions.start(user, "session")

    return await _answered(request, said, "/account", change)


def signed_in(request: Request, begun: Session, target: str | None) -> Response:
    """The answer that carries a new session's cookie: a redirect for a form, JSON for a program."""
    told = {"user": user_of(begun.caller), "acts": sorted(begun.caller.acts), "csrf_token": begun.csrf}
    response = answer(told) if target is None else RedirectResponse(local_path(target), 303)
    secure = request.url.scheme == "https"
    response.set_cookie(cookie_name(request.url.scheme), begun.token, secure=secure, httponly=True, samesite="lax")
    response.headers["Cache-Control"] = "no-store"
    return response


def local_path(target: str) -> str:
    """A path on this server, or "/": never another site, whatever was in `next`."""
    plain = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if plain and "\\" not in target else "/"


def access_of(request: Request) -> Access:
    """Who may what.

    Raises:
        Problem: authentication is off, there is nothing to sign in to.
    """
    access: Access | None = request.app.state.parts.access
    if access is None:
        raise Problem(409, "auth_off", "authentication is off here (HILUM_AUTH): everybody on this machine may ask")
    return access


def session_of(request: Request, access: Access, said: Mapping[str, str]) -> str:
    """The session's token, once its CSRF token came along in header or form.

    Raises:
        Problem: there is no session (a key cannot do this), or the token is missing or not this session's.
    """
    token = str(request.state.session)
    if not token:
        raise Problem(403, "not_allowed", "only somebody who is signed in with a browser may do this, not a key")
    check_csrf(access, token, request.headers.get("x-csrf-token") or said.get(FORM_TOKEN, ""))
    return token


def user_of(caller: Caller) -> dict[str, Any]:
    """The caller as JSON."""
    return {"id": caller.id, "name": caller.name, "roles": sorted(caller.roles), "via": caller.via}


async def _answered(request: Request, said: Mapping[str, str], page: str, work: Callable[[], Session]) -> Response:
    hashing: Turns = request.app.state.hashing
    target = said.get("next", "/") if _is_form(request) else None
    try:
        return signed_in(request, await hashing.run(work), target)
    except (AccessError, UsageError) as error:
        if target is None:
            raise
        told = _failed(error, target, request.app.state.parts.secret)
        return RedirectResponse(f"{page}?{urlencode(told)}", 303)


def in_address(secret: bytes, why: str) -> dict[str, str]:
    """Words for a person as they stand in an address, with the proof that they are ours: who makes a link has none."""
    return {"why": why, "proof": hmac.digest(derived(secret, "why"), why.encode(), "sha256").hex()}


def _failed(error: HilumError, target: str, secret: bytes) -> dict[str, str]:
    told = {"failed": error.code, "next": local_path(target)}
    if isinstance(error, UsageError):
        told |= in_address(secret, str(error))
    if isinstance(error, TooManyAttempts):
        told["seconds"] = str(round(error.seconds))
    return told


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM


async def _said(request: Request, *needed: str) -> dict[str, str]:
    raw = await request.body()
    try:
        pairs = dict(parse_qsl(raw.decode(), keep_blank_values=True)) if _is_form(request) else json.loads(raw or b"{}")
    except (ValueError, RecursionError) as error:
        raise Problem(400, "bad_json", "the body is neither JSON nor a form") from error
    if not isinstance(pairs, dict):
        raise Problem(422, "invalid", "the body must be an object")
    said = {key: value for key, value in pairs.items() if isinstance(value, str)}
    if missing := [name for name in needed if name not in said]:
        raise Problem(422, "invalid", f"missing, or no text: {', '.join(missing)}")
    if any("\x00" in value or not _is_text(value) for value in said.values()):
        raise Problem(422, "invalid", "a value is no text")
    return said


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # lone surrogates
        return False
    return True
