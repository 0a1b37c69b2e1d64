"""A server under load, killed at random instants -> proof that nothing acknowledged is lost, doubled or half there.

    python benchmarks/chaos.py [--kills 1000] [--clients 4] [--minutes M] [--seed 0] [--keep DIR]

Each client posts pictures with an Idempotency-Key and, like a careful program, repeats a request that got no answer
until it has one. The server is killed with SIGKILL: while it starts, opens its database, decodes, keeps, commits,
replies. At the end every key must have exactly one record with the id that was told, every kept picture must be there
and be the one that was sent, and `hilum verify` must find nothing. Exit code 1 where anything does not hold.

Lives begin as forks of a process that has imported the server, so that a thousand of them fit into minutes; every
fiftieth is a fresh `hilum serve`.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from hilum.flows.verify import verify
from hilum.records.query import Query
from hilum.records.store import Records, open_records
from hilum.secret import read_secret
from hilum.settings import read_settings
from hilum.storage.images import open_images

ROOT = Path(__file__).resolve().parents[1]
HEAD = "journal.heads"
FRESH = 50  # every such life is a program of its own
PICTURES = 64


@dataclass
class Load:
    """Clients that never give up; what they were told."""

    port: int
    pictures: list[bytes]
    told: dict[str, tuple[str, int]] = field(default_factory=dict)  # key -> (id, number of the picture)
    repeated: int = 0
    refused: dict[int, int] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, seed: float) -> None:
        """One caller: a request at a time, each until it is answered."""
        chance = random.Random(seed)
        while not self.stop.is_set():
            key, number = uuid.uuid4().hex, chance.randrange(len(self.pictures))
            while (identity := self._asked(key, self.pictures[number])) is None:
                self.repeated += 1
                time.sleep(0.05)
            with self.lock:
                self.told[key] = (identity, number)

    def _asked(self, key: str, picture: bytes) -> str | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("POST", "/predict?task=pneumonia-cxr", picture,
                               {"Content-Type": "image/png", "Idempotency-Key": key})  # fmt: skip
            answer = connection.getresponse()
            said = json.loads(answer.read())
            if answer.status == 200:
                return str(said["id"])
            with self.lock:
                self.refused[answer.status] = self.refused.get(answer.status, 0) + 1
        except (OSError, http.client.HTTPException, ValueError):
            pass
        finally:
            connection.close()
        return None


class Lives:
    """Starts the server again and again; a zygote forks it, so that imports are paid once."""

    def __init__(self, home: Path, port: int) -> None:
        self._port = port
        self._environment = {**os.environ, "HILUM_HOME": str(home), "HILUM_AUTH": "off"}
        self._zygote = subprocess.Popen(
            [sys.executable, __file__, "--zygote", str(port)], env=self._environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def begin(self, *, fresh: bool) -> int:
        """The process id of a server that has just begun to start."""
        if fresh:
            command = [sys.executable, "-m", "hilum", "serve", "--port", str(self._port)]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            return subprocess.Popen(command, env=self._environment, **quiet).pid  # type: ignore[call-overload,no-any-return]
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write("\n")
        self._zygote.stdin.flush()
        return int(self._zygote.stdout.readline())

    def end(self, pid: int) -> None:
        """SIGKILL, and wait until the kernel has let go."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.002)

    def close(self) -> None:
        """End the zygote."""
        self._zygote.kill()
        self._zygote.wait()


def zygote(port: int) -> None:
    """One line in, one server forked, its process id out."""
    import hilum.interfaces.http.server
    from hilum.interfaces.cli.main import main as hilum

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries them
    pid = 0
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            quiet = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(quiet, stream)
            os._exit(hilum(["serve", "--port", str(port)]))
        print(pid, flush=True)
    if pid:  # whoever asked has gone
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def main() -> int:
    """Run the load, kill, count."""
    options = _options()
    if options.zygote is not None:
        zygote(options.zygote)
        return 0
    with _home(options.keep) as home:
        load, kills, lasted = _storm(home, options)
        faults = _wrong(home, load)
    for fault in faults:
        print(fault, file=sys.stderr)
    refused = f", refused {load.refused}" if load.refused else ""
    print(
        f"{kills} kills in {lasted:.0f} s; {len(load.told)} predictions acknowledged, "
        f"{load.repeated} requests repeated{refused}; {len(faults)} fault(s)"
    )
    sound = f"0 faults in {kills} kills: below {3 / max(kills, 1):.2%} a kill with 95% confidence"
    print("NOT sound" if faults else sound)
    return bool(faults)


