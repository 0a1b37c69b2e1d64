"""A role and, for keys, scopes -> the acts a caller may do, by one table; knows no route and no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from hilum.errors import NotAllowed, UsageError

Via = Literal["local", "session", "key", "oidc", "nobody"]

# act -> what it means, in the words of the settings page
ACTS: Mapping[str, str] = MappingProxyType({
    "account": "sign out, change the own password, make and revoke own keys",
    "predict": "send images and get answers",
    "read": "see answers, images, models and tasks",
    "feedback": "say whether an answer is right",
    "monitor": "see the figures of the service",
    "evaluate": "measure a model on labelled images",
    "data": "audit data sets, also in the folders the server is allowed to read",
    "train": "train models",
    "promote": "load models and choose which one answers",
    "verify": "check the records and repeat recorded answers",
    "users": "add, change and disable users, see everybody's keys",
    "erase": "erase what was recorded about a person",
    "settings": "see the settings of the server",
})  # fmt: skip

ROLES = ("reader", "reviewer", "engineer", "admin")

# Each role may do what the roles before it may, and these.
GRANTS: Mapping[str, frozenset[str]] = MappingProxyType({
    "reader": frozenset({"account", "predict", "read"}),
    "reviewer": frozenset({"feedback", "monitor"}),
    "engineer": frozenset({"evaluate", "data", "train", "promote", "verify"}),
    "admin": frozenset({"users", "erase", "settings"}),
})  # fmt: skip

# What a key may be given: a key never makes keys or users.
SCOPES = frozenset(ACTS) - {"account", "users"}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: `id` is stable and no name; `acts` is what this way of asking may do; `key` is the key's id, if any."""

    id: str
    name: str
    roles: frozenset[str]
    via: Via
    acts: frozenset[str]
    key: str = ""

    def may(self, act: str) -> bool:
        """Whether the act is allowed."""
        return act in self.acts

    def must(self, act: str) -> None:
        """Raises NotAllowed unless the act is allowed."""
        if act not in self.acts:
            raise NotAllowed(f"this needs the right to {ACTS[act]}")


def roles_up_to(role: str) -> frozenset[str]:
    """The role and those below it.

    Raises:
        UsageError: no such role.
    """
    if role not in ROLES:
        raise UsageError(f"no role '{role}': one of {', '.join(ROLES)}")
    return frozenset(ROLES[: ROLES.index(role) + 1])


def acts_of(role: str) -> frozenset[str]:
    """What a role may do."""
    return frozenset().union(*(GRANTS[each] for each in roles_up_to(role)))


def scopes_of(words: tuple[str, ...]) -> frozenset[str]:
    """Scopes as they are asked for a key.

    Raises:
        UsageError: none, or one that a key cannot have.
    """
    unknown = sorted(set(words) - SCOPES)
    if unknown or not words:
        said = f"scopes {', '.join(unknown)}: choose" if unknown else "no scope is given: choose at least one"
        raise UsageError(f"{said} among {', '.join(sorted(SCOPES))}")
    return frozenset(words)


LOCAL = Caller("local", "local", roles_up_to("admin"), "local", frozenset(ACTS))
ANYBODY = Caller("nobody", "", frozenset(), "nobody", frozenset())
CONSOLE = Caller("console", "console", roles_up_to("admin"), "local", frozenset(ACTS))  # whoever runs `hilum users`
NO_USERS = frozenset({LOCAL.id, ANYBODY.id, CONSOLE.id})  # stand on record where a user would
