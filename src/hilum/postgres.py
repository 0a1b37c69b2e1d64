"""The address of a PostgreSQL -> the same with a bound on every wait for the network and for others' locks.

A network that swallows packets and a lock that nobody gives back else keep a thread waiting for ever: libpq has no
bound of its own, and Linux gives a dead connection up after a quarter of an hour.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.engine import URL

# seconds, tcp_user_timeout milliseconds; what the operator writes behind the ? of the address counts instead
BOUNDS = {
    "connect_timeout": "5",
    "tcp_user_timeout": "10000",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
}
LEVEL: Final = "READ COMMITTED"  # who waited for a lock sees what its holder did, whatever the default is
LOCK_SECONDS = 10  # a statement waits so long for a lock that somebody else holds


def bounded(address: URL) -> URL:
    """The address with the bounds that it does not set itself."""
    return address.update_query_dict({name: value for name, value in BOUNDS.items() if name not in address.query})


def bound_locks(connection: Any, _record: Any) -> None:
    """For SQLAlchemy's event `connect`: no statement of this connection waits longer than LOCK_SECONDS for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
    connection.commit()