def _storm(home: Path, options: argparse.Namespace) -> tuple[Load, int, float]:
    chance = random.Random(options.seed)
    port = _free_port()
    load, lives = Load(port, _pictures(chance)), Lives(home, port)
    threads = [
        threading.Thread(target=load.client, args=(chance.random(),), daemon=True) for _ in range(options.clients)
    ]
    for thread in threads:
        thread.start()
    started, kills = time.monotonic(), 0
    try:
        for life in range(options.kills):
            if options.minutes and time.monotonic() - started > 60 * options.minutes:
                break
            pid = lives.begin(fresh=life % FRESH == FRESH - 1)
            if chance.random() < 0.8:  # the others die while they start
                _wait_until_it_answers(load)
            time.sleep(chance.uniform(0, options.longest))
            lives.end(pid)
            kills = life + 1
            if kills % 100 == 0:
                print(f"{kills} kills, {len(load.told)} acknowledged", file=sys.stderr, flush=True)
        pid = lives.begin(fresh=True)  # everybody gets an answer now
        load.stop.set()
        for thread in threads:
            thread.join(timeout=120)
        assert not any(thread.is_alive() for thread in threads), "a request was never answered"
        lives.end(pid)
    finally:
        lives.close()
    return load, kills, time.monotonic() - started


def _wrong(home: Path, load: Load) -> list[str]:
    """What does not hold, in sentences."""
    settings = read_settings({"HILUM_HOME": str(home)})
    secret = read_secret(settings.secret_file)
    records, images = open_records(settings.database_url, secret, home / HEAD), open_images(settings.images_url, secret)
    found = verify(records, images)
    faults = list(found.faults)
    rows = dict(_predictions(records))
    faults += [f"acknowledged {identity} is lost" for identity, _ in load.told.values() if identity not in rows]
    known = {identity for identity, _ in load.told.values()}
    if len(known) != len(load.told):
        faults.append("two keys were told one id")
    faults += [
        f"{identity} is on record and nobody was told: one request, two records"
        for identity in rows
        if identity not in known
    ]
    keys = [images.key(picture) for picture in load.pictures]
    other = [identity for identity, number in load.told.values() if rows.get(identity, keys[number]) != keys[number]]
    faults += [f"{identity} names another picture than the one that was sent" for identity in other]
    print(f"{found.rows} records, {found.checkpoints} checkpoints, {found.images} pictures; {len(rows)} predictions")
    images.close()
    records.close()
    return faults


def _predictions(records: Records) -> Iterator[tuple[str, str | None]]:
    cursor: str | None = None
    while True:
        page = records.find(Query(limit=1000, cursor=cursor))
        for record in page.records:
            yield record.id, record.entry.columns.image
        cursor = page.next_cursor
        if cursor is None:
            return


def _wait_until_it_answers(load: Load) -> None:
    """Until one more prediction is acknowledged, at most 30 seconds."""
    before, end = len(load.told), time.monotonic() + 30
    while len(load.told) == before and time.monotonic() < end:
        time.sleep(0.005)


def _pictures(chance: random.Random) -> list[bytes]:
    """Films that differ in some pixels, of the sizes that callers send."""
    films = sorted((ROOT / "samples" / "pneumonia-cxr").glob("*.png"))
    made = []
    for i in range(PICTURES):
        with Image.open(films[i % len(films)]) as film:
            pixels = np.array(film.convert("L").resize((256, 256)))
        pixels[:4, :4] = chance.randrange(256)
        pixels[4:6, 4:6] = i
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG")
        made.append(out.getvalue())
    return made


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def _home(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="hilum-chaos-") as folder:
        yield Path(folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=4, help="requests on their way at once")
    parser.add_argument("--longest", type=float, default=0.5, help="seconds of a life after its first answer")
    parser.add_argument("--minutes", type=float, help="end sooner, with what there is")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="leave the installation here, a folder that is not there yet")
    parser.add_argument("--zygote", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
