"""A database URL and the installation's secret -> who may do what; the door of this room."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from hilum.access.caller import Caller
from hilum.access.deed import NOBODY, Deed, Tell, tell_nobody
from hilum.access.ground import Ground
from hilum.access.keys import Keys
from hilum.access.links import Links
from hilum.access.passwords import fits
from hilum.access.sessions import WRONG, Session, Sessions
from hilum.access.tables import Database
from hilum.access.throttle import Throttle
from hilum.access.users import OTHER, User, Users, by_identity, insert, is_free, new_user, secret_of
from hilum.errors import NotAllowed, NotSignedIn, TooManyAttempts
from hilum.secret import derived

IDLE_SECONDS = 30 * 60.0
WHOLE_SECONDS = 12 * 3600.0


@dataclass(frozen=True, slots=True)
class Access:
    """The parts of access and what needs several of them; every method may block on the database."""

    ground: Ground
    users: Users
    keys: Keys
    sessions: Sessions
    links: Links
    throttle: Throttle

    def sign_in(self, name: str, password: str, address: str, old: str | None = None) -> Session:
        """A session for a name and a password; `old` is the session the browser came with.

        Raises:
            NotSignedIn: one of the two is wrong; never says which.
            TooManyAttempts: says how long to wait.
        """
        self._knock(name, address, NOBODY)
        with self.ground.database.reading() as connection:
            user, secret = secret_of(connection, name)
        if not fits(password, secret) or user is None:
            about = user.id if user else ""  # an unknown name is not kept: it may be a password in the wrong box
            self.ground.tell(Deed("sign_in_failed", NOBODY, about, personal={"address": address}))
            raise NotSignedIn(WRONG)
        self.throttle.open(name, address)
        return self.sessions.start(user, "session", old, secret)

    def sign_in_as(self, identity: str, name: str, role: str, old: str | None = None) -> Session:
        """A session for somebody an OpenID Connect provider vouches for; known again by `identity`, not by name.

        Raises:
            NotAllowed: the user is shut out here.
        """
        with self.ground.database.writing() as connection:
            user = by_identity(connection, identity)
            fresh = user is None
            if user is None:
                shown = name if is_free(connection, name) else f"{name}+{self.ground.hash('name', identity).hex()[:6]}"
                user = insert(connection, new_user(shown, role, self.ground.now(), identity), "")
        if fresh:
            self.ground.tell(Deed("user_added", NOBODY, user.id, {"role": role, "via": "oidc"}))
        if user.disabled:
            raise NotAllowed("this user is shut out: ask an administrator")
        if user.role != role:
            user = self.users.set_role(user.id, role, user.caller("oidc"))
        return self.sessions.start(user, "oidc", old)

    def change_password(self, caller: Caller, old: str, new: str, address: str) -> User:
        """The own password; every session of the user ends.

        Raises:
            NotSignedIn: the old one is wrong.
            TooManyAttempts: says how long to wait.
            UsageError: the new one is weak.
        """
        self._knock(caller.name, address, caller.id)
        with self.ground.database.reading() as connection:
            user, secret = secret_of(connection, caller.name)
        if not fits(old, secret) or user is None or user.id != caller.id:
            self.ground.tell(Deed("password_refused", caller.id, caller.id, personal={"address": address}))
            raise NotSignedIn(OTHER)
        self.throttle.open(caller.name, address)
        return self.users.set_password(user.id, new, caller, old=secret)

    def _knock(self, name: str, address: str, by: str) -> None:
        """One more try; that too many came is on record."""
        try:
            self.throttle.knock(name, address)
        except TooManyAttempts:
            self.ground.tell(Deed("sign_in_throttled", by, personal={"address": address}))
            raise

    def close(self) -> None:
        """Give the connections back."""
        self.ground.database.close()


@dataclass(frozen=True, slots=True)
class Spans:
    """How long a session lives: seconds without a request, and at most."""

    idle: float = IDLE_SECONDS
    whole: float = WHOLE_SECONDS


def open_access(
    url: str,
    secret: bytes,
    *,
    tell: Tell = tell_nobody,
    spans: Spans | None = None,
    now: Callable[[], float] = time.time,
) -> Access:
    """Open access in a database, and make or update its tables.

    Raises:
        UsageError: the URL is none, or the database is from a newer hilum.
    """
    spans = spans or Spans()
    ground = Ground(Database(url), derived(secret, "access"), tell, now)
    sessions = Sessions(ground, spans.idle, spans.whole)
    return Access(ground, Users(ground), Keys(ground), sessions, Links(ground), Throttle(ground))
