"""API keys: made once and shown once, stored as a keyed hash -> the caller they stand for."""

from __future__ import annotations

import hmac
import secrets
import string
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Row

from hilum.access.caller import Caller, acts_of, roles_up_to, scopes_of
from hilum.access.deed import Deed
from hilum.access.ground import Ground, new_token
from hilum.access.tables import keys, users
from hilum.errors import NotFound, NotSignedIn, UsageError

DAY = 86400.0
LONGEST_DAYS = 3650
STAMPED = 3600.0  # `used` is written at most once in so many seconds
LETTERS = string.ascii_letters + string.digits
ID_LETTERS = 12
TOKEN_LONGEST = 128
NAME_LONGEST = 100
MOST = 20  # keys of one user that work: each has a rate of its own
MOST_A_DAY = 100  # made for one user: else whoever revokes one after the other has no end of rates


@dataclass(frozen=True, slots=True)
class Key:
    """One key without its secret; times are seconds since 1970 UTC."""

    id: str
    user: str
    name: str
    scopes: tuple[str, ...]
    created: float
    ends: float
    used: float | None
    revoked: bool

    @property
    def prefix(self) -> str:
        """What may be shown of it."""
        return f"hilum_{self.id}_…"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one installation."""

    ground: Ground

    def add(self, user: str, name: str, scopes: tuple[str, ...], days: int, by: Caller) -> tuple[Key, str]:
        """A new key of the user (an id) and its token, which is told this once.

        Raises:
            UsageError: scopes the user's role does not reach or a key cannot have, a wrong number of days; too many
                keys of the user work already, or were made within a day.
            NotFound: no such user.
        """
        wanted = scopes_of(scopes)
        if not 1 <= days <= LONGEST_DAYS:
            raise UsageError(f"a key lasts 1 to {LONGEST_DAYS} days")
        if not 1 <= len(name.strip()) <= NAME_LONGEST:
            raise UsageError(f"a key's name has 1 to {NAME_LONGEST} characters: say what it is for")
        identity, now = "".join(secrets.choice(LETTERS) for _ in range(ID_LETTERS)), self.ground.now()
        token = f"hilum_{identity}_{new_token()}"
        with self.ground.database.writing() as connection:
            owner = connection.execute(sa.select(users).where(users.c.id == user)).first()
            if owner is None:
                raise NotFound("no such user")
            if beyond := sorted(wanted - acts_of(owner.role)):
                raise UsageError(f"the role {owner.role} does not reach: {', '.join(beyond)}")
            mine = sa.select(sa.func.count()).where(keys.c.user == user, sa.not_(keys.c.revoked), keys.c.ends > now)
            if (connection.scalar(mine) or 0) >= MOST:
                raise UsageError(f"{MOST} keys work already: revoke one first")
            made = sa.select(sa.func.count()).where(keys.c.user == user, keys.c.created > now - DAY)
            if (connection.scalar(made) or 0) >= MOST_A_DAY:
                raise UsageError(f"{MOST_A_DAY} keys were made within a day: wait for the next one")
            key = Key(identity, user, name.strip(), tuple(sorted(wanted)), now, now + days * DAY, None, revoked=False)
            row = {"id": key.id, "user": user, "name": key.name, "scopes": " ".join(key.scopes), "created": now}
            connection.execute(
                sa.insert(keys).values(**row, ends=key.ends, revoked=False, hash=self.ground.hash("key", token))
            )
        self.ground.tell(Deed("key_added", by.id, user, {"key": key.id, "scopes": " ".join(key.scopes)}))
        return key, token

    def all(self, user: str | None = None) -> tuple[Key, ...]:
        """Everybody's keys, or one user's (an id), newest first."""
        wanted = sa.select(keys).order_by(keys.c.created.desc(), keys.c.id)
        with self.ground.database.reading() as connection:
            rows = connection.execute(wanted if user is None else wanted.where(keys.c.user == user)).all()
        return tuple(_key(row) for row in rows)

    def revoke(self, identity: str, by: Caller) -> Key:
        """End a key for good; others than administrators reach their own only.

        Raises:
            NotFound: no such key, or not the caller's.
        """
        mine = keys.c.id == identity if by.may("users") else sa.and_(keys.c.id == identity, keys.c.user == by.id)
        with self.ground.database.writing() as connection:
            connection.execute(sa.update(keys).where(mine).values(revoked=True))
            row = connection.execute(sa.select(keys).where(mine)).first()
        self.ground.recent.clear()
        if row is None:
            raise NotFound("no such key")
        self.ground.tell(Deed("key_revoked", by.id, row.user, {"key": identity}))
        return _key(row)

    def known(self, token: str) -> Caller | None:
        """The caller of a key that was verified a moment ago; never touches the database."""
        return self.ground.recent.get(self.ground.hash("key", token))

    def check(self, token: str) -> Caller:
        """The caller a key stands for.

        Raises:
            NotSignedIn: no such key, expired, revoked, or its user is shut out; never says which.
        """
        digest = self.ground.hash("key", token)
        if (caller := self.ground.recent.get(digest)) is not None:
            return caller
        parts = token[:TOKEN_LONGEST].split("_", 2)
        now, turn = self.ground.now(), self.ground.recent.turn
        if len(parts) != 3 or parts[0] != "hilum":
            raise NotSignedIn("the key is not valid")
        joined = sa.select(keys, users.c.name.label("owner"), users.c.role, users.c.disabled).join(users)
        with self.ground.database.reading() as connection:
            row = connection.execute(joined.where(keys.c.id == parts[1])).first()
        fits = hmac.compare_digest(row.hash if row else b"", digest)
        if row is None or not fits or row.revoked or row.disabled or row.ends <= now:
            raise NotSignedIn("the key is not valid")
        acts = frozenset(row.scopes.split()) & acts_of(row.role)
        caller = Caller(row.user, row.owner, roles_up_to(row.role), "key", acts, row.id)
        self.ground.recent.put(digest, caller, row.ends - now, turn)
        if row.used is None or now - row.used > STAMPED:
            self._stamp(row.id, now)
        return caller

    def _stamp(self, identity: str, now: float) -> None:
        with self.ground.database.writing() as connection:
            connection.execute(sa.update(keys).where(keys.c.id == identity).values(used=now))


def _key(row: Row[tuple[object, ...]]) -> Key:
    scopes = tuple(row.scopes.split())
    return Key(row.id, row.user, row.name, scopes, row.created, row.ends, row.used, bool(row.revoked))
