"""Wrong passwords, counted by name and by address -> how long to wait; keeps keyed hashes only.

Each try is counted before the password is looked at, so that many at once gain nothing. After the free tries the wait
doubles. A stranger cannot lock a user out for long: the strict count is by name AND address, the one by name alone is
generous and short.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hilum.access.ground import Ground
from hilum.access.tables import attempts
from hilum.errors import TooManyAttempts

FORGOTTEN = 3600.0  # seconds without a try after which a count begins anew
DOUBLED = 10  # times: beyond every longest wait, and far from what a float holds


@dataclass(frozen=True, slots=True)
class Count:
    """Tries that are free, and the longest wait in seconds after them."""

    purpose: str
    free: int
    longest: float

    def wait(self, failures: int) -> float:
        """Seconds between one try and the next."""
        return 0.0 if failures < self.free else min(self.longest, 2.0 ** min(failures - self.free, DOUBLED))


PAIR = Count("name and address", 5, 900.0)
NAME = Count("name", 50, 30.0)
ADDRESS = Count("address", 30, 900.0)


@dataclass(frozen=True, slots=True)
class Throttle:
    """The counts of one installation."""

    ground: Ground

    def knock(self, name: str, address: str) -> None:
        """Count one try.

        Raises:
            TooManyAttempts: says how long to wait; the try is not counted, nothing may be checked.
        """
        now, wait = self.ground.now(), 0.0
        with self.ground.database.writing() as connection:
            connection.execute(sa.delete(attempts).where(attempts.c.last < now - FORGOTTEN))
            connection.execute(sa.update(attempts).where(attempts.c.last > now).values(last=now))  # a clock set back
            found = [(digest, *self._seen(connection, digest, count)) for count, digest in self._counts(name, address)]
            wait = max(last + pause - now for _, _, last, pause in found)
            for digest, failures, _, _ in found if wait <= 0 else ():
                connection.execute(sa.delete(attempts).where(attempts.c.hash == digest))
                connection.execute(sa.insert(attempts).values(hash=digest, failures=failures + 1, last=now))
        if wait > 0:
            raise TooManyAttempts(wait)

    def open(self, name: str, address: str) -> None:
        """The password was right: the name's counts end, the address keeps its other failures."""
        *mine, (_, whole) = self._counts(name, address)
        with self.ground.database.writing() as connection:
            connection.execute(sa.delete(attempts).where(attempts.c.hash.in_([digest for _, digest in mine])))
            less = sa.update(attempts).where(attempts.c.hash == whole)
            connection.execute(less.values(failures=attempts.c.failures - 1))

    def _counts(self, name: str, address: str) -> tuple[tuple[Count, bytes], ...]:
        name = unicodedata.normalize("NFKC", name).strip().casefold()  # as users.py finds them
        keys = ((PAIR, f"{name}\0{address}"), (NAME, name), (ADDRESS, address))
        return tuple((count, self.ground.hash(count.purpose, key)) for count, key in keys)

    def _seen(self, connection: Connection, digest: bytes, count: Count) -> tuple[int, float, float]:
        row = connection.execute(sa.select(attempts).where(attempts.c.hash == digest)).first()
        return (0, 0.0, 0.0) if row is None else (row.failures, row.last, count.wait(row.failures))
