"""The pages before one is in: sign in, first start, choose a password; and the own account. The forms go elsewhere."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import Response

from hilum.access.caller import ACTS
from hilum.interfaces.http.account import in_address
from hilum.interfaces.http.asked import parts_of
from hilum.interfaces.web.page import caller_of, move, must, show

router = APIRouter(include_in_schema=False)
SAID = {
    "not_signed_in": "That did not fit. Check the name and the password, or ask for another link.",
    "signed_out": "You were signed out already. Nothing was changed.",
    "not_allowed": "This account is shut out. Ask an administrator.",
    "too_many_attempts": "Too many attempts. Wait {wait} and try again.",
}
OWN = {"not_signed_in": "The present password is not right. Nothing was changed."}  # on the own account


@router.get("/login")
def login(request: Request) -> Response:
    """Name and password, or the institution's own sign-in."""
    parts = parts_of(request)
    if parts.access is None:
        return move("/app/read")
    return show(request, "login.html", {
        "problem": _problem(request), "next": _next(request), "oidc": bool(parts.settings.oidc_issuer),
        "nobody": not parts.access.users.all(),
    })  # fmt: skip


@router.get("/first-start")
def first_start(request: Request) -> Response:
    """The first administrator, with the link that the start printed; once there is one, the way in is another."""
    access = parts_of(request).access
    if access is None or access.users.all():
        return move("/login")
    return show(request, "first_start.html", {"problem": _problem(request)})


@router.get("/set-password")
def set_password(request: Request) -> Response:
    """An invited user chooses a password."""
    return show(request, "set_password.html", {"problem": _problem(request)})


@router.get("/account")
def back(request: Request) -> Response:
    """Where the password form comes back to when it failed."""
    return move(f"/app/account?{request.url.query}")


@router.get("/app/account")
def account(request: Request) -> Response:
    """Who I am, what I may, my password, signing out."""
    must(request, "account")
    caller = caller_of(request)
    acts = [words for act, words in ACTS.items() if caller.may(act)]
    return show(request, "account.html", {
        "problem": _problem(request, SAID | OWN), "acts": acts, "changed": "changed" in request.query_params,
        "auth": parts_of(request).access is not None,
    })  # fmt: skip


def _problem(request: Request, said: Mapping[str, str] = SAID) -> str:
    given = request.query_params
    code, why = given.get("failed", ""), _why(request)
    if why:
        return why[:1].upper() + why[1:300]
    if code in said:
        return said[code].format(wait=_wait(given.get("seconds", "")))
    return "That did not work." if code else ""


def _why(request: Request) -> str:
    """The reason in the address, where this server wrote it there."""
    given = request.query_params
    why = given.get("why", "")
    ours = in_address(parts_of(request).secret, why)["proof"]
    return why if hmac.compare_digest(ours.encode(), given.get("proof", "").encode()) else ""


def _wait(seconds: str) -> str:
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) < 6):
        return "a few seconds"
    return "1 second" if int(seconds) == 1 else f"{seconds} seconds"


def _next(request: Request) -> str:
    asked = request.query_params.get("next", "")
    return asked if asked.startswith("/") and not asked.startswith("//") else "/app/read"
