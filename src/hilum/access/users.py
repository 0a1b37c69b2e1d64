"""Names, roles and passwords -> users, and back; knows no session and no throttling."""

from __future__ import annotations

import re
import unicodedata
import uuid
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from hilum.access.caller import ACTS, NO_USERS, Caller, Via, acts_of, roles_up_to
from hilum.access.deed import Deed, What
from hilum.access.ground import Ground
from hilum.access.passwords import check_new, hashed
from hilum.access.tables import links, sessions, users
from hilum.errors import NotFound, NotSignedIn, UsageError

NAME = re.compile(r"[\w][\w.@+-]{0,63}")
OTHER = "the old password is wrong"


@dataclass(frozen=True, slots=True)
class User:
    """One user; `created` is seconds since 1970 UTC; `has_password` is false for invited and OpenID Connect users."""

    id: str
    name: str
    role: str
    disabled: bool
    created: float
    has_password: bool
    identity: str | None = None

    def caller(self, via: Via = "session") -> Caller:
        """The user as the one who asks."""
        return Caller(self.id, self.name, roles_up_to(self.role), via, acts_of(self.role) & set(ACTS))


@dataclass(frozen=True, slots=True)
class Users:
    """The users of one installation."""

    ground: Ground

    def all(self) -> tuple[User, ...]:
        """Everybody, by name."""
        with self.ground.database.reading() as connection:
            rows = connection.execute(sa.select(users).order_by(users.c.folded)).all()
        return tuple(_user(row) for row in rows)

    def find(self, name_or_id: str) -> User:
        """One user.

        Raises:
            NotFound: nobody has this name or id.
        """
        with self.ground.database.reading() as connection:
            return _user(_row(connection, name_or_id))

    def add(self, name: str, role: str, by: Caller, *, password: str | None = None) -> User:
        """A new user; without a password only a link lets them in.

        Raises:
            UsageError: the name is taken or no name, no such role, a weak password.
        """
        if password is not None:
            check_new(password, name)
        secret = hashed(password) if password is not None else ""
        with self.ground.database.writing() as connection:
            user = insert(connection, new_user(name, role, self.ground.now()), secret)
        self._tell("user_added", by, user, role=role)
        return user

    def set_role(self, name_or_id: str, role: str, by: Caller) -> User:
        """Another role; ends the user's sessions.

        Raises:
            UsageError: no such role, or the last administrator would be lost.
        """
        roles_up_to(role)
        return self._change(name_or_id, by, ("role_changed", role), role=role)

    def disable(self, name_or_id: str, by: Caller) -> User:
        """Shut out: sessions end, keys and links no longer work.

        Raises:
            UsageError: the last administrator would be lost.
        """
        return self._change(name_or_id, by, ("user_disabled", ""), disabled=True)

    def enable(self, name_or_id: str, by: Caller) -> User:
        """Let in again."""
        return self._change(name_or_id, by, ("user_enabled", ""), disabled=False)

    def set_password(self, name_or_id: str, password: str, by: Caller, *, old: str | None = None) -> User:
        """Another password; ends the user's sessions.

        old: the stored hash of the one that was told, where the new one may only take its place.

        Raises:
            UsageError: a weak password. NotSignedIn: the user has another one than `old` by now.
        """
        check_new(password, self.find(name_or_id).name)
        return self._change(name_or_id, by, ("password_changed", ""), old, password=hashed(password))

    def _change(
        self, name_or_id: str, by: Caller, said: tuple[What, str], old: str | None = None, **values: object
    ) -> User:
        with self.ground.database.writing() as connection:
            before = _row(connection, name_or_id)
            if old is not None and before.password != old:
                raise NotSignedIn(OTHER)
            connection.execute(sa.update(users).where(users.c.id == before.id).values(**values))
            if before.role == "admin" and _admins(connection) == 0:
                raise UsageError(f"{before.name} is the last administrator: give somebody else the role first")
            connection.execute(sa.delete(sessions).where(sessions.c.user == before.id))
            connection.execute(sa.delete(links).where(links.c.user == before.id))
            user = _user(_row(connection, before.id))
        self.ground.recent.clear()
        what, role = said
        self._tell(what, by, user, role=role)
        return user

    def _tell(self, what: What, by: Caller, user: User, *, role: str = "") -> None:
        self.ground.tell(Deed(what, by.id, user.id, {"role": role} if role else {}))


def new_user(name: str, role: str, now: float, identity: str | None = None) -> User:
    """A user who is in no table yet.

    Raises:
        UsageError: no name, or no such role.
    """
    name = unicodedata.normalize("NFKC", name).strip()
    if not NAME.fullmatch(name):
        raise UsageError("a name has 1 to 64 letters, digits or . @ + - _ and begins with a letter or digit")
    roles_up_to(role)
    return User(str(uuid.uuid4()), name, role, disabled=False, created=now, has_password=False, identity=identity)


def insert(connection: Connection, user: User, secret: str) -> User:
    """The new user with the hash of a password or "", within a transaction of the caller's.

    Raises:
        UsageError: the name is taken.
    """
    folded = user.name.casefold()
    if not is_free(connection, user.name):
        raise UsageError(f"the name {user.name} is taken")
    row = {"id": user.id, "name": user.name, "folded": folded, "role": user.role, "identity": user.identity}
    connection.execute(sa.insert(users).values(**row, password=secret, disabled=False, created=user.created))
    return replace(user, has_password=bool(secret))


def is_free(connection: Connection, name: str) -> bool:
    """Whether nobody has this name, nor an id that reads so: either stands for somebody wherever one is named."""
    folded = unicodedata.normalize("NFKC", name).strip().casefold()
    taken = sa.or_(users.c.folded == folded, users.c.id == folded)
    return folded not in NO_USERS and connection.execute(sa.select(users.c.id).where(taken)).first() is None


def secret_of(connection: Connection, name: str) -> tuple[User | None, str]:
    """Who signs in under this name, and the stored hash; nobody and "" when there is none or they are shut out."""
    folded = unicodedata.normalize("NFKC", name).strip().casefold()
    row = connection.execute(sa.select(users).where(users.c.folded == folded)).first()
    return (None, "") if row is None or row.disabled else (_user(row), row.password)


def by_identity(connection: Connection, identity: str) -> User | None:
    """The user of OpenID Connect with this identity."""
    row = connection.execute(sa.select(users).where(users.c.identity == identity)).first()
    return None if row is None else _user(row)


def anybody(connection: Connection) -> bool:
    """Whether there is any user at all."""
    return connection.execute(sa.select(users.c.id).limit(1)).first() is not None


def _admins(connection: Connection) -> int:
    able = sa.select(sa.func.count()).where(users.c.role == "admin", sa.not_(users.c.disabled))
    return connection.scalar(able) or 0


def _row(connection: Connection, name_or_id: str) -> Row[tuple[object, ...]]:
    folded = unicodedata.normalize("NFKC", name_or_id).strip().casefold()
    either = sa.or_(users.c.id == name_or_id, users.c.folded == folded)
    mine = sa.case((users.c.id == name_or_id, 0), else_=1)  # an id first: a name of older records may read like one
    row = connection.execute(sa.select(users).where(either).order_by(mine)).first()
    if row is None:
        raise NotFound("no user of that name")
    return row


def _user(row: Row[tuple[object, ...]]) -> User:
    return User(row.id, row.name, row.role, bool(row.disabled), row.created, bool(row.password), row.identity)
