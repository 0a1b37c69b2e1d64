"""What the routes of users, keys and sessions answer -> their schemas in /openapi.json; see shapes.py."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hilum.interfaces.http.shapes import Shape


class Person(Shape):
    """Who asks."""

    id: str
    name: str
    roles: list[str]
    via: str


class SignedIn(Shape):
    """A new session; `csrf_token` goes into the header X-CSRF-Token."""

    user: Person
    acts: list[str]
    csrf_token: str


class Session(Shape):
    """Who asks and what they may."""

    auth: Literal["on", "off"]
    user: Person | None
    acts: list[str]
    csrf_token: str | None
    oidc: bool


class User(Shape):
    """Somebody who may come in."""

    id: str
    name: str
    role: str
    disabled: bool
    created: str = Field(description="ISO 8601")
    has_password: bool
    oidc: bool


class Invited(User):
    """Somebody and their one-time link."""

    link: str


class Users(Shape):
    """By name."""

    users: list[User]


class Key(Shape):
    """A key, without its secret."""

    id: str
    prefix: str
    name: str
    user: str
    scopes: list[str]
    created: str = Field(description="ISO 8601")
    ends: str
    used: str | None
    revoked: bool


class NewKeyTold(Key):
    """A key; its secret is told this once."""

    token: str


class Keys(Shape):
    """All of them."""

    keys: list[Key]
