"""Days -> what is older is erased, and what crashes left over, once an hour while a server runs; knows no setting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from hilum.errors import HilumError
from hilum.flows.erase import Erased, Places, erase_older, sweep

HOUR = 3600.0
DAY = 86_400


def days_ago(days: int) -> int:
    """The moment so many days ago, microseconds since 1970 UTC; never before 1970."""
    return max(0, int(time.time()) - days * DAY) * 1_000_000


def retain(places: Places, days: int) -> Erased:
    """Erase what is older than so many days; 0 keeps everything."""
    if days == 0:
        return Erased(0, 0, 0, 0)
    return erase_older(days_ago(days), places)


class Retention:
    """Does so in a thread, first after a minute; what fails is told and tried again an hour later."""

    def __init__(self, places: Places, days: int, failed: Callable[[str], None], *, first: float = 60.0) -> None:
        """Wrap places; `failed` is told in words what could not be erased. `first`: seconds until the first run."""
        self._places, self._days, self._failed, self._first = places, days, failed, first
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hilum-retention", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop; a run that is under way is waited for, ten seconds at most: the next one finishes it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def _run(self) -> None:
        wait = self._first
        while not self._stop.wait(wait):
            wait = HOUR
            try:
                retain(self._places, self._days)
                sweep(self._places)
            except Exception as error:  # noqa: BLE001 - whatever it was, the next hour must come
                self._failed(str(error) if isinstance(error, HilumError) else f"{type(error).__name__}: {error}")
