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
                self._asked = self._begun()
            asked = self._asked
        try:
            return asked.result(self._seconds)
        except TimeoutError:
            return False

    def _begun(self) -> Future[bool]:
        asked: Future[bool] = Future()
        try:
            threading.Thread(target=self._run, args=(asked,), name="hilum-probe", daemon=True).start()
        except RuntimeError:  # there may be no more threads now: no answer, and the next one asks again
            asked.set_result(False)
        return asked

    def _run(self, asked: Future[bool]) -> None:
        good = False
        try:
            good = self._ask()
        finally:  # whatever it was, it is no yes
            asked.set_result(good)
