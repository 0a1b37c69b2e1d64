"""The process itself: told to stop in the middle of work it answers what it took, and says what went wrong as JSON."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from hilum.errors import UsageError
from hilum.interfaces.http import server
from hilum.interfaces.http.logs import configure
from hilum.interfaces.http.server import _listen, serve
from hilum.settings import read_settings
from tests.interfaces.http.forms import sample
from tests.interfaces.http.running import DEADLINE_MS, PATIENT


@pytest.fixture(params=["0", "2"], ids=["threads", "processes"])
def process(tmp_path: Path, request: pytest.FixtureRequest):
    command = [sys.executable, "-m", "hilum", "serve", "--port", "0"]
    env = {
        **os.environ,
        "HILUM_HOME": str(tmp_path),
        "HILUM_SERVE_WORKERS": request.param,
        "HILUM_DEADLINE_MS": DEADLINE_MS,
    }
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
        yield process, address_of(process)
        process.kill()


def address_of(process: subprocess.Popen[str]) -> str:
    """Where it serves, from the first line that says so: a library may have something to say of the machine before."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if found := re.search(r"serves on (http://[\d.]+:\d+)", line):
            return found[1]
    raise AssertionError(f"ended with {process.wait(PATIENT)}: {''.join(lines)}")


def ask(url: str, i: int) -> dict[str, object]:
    data = sample("pneumonia-cxr").read_bytes() + str(i).encode()
    request = urllib.request.Request(f"{url}/predict", data, {"Content-Type": "image/png"})
    with urllib.request.urlopen(request, timeout=PATIENT) as answer:
        assert "server" not in answer.headers  # of what it is made concerns nobody who asks
        return json.load(answer)


def until_ready(url: str) -> None:
    """Fails once it has not been ready for long: a loaded machine may be too slow for one question to the disk."""
    until = time.monotonic() + PATIENT
    while not ready(url):
        assert time.monotonic() < until


def ready(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/readyz", timeout=PATIENT).close()
    except urllib.error.HTTPError as error:
        error.close()
        return False
    return True


def test_sigterm_answers_who_was_taken_and_ends_well(process) -> None:
    running, url = process
    ask(url, -1)
    answered: list[dict[str, object]] = []
    taken = threading.Barrier(17, timeout=PATIENT)

    def one(i: int) -> None:
        data = sample("pneumonia-cxr").read_bytes() + str(i).encode()
        head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: {len(data)}"
        with socket.create_connection(tuple_of(url)) as connection:
            connection.sendall(f"{head}\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n".encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 100")  # it waits for the body: the question was taken
            taken.wait()
            connection.sendall(data)
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        answered.append(json.loads(received.partition(b"\r\n\r\n")[2]))

    threads = [threading.Thread(target=one, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    taken.wait()
    while len(answered) < 2:
        threading.Event().wait(0.002)
    running.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(PATIENT)
    assert len(answered) == 16
    assert all(one["prediction"] for one in answered)
    assert running.wait(PATIENT) == 0


def workers_of(server: int) -> list[psutil.Process]:
    """The processes that answer: the first one, and those that were forked from it."""
    below = psutil.Process(server).children(recursive=True)
    return [one for one in below if one.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(one.cmdline())]


@pytest.fixture
def workers(process) -> list[psutil.Process]:
    """The two processes of a server that has answered."""
    running, url = process
    ask(url, -1)
    found = workers_of(running.pid)
    assert len(found) == 2
    return found


@pytest.mark.parametrize("process", ["2"], indirect=True)
def test_workers_that_are_killed_under_load_cost_nobody_an_answer(process, workers) -> None:
    _, url = process
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(ask, url, i) for i in range(60)]
        for worker, when in zip(workers, (20, 40), strict=True):
            answers[when].result(PATIENT)
            worker.kill()
        assert [one.result(PATIENT)["prediction"]["class"] for one in answers] == ["normal"] * 60


@pytest.mark.parametrize("process", ["2"], indirect=True)
def test_workers_do_not_outlive_a_server_that_was_killed(process, workers) -> None:
    process[0].kill()
    gone, alive = psutil.wait_procs(workers, timeout=PATIENT)
    assert (len(gone), alive) == (2, [])


def tuple_of(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def test_the_address_is_said_before_any_fault_of_the_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the first line reads the address in it."""
    said, before = io.StringIO(), []
    opened = threading.Event()

    def opening(_parts: object, said: io.StringIO) -> None:
        before.append(said.getvalue())
        opened.set()

    monkeypatch.setattr(server, "_open_models", opening)
    monkeypatch.setattr(server, "configure", lambda *_: None)
    monkeypatch.setattr(server, "_Server", lambda *_: SimpleNamespace(run=lambda **_: opened.wait(PATIENT)))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(server, "assemble", lambda _: SimpleNamespace(access=None, line=None, meters=None))
    monkeypatch.setattr(server, "create_app", lambda _: None)
    settings = read_settings({"HILUM_HOME": str(tmp_path), "HILUM_SERVE_WORKERS": "0", "HILUM_AUHT": "on"})
    assert serve(settings, "127.0.0.1", 0, "warning", said=said) == 0
    assert "HILUM_AUHT is no setting" in said.getvalue()
    assert [re.match(r"Hilum serves on http://127\.0\.0\.1:\d+ ", words) is not None for words in before] == [True]


def test_open_connections_leave_files_for_the_answers(tmp_path: Path) -> None:
    command = 'ulimit -n 400; exec "$0" -m hilum serve --port 0'
    env = {**os.environ, "HILUM_HOME": str(tmp_path), "HILUM_SERVE_WORKERS": "0", "HILUM_DEADLINE_MS": DEADLINE_MS}
    with subprocess.Popen(["sh", "-c", command, sys.executable], env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            url = address_of(process)
            ask(url, 0)
            quiet = [socket.create_connection(tuple_of(url), timeout=PATIENT) for _ in range(600)]
            until_ready(url)
            for path in ("/app/history", "/app/export", "/samples", "/docs"):
                with urllib.request.urlopen(url + path, timeout=PATIENT) as answer:
                    assert answer.status == 200, path
            for one in quiet:
                one.close()
            process.terminate()
            said = process.communicate(timeout=PATIENT)[1]
        finally:
            process.kill()
    assert said.count("connections are open") == 1


@pytest.mark.parametrize("host", ["name.invalid", "192.0.2.1", "2001:db8::1"])
def test_an_address_that_is_not_this_machine_s_is_said_with_what_to_do(host: str) -> None:
    with pytest.raises(UsageError, match="choose another --host"):
        _listen(host, 0)


def test_an_address_in_use_is_said_with_what_to_do() -> None:
    with _listen("127.0.0.1", 0) as taken, pytest.raises(UsageError, match="choose another --port"):
        _listen("127.0.0.1", taken.getsockname()[1])


def test_a_log_line_is_json_and_repeats_no_words_of_an_error() -> None:
    kept = logging.getLogger().handlers, logging.getLogger().level
    stream = io.StringIO()
    try:
        configure("warning", stream)
        try:
            raise ValueError("Mr Smith.dcm cannot be read")
        except ValueError:
            logging.getLogger("hilum.http").exception("unexpected")
    finally:
        logging.getLogger().handlers, logging.getLogger().level = kept
    said = json.loads(stream.getvalue())
    assert (said["event"], said["level"], said["logger"]) == ("unexpected", "error", "hilum.http")
    assert "ValueError" in said["exception"]
    assert "Smith" not in stream.getvalue()


def test_sigterm_in_the_middle_of_the_start_is_heard(process) -> None:
    running, _ = process  # it has said where it listens, and opens its records and models
    running.send_signal(signal.SIGTERM)
    assert running.wait(PATIENT) == 0


HELD_UP = """
import sys, threading, time
from types import SimpleNamespace
from hilum.interfaces.cli.main import main
from hilum.interfaces.http import server
from hilum.jobs.batches import Batches
from hilum.jobs.works import Works

where, ends = sys.argv[1:]
held, let_go = threading.Event(), Works.close
last = held.wait if where == "inside" else threading.main_thread().join
never = threading.Event().wait
server.ONE_WISH = 0.0
server.time = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: last() if ends == "in time" else never())

def told(works):
    let_go(works)
    print("works told", flush=True)

def held_up(*_):
    print("held up", flush=True)
    held.set()
    if where == "inside":
        never()
    threading.Thread(target=never).start()  # Python waits for it at its end

Works.close, Batches.close = told, held_up
raise SystemExit(main(["serve", "--port", "0"]))
"""


@pytest.mark.parametrize(
    ("where", "second", "code"),
    [("inside", signal.SIGTERM, 143), ("behind", signal.SIGINT, 130), ("inside", None, 1), ("behind", None, 1)],
)
def test_a_server_that_is_held_up_at_its_end_is_ended_by_a_second_signal_or_in_time(
    where: str, second: signal.Signals | None, code: int, tmp_path: Path
) -> None:
    """As where the database is away and the engine of batches waits for it; a second Ctrl+C waited just as long."""
    command = [sys.executable, "-c", HELD_UP, where, "in time" if second is None else "by a signal"]
    env = {**os.environ, "HILUM_HOME": str(tmp_path), "HILUM_SERVE_WORKERS": "0"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            address_of(process)
            assert process.stdout is not None
            process.send_signal(signal.SIGTERM)
            assert process.stdout.readline() == "works told\n"  # whatever holds up the rest
            assert process.stdout.readline() == "held up\n"
            if second is not None:
                process.send_signal(second)
            assert process.wait(PATIENT) == code
            assert "ends at once; what was acknowledged is kept" in process.communicate()[1]
        finally:
            process.kill()


def test_a_rate_that_is_none_is_refused_before_anything_listens(tmp_path: Path) -> None:
    settings = read_settings({"HILUM_HOME": str(tmp_path), "HILUM_AUTH": "on", "HILUM_RATE": "a lot"})
    said = io.StringIO()
    with pytest.raises(UsageError, match="HILUM_RATE='a lot': write for example"):
        serve(settings, "127.0.0.1", 0, "warning", said=said)
    assert said.getvalue() == ""
    assert list(tmp_path.iterdir()) == []


def test_who_is_refused_does_not_go_on_listening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listening = _listen("127.0.0.1", 0)
    monkeypatch.setattr(server, "_listen", lambda *_: listening)
    monkeypatch.setattr(server, "configure", lambda *_: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    settings = read_settings({"HILUM_HOME": str(tmp_path), "HILUM_DATABASE_URL": "mysql://x/y"})
    with pytest.raises(UsageError, match="HILUM_DATABASE_URL"):
        serve(settings, "127.0.0.1", 0, "warning", said=io.StringIO())
    assert listening.fileno() == -1
