"""Users and API keys over HTTP: administrators for everybody, everybody for their own keys; tokens are told once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Request
from pydantic import Field
from starlette.responses import Response

from hilum.access.caller import Caller
from hilum.access.keys import LONGEST_DAYS, NAME_LONGEST, Key
from hilum.access.users import User
from hilum.interfaces.http import shapes_access as shapes
from hilum.interfaces.http.account import access_of
from hilum.interfaces.http.body import TEXT, Strict
from hilum.interfaces.http.names import KNOWN_NAMES
from hilum.interfaces.http.problems import answer

router = APIRouter(tags=["access"])
Role = Literal["reader", "reviewer", "engineer", "admin"]


class NewUser(Strict):
    """Somebody to let in; they choose their password with the link in the answer."""

    name: str = Field(min_length=1, max_length=64)
    role: Role = "reader"


class Change(Strict):
    """What shall be different."""

    role: Role | None = None
    disabled: bool | None = None


class NewKey(Strict):
    """A key for a program; `scopes` are acts that the own role reaches."""

    name: str = Field(min_length=1, max_length=NAME_LONGEST, pattern=TEXT, description="what it is for")
    scopes: list[str] = Field(default=["predict", "read"], max_length=20)
    days: int = Field(90, ge=1, le=LONGEST_DAYS)


@router.get("/users", response_model=shapes.Users, summary="Everybody", dependencies=[KNOWN_NAMES])
def users(request: Request) -> Response:
    """By name."""
    return answer({"users": [told_user(user) for user in access_of(request).users.all()]})


@router.post(
    "/users", response_model=shapes.Invited, status_code=201, summary="Invite somebody", dependencies=[KNOWN_NAMES]
)
def add_user(request: Request, said: Annotated[NewUser, Body()]) -> Response:
    """Answers the user and a one-time link, valid for three days."""
    access, by = access_of(request), _caller(request)
    user = access.users.add(said.name, said.role, by)
    return answer({**told_user(user), "link": _link(request, access.links.invite(user.id, by))}, 201)


@router.patch(
    "/users/{identity}",
    response_model=shapes.User,
    summary="Change somebody's role, shut them out or let them in again",
    dependencies=[KNOWN_NAMES],
)
def change_user(request: Request, identity: str, said: Annotated[Change, Body()]) -> Response:
    """Ends their sessions; the last administrator stays."""
    access, by = access_of(request), _caller(request)
    user = access.users.find(identity)
    if said.role is not None and said.role != user.role:
        user = access.users.set_role(user.id, said.role, by)
    if said.disabled is not None and said.disabled != user.disabled:
        user = access.users.disable(user.id, by) if said.disabled else access.users.enable(user.id, by)
    return answer(told_user(user))


@router.post(
    "/users/{identity}/link",
    response_model=shapes.Invited,
    status_code=201,
    summary="A new one-time link for a password",
)
def invite(request: Request, identity: str) -> Response:
    """Ends the older ones."""
    access = access_of(request)
    user = access.users.find(identity)
    return answer({**told_user(user), "link": _link(request, access.links.invite(user.id, _caller(request)))}, 201)


@router.get("/keys", response_model=shapes.Keys, summary="Own keys, or everybody's", dependencies=[KNOWN_NAMES])
def keys(request: Request, everybody: Annotated[bool, Query(alias="all")] = False) -> Response:
    """Without their secrets; `all` for administrators."""
    access, by = access_of(request), _caller(request)
    if everybody:
        by.must("users")
    return answer({"keys": [told_key(key) for key in access.keys.all(None if everybody else by.id)]})


@router.post(
    "/keys",
    response_model=shapes.NewKeyTold,
    status_code=201,
    summary="Make a key of one's own",
    dependencies=[KNOWN_NAMES],
)
def add_key(request: Request, said: Annotated[NewKey, Body()]) -> Response:
    """The `token` is told this once; send it as `Authorization: Bearer hilum_…`."""
    access, by = access_of(request), _caller(request)
    key, token = access.keys.add(by.id, said.name, tuple(said.scopes), said.days, by)
    return answer({**told_key(key), "token": token}, 201)


@router.delete("/keys/{identity}", response_model=shapes.Key, summary="Revoke a key")
def revoke(request: Request, identity: str) -> Response:
    """For good, from the next request on."""
    return answer(told_key(access_of(request).keys.revoke(identity, _caller(request))))


def told_user(user: User) -> dict[str, Any]:
    """A user as JSON."""
    return {
        "id": user.id,
        "name": user.name,
        "role": user.role,
        "disabled": user.disabled,
        "created": _time(user.created),
        "has_password": user.has_password,
        "oidc": user.identity is not None,
    }


def told_key(key: Key) -> dict[str, Any]:
    """A key as JSON, without its secret."""
    return {
        "id": key.id,
        "prefix": key.prefix,
        "name": key.name,
        "user": key.user,
        "scopes": list(key.scopes),
        "created": _time(key.created),
        "ends": _time(key.ends),
        "used": None if key.used is None else _time(key.used),
        "revoked": key.revoked,
    }


def _link(request: Request, token: str) -> str:
    base = request.app.state.parts.settings.public_url or str(request.base_url).rstrip("/")
    return f"{base}/set-password#{token}"  # behind the #: browsers do not send it, so no proxy logs it


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
