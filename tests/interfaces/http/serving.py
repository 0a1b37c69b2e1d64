"""`hilum serve` as a process of its own, whose memory, files and words can be looked at."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.interfaces.http.running import DEADLINE_MS, PATIENT, Answer


@dataclass
class Serving:
    """A server on loopback with the processes that it starts; `said` is the file its stderr goes to."""

    process: subprocess.Popen[bytes]
    port: int
    home: Path
    said: Path

    def ask(
        self, method: str, path: str, body: bytes | str | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENT)
        try:
            connection.request(method, path, body, dict(headers or {}))
            got = connection.getresponse()
            return Answer(got.status, {key.lower(): value for key, value in got.getheaders()}, got.read())
        finally:
            connection.close()

    def readiness(self) -> Answer:
        """What it says of itself: a loaded machine may be too slow for its question to the disk, but not each time."""
        until = time.monotonic() + PATIENT
        while (said := self.ask("GET", "/readyz")).status != 200 and time.monotonic() < until:
            time.sleep(0.1)
        return said

    def cost(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[Answer, float]:
        """One request, and the processor seconds that the server took for it, whatever else the machine does."""
        before = self._spent()
        answer = self.ask(method, path, body, headers)
        return answer, self._spent() - before

    def _spent(self) -> float:
        spent = 0.0
        for one in self._processes():
            with suppress(psutil.NoSuchProcess):  # it ended meanwhile, and counts with the one that started it
                spent += sum(one.cpu_times()[:4])
        return spent

    def _processes(self) -> list[psutil.Process]:
        server = psutil.Process(self.process.pid)
        return [server, *server.children(recursive=True)]

    def raw(self, data: bytes, *, finish: bool = False, seconds: float = 20) -> bytes:
        """Bytes on the wire as they are, and what comes back until the server closes or falls silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as wire:
            got = b""
            try:
                wire.sendall(data)
                if finish:
                    wire.shutdown(socket.SHUT_WR)
                while block := wire.recv(65536):
                    got += block
                    if b"\r\n\r\n" in got and complete(got):
                        break
            except (TimeoutError, ConnectionError):
                pass
            return got

    def peak_bytes(self) -> int:
        """The most memory that each of its processes ever held, together."""
        held = 0
        for one in self._processes():
            with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                said = Path(f"/proc/{one.pid}/status").read_text()
                held += sum(map(int, re.findall(r"VmHWM:\s+(\d+) kB", said)))
        return held * 1024

    def words(self) -> str:
        return self.said.read_text(errors="replace")


def complete(got: bytes) -> bool:
    """Whether the first answer on the wire is whole."""
    head, _, body = got.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)content-length: (\d+)", head)
    return found is not None and len(body) >= int(found[1])


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[Serving]:
    """A server until the block ends; it must then leave in good order."""
    home, said = folder / "home", folder / "said"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HILUM_")}
    chosen = {"DEADLINE_MS": DEADLINE_MS, "HOME": str(home), **settings}
    environment |= {f"HILUM_{key}": value for key, value in chosen.items()}
    command = [sys.executable, "-m", "hilum", "serve", "--port", "0"]
    with said.open("wb") as out, subprocess.Popen(command, env=environment, stderr=out, stdout=out) as process:
        try:
            until = time.monotonic() + PATIENT
            while not (found := re.search(r"serves on http://127\.0\.0\.1:(\d+)", said.read_text())):
                assert process.poll() is None, said.read_text()
                assert time.monotonic() < until, said.read_text()
                time.sleep(0.02)
            yield Serving(process, int(found[1]), home, said)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENT) == 0
        finally:
            process.kill()
