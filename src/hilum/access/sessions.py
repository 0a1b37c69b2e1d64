"""A browser's random token, kept as a keyed hash -> the caller, until it idles too long or reaches its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hilum.access.caller import Caller, Via
from hilum.access.deed import Deed
from hilum.access.ground import Ground, new_token
from hilum.access.tables import sessions, users
from hilum.access.users import User
from hilum.errors import NotSignedIn

STAMPED = 30.0  # `seen` is written at most once in so many seconds
EXPIRED = "the session has ended: sign in again"
WRONG = "the name or the password is wrong"


@dataclass(frozen=True, slots=True)
class Session:
    """A session as the browser keeps it; `csrf` goes into the header X-CSRF-Token; `ends` in seconds since 1970 UTC."""

    token: str
    csrf: str
    caller: Caller
    ends: float


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of one installation; `idle` and `whole` are seconds."""

    ground: Ground
    idle: float
    whole: float

    def start(self, user: User, via: Via, old: str | None = None, secret: str | None = None) -> Session:
        """A new session; the one the browser came with, and whatever has ended, goes.

        secret: the stored hash that a password was found to fit; finding out takes time.

        Raises:
            NotSignedIn: the user has another password by now.
        """
        token, now = new_token(), self.ground.now()
        over = sa.or_(sessions.c.ends <= now, sessions.c.seen <= now - self.idle)
        held = sa.select(users.c.password).where(users.c.id == user.id)
        with self.ground.database.writing() as connection:
            if secret is not None and secret != connection.scalar(held):
                raise NotSignedIn(WRONG)
            connection.execute(sa.delete(sessions).where(over))
            if old:
                connection.execute(sa.delete(sessions).where(sessions.c.hash == self._hash(old)))
            row = {"hash": self._hash(token), "user": user.id, "via": via, "seen": now, "ends": now + self.whole}
            connection.execute(sa.insert(sessions).values(**row))
        self.ground.recent.clear()
        self.ground.tell(Deed("signed_in", user.id, user.id, {"via": via}))
        return Session(token, self.csrf(token), user.caller(via), now + self.whole)

    def known(self, token: str) -> Caller | None:
        """The caller of a session that was verified a moment ago; never touches the database."""
        return self.ground.recent.get(self._hash(token))

    def check(self, token: str) -> Caller:
        """The caller of a session, which is seen thereby.

        Raises:
            NotSignedIn: no such session, idle for too long, at its end, or its user is shut out.
        """
        digest, now, turn = self._hash(token), self.ground.now(), self.ground.recent.turn
        row = self._found(digest, now)
        if row.seen > now or now - row.seen > min(STAMPED, self.idle / 4):  # or the clock was set back
            self._see(digest, now)
        caller = _caller(row)
        self.ground.recent.put(digest, caller, min(row.ends - now, self.idle / 4), turn)
        return caller

    def peek(self, token: str) -> Caller:
        """The caller of a session with which a page asks by itself: that nobody sits there goes on being noticed.

        Raises:
            NotSignedIn: as in `check`.
        """
        return _caller(self._found(self._hash(token), self.ground.now()))

    def end(self, token: str) -> None:
        """Sign out; a session that is gone already is no error."""
        with self.ground.database.writing() as connection:
            mine = sessions.c.hash == self._hash(token)
            user = connection.scalar(sa.select(sessions.c.user).where(mine))
            connection.execute(sa.delete(sessions).where(mine))
        self.ground.recent.clear()
        if user:
            self.ground.tell(Deed("signed_out", user, user))

    def csrf(self, token: str) -> str:
        """What the page must send along with this session to change anything."""
        return self.ground.hash("csrf", token).hex()

    def _found(self, digest: bytes, now: float) -> sa.Row[Any]:
        joined = sa.select(sessions.c.via, sessions.c.seen, sessions.c.ends, users).join(users)
        with self.ground.database.reading() as connection:
            row = connection.execute(joined.where(sessions.c.hash == digest)).first()
        if row is None or row.disabled or row.ends <= now or row.seen + self.idle <= now:
            raise NotSignedIn(EXPIRED)
        return row

    def _see(self, digest: bytes, now: float) -> None:
        with self.ground.database.writing() as connection:
            connection.execute(sa.update(sessions).where(sessions.c.hash == digest).values(seen=now))

    def _hash(self, token: str) -> bytes:
        return self.ground.hash("session", token)


def _caller(row: sa.Row[Any]) -> Caller:
    user = User(row.id, row.name, row.role, bool(row.disabled), row.created, bool(row.password), row.identity)
    return user.caller(row.via)
