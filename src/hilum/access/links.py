"""One-time links: the first administrator and invited users choose their own password; no default password exists."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hilum.access.caller import Caller
from hilum.access.deed import NOBODY, Deed
from hilum.access.ground import Ground, new_token
from hilum.access.passwords import check_new, hashed
from hilum.access.tables import links, sessions, users
from hilum.access.users import User, anybody, insert, new_user
from hilum.errors import NotFound, NotSignedIn

FIRST_SECONDS = 24 * 3600.0
INVITED_SECONDS = 72 * 3600.0
SPENT = "the link was used, has ended, or never was: ask for another"


@dataclass(frozen=True, slots=True)
class Links:
    """The links of one installation; a token is told once and only its keyed hash is kept."""

    ground: Ground

    def first(self) -> str | None:
        """A token that makes the first administrator, while there is no user; None afterwards."""
        with self.ground.database.writing() as connection:
            return None if anybody(connection) else self._add(connection, "", FIRST_SECONDS)

    def invite(self, user: str, by: Caller) -> str:
        """A token with which this user (an id) chooses a password; the user's older links end.

        Raises:
            NotFound: no such user.
        """
        with self.ground.database.writing() as connection:
            if connection.execute(sa.select(users.c.id).where(users.c.id == user)).first() is None:
                raise NotFound("no such user")
            connection.execute(sa.delete(links).where(links.c.user == user))
            token = self._add(connection, user, INVITED_SECONDS)
        self.ground.tell(Deed("link_made", by.id, user))
        return token

    def begin(self, token: str, name: str, password: str) -> User:
        """The first administrator.

        Raises:
            NotSignedIn: the link is spent, or there are users already.
            UsageError: no name, or a weak password; the link stays.
        """
        check_new(password, name)
        self._must_be(token)  # before the costly hash
        secret = hashed(password)
        with self.ground.database.writing() as connection:
            if self._owner(connection, token) != "" or anybody(connection):
                raise NotSignedIn(SPENT)
            user = insert(connection, new_user(name, "admin", self.ground.now()), secret)
            connection.execute(sa.delete(links).where(links.c.user == ""))
        self.ground.tell(Deed("first_start", NOBODY, user.id, {"role": "admin"}))
        return user

    def accept(self, token: str, password: str) -> User:
        """The invited user, with the password chosen; ends the user's sessions.

        Raises:
            NotSignedIn: the link is spent.
            UsageError: a weak password; the link stays.
        """
        check_new(password, "")
        self._must_be(token)
        secret = hashed(password)
        with self.ground.database.writing() as connection:
            owner = self._owner(connection, token)
            mine = sa.and_(users.c.id == owner, sa.not_(users.c.disabled))
            row = connection.execute(sa.select(users).where(mine)).first() if owner else None
            if row is None:
                raise NotSignedIn(SPENT)
            check_new(password, row.name)
            connection.execute(sa.update(users).where(mine).values(password=secret))
            connection.execute(sa.delete(links).where(links.c.user == owner))
            connection.execute(sa.delete(sessions).where(sessions.c.user == owner))
        self.ground.recent.clear()
        self.ground.tell(Deed("password_changed", row.id, row.id))
        return User(row.id, row.name, row.role, False, row.created, True, row.identity)

    def _must_be(self, token: str) -> None:
        with self.ground.database.reading() as connection:
            if self._owner(connection, token) is None:
                raise NotSignedIn(SPENT)

    def _owner(self, connection: Connection, token: str) -> str | None:
        mine = sa.and_(links.c.hash == self.ground.hash("link", token), links.c.ends > self.ground.now())
        return connection.scalar(sa.select(links.c.user).where(mine))

    def _add(self, connection: Connection, user: str, seconds: float) -> str:
        token, now = new_token(), self.ground.now()
        connection.execute(sa.delete(links).where(links.c.ends <= now))
        row = {"hash": self.ground.hash("link", token), "user": user, "ends": now + seconds}
        connection.execute(sa.insert(links).values(**row))
        return token
