"""A question that may stay without an answer -> a word within some seconds; knows not what is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future


class Probe:
    """Asks in a thread of its own, once at a time: who asks while an answer is outstanding waits for that one."""

    def __init__(self, ask: Callable[[], bool], seconds: float) -> None:
        """`ask` may block; who asks here waits `seconds` at most."""
        self._ask, self._seconds = ask, seconds
        self._asked: Future[bool] | None = None
        self._lock = threading.Lock()

    def good(self) -> bool:
        """Whether the answer is yes; one that does not come in time is a no."""
        with self._lock:
            if self._asked is None or self._asked.done():
                self._asked = Future()
                threading.Thread(target=self._run, args=(self._asked,), name="hilum-probe", daemon=True).start()
            asked = self._asked
        try:
            return asked.result(self._seconds)
        except TimeoutError:
            return False

    def _run(self, asked: Future[bool]) -> None:
        good = False
        try:
            good = self._ask()
        finally:  # whatever it was, it is no yes
            asked.set_result(good)
