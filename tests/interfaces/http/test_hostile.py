"""Hostile input against a real server: refused in about a second, within 256 MB, the server unharmed."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hilum.interfaces.http.body import JSON_BYTES
from hilum.secret import read_secret
from hilum.settings import shipped_models
from hilum.storage.images import open_images
from tests.interfaces.http import hostile
from tests.interfaces.http.running import Answer
from tests.interfaces.http.serving import Serving, serving

SECONDS = 3.0  # of the processor: about a second on a machine of today
MEMORY = 256 * 1024 * 1024
PICTURE = hostile.picture()
# whole images, however odd: these are answered (by a refusal of the gate)
IMAGES = {"apng 2^31 frames", "tiff loop", "dicomdir"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    workers = {"SERVE_WORKERS": "2", "SERVE_THREADS": "2"}  # each has a heap of its own: not as many as there are cores
    with serving(tmp_path_factory.mktemp("hostile"), UPLOAD_BYTES=str(16 << 20), **workers) as running:
        answer = running.ask("POST", "/predict", PICTURE, {"Content-Type": "image/png"})
        assert answer.status == 200
        yield running


def unharmed(server: Serving) -> None:
    """The server still answers as before, and said nothing of a fault."""
    answer = server.ask("POST", "/predict", PICTURE, {"Content-Type": "image/png"})
    assert answer.status == 200
    assert server.process.poll() is None
    assert "Traceback" not in server.words()


def is_refused(answer: Answer) -> bool:
    """A problem, or of an archive every member an error."""
    if answer.status == 200:
        return all("error" in member for member in answer.json().get("predictions", [{}]))
    return answer.status in (400, 413, 415, 422) and answer.is_problem()


def form(name: str, data: bytes, boundary: str = "b") -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode("utf-8", "surrogateescape") + data + f"\r\n--{boundary}--\r\n".encode()


FORM = {"Content-Type": "multipart/form-data; boundary=b"}


def test_bombs_and_polyglots_are_refused_fast_and_small(server: Serving) -> None:
    bad = []
    for _ in range(2):
        begun = server.peak_bytes()
        for name, data in {**hostile.bombs(), **hostile.POLYGLOTS}.items():
            before = server.peak_bytes()
            answer, seconds = server.cost("POST", "/predict", data, {"Content-Type": "image/png"})
            fine = answer.status == 200 if name in IMAGES else is_refused(answer)
            grown = server.peak_bytes() - before
            if not fine or seconds > SECONDS or grown > MEMORY:
                bad.append((name, answer.status, round(seconds, 2), grown >> 20, answer.body[:100]))
    assert bad == []
    assert server.peak_bytes() - begun < MEMORY  # all of them together, once what they need first was imported
    unharmed(server)


def test_in_a_form_a_bomb_does_not_stop_its_neighbour(server: Serving) -> None:
    bomb = hostile.png(30000, 30000)
    body = form("a.png", PICTURE)[:-7] + b"\r\n" + form("b.png", bomb)
    answer = server.ask("POST", "/predict", body, FORM)
    assert answer.status == 200
    first, second = answer.json()["predictions"]
    assert (first["file"], second["file"], second["code"]) == ("a.png", "b.png", "image_too_large")


def test_no_pickle_is_ever_read(server: Serving, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    for name, data in hostile.pickles(canary).items():
        for headers, body in (({"Content-Type": "application/octet-stream"}, data), (FORM, form("model.pt", data))):
            answer = server.ask("POST", "/predict", body, headers)
            assert is_refused(answer), name
    assert not canary.exists()
    unharmed(server)


def test_names_in_an_archive_lead_nowhere_either(server: Serving, tmp_path: Path) -> None:
    made = hostile.zip_of(**dict.fromkeys(("..__..__up.png", "__etc__x.png", "C:\\x.png", "ok.png"), PICTURE))
    answer = server.ask("POST", "/predict", made, {"Content-Type": "application/zip"})
    assert answer.status == 200
    shown = [member["file"] for member in answer.json()["predictions"]]
    assert not any(".." in name or name.startswith(("/", "\\")) or ":" in name for name in shown), shown
    assert not list(server.home.parent.rglob("*up.png"))


NAMES = [
    "../../../../etc/cron.d/hilum",
    "..\\..\\..\\windows\\system32\\x.dll",
    "/etc/passwd",
    "C:\\boot.ini",
    "\\\\host\\share\\x",
    "....//....//x",
    "%2e%2e%2fx",
    "..%c0%af..%c0%afx",
    "x\x00.png",
    "a\u202egnp.exe",
    "CON",
    "aux.png",
    "x" * 8192,
    ".",
    "..",
    "",
    "-rf *",
    "$(id)",
    "`id`",
    "; id",
    "<script>alert(1)</script>.png",
    "a\x1b[31mred.png",
    "x.png\r\nX-Injected: 1",
    "a\u2028b",
    "file:///etc/passwd",
    "\udcff\udcfe",
    "😀.png",
    "~/.ssh/id_rsa",
    "{{7*7}}",
    "%s%n%x",
    "null",
    "a/b/c.png",
]


def test_a_files_name_never_leads_anywhere(server: Serving, tmp_path: Path) -> None:
    beside = {path for path in server.home.parent.rglob("*") if "images" not in path.parts}
    for name in NAMES:
        answer = server.ask("POST", "/predict", form(name, PICTURE), FORM)
        assert answer.status in (200, 400, 413), ascii(name)
        shown = answer.json().get("file", "")
        assert "/" not in shown, ascii(name)
        assert "\\" not in shown, ascii(name)
        assert shown.isprintable(), ascii(name)
        assert len(shown) <= 255
    after = {path for path in server.home.parent.rglob("*") if "images" not in path.parts}
    assert {path.name for path in after - beside} <= {"hilum.db-wal", "hilum.db-shm"}
    kept = {path.name for path in (server.home / "images").rglob("*") if path.is_file()}
    assert all(re.fullmatch(r"images\.sqlite(-wal|-shm)?|[0-9a-f]{32,}", name) for name in kept), kept


XSS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>.png", '"><svg onload=alert(1)>', "'-alert(1)-'",
    "javascript:alert(1)", "</title><script>alert(1)</script>", "<!--", "]]><x>", "&lt;b&gt;",
    'a"onmouseover="alert(1)', "{% raw %}{{'zq'*3}}", "</textarea><iframe src=javascript:alert(1)>",
]  # fmt: skip
BROWSER = {"Accept": "text/html"}


class Looked(HTMLParser):
    """A page as a browser takes it apart; `harm` is what could run in it."""

    def __init__(self) -> None:
        super().__init__()
        self.harm: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        inline = tag == "script" and not given.get("src") and given.get("type") != "application/json"
        links = [given.get(name) or "" for name in ("href", "src", "action", "formaction")]
        active = [name for name in given if name.startswith("on") or name == "style"]
        active += [link for link in links if link.strip().lower().startswith(("javascript:", "data:text"))]
        if inline or active or tag in ("iframe", "object", "embed", "base"):
            self.harm.append(self.get_starttag_text() or tag)


def test_a_files_name_is_text_on_every_page(server: Serving) -> None:
    pages = ["/app/history", "/app/history?text=%3Cscript%3Ealert(1)%3C/script%3E", "/app/read?task=%22%3E%3Cscript%3E"]
    for name in XSS:
        answer = server.ask("POST", "/predict", form(name.replace('"', "%22"), PICTURE), FORM)
        assert answer.status == 200
        pages.append(f"/app/answer/{answer.json()['id']}")
    for path in pages:
        page = server.ask("GET", path, headers=BROWSER)
        assert page.headers["content-type"].startswith("text/html"), path
        assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'"), path
        looked = Looked()
        looked.feed(page.body.decode())
        assert looked.harm == [], path
        assert "zqzqzq" not in page.body.decode(), path  # no digits: they would stand in some id


@pytest.mark.parametrize(
    "path",
    [
        "/predictions/..%2f..%2fetc%2fpasswd",
        "/predictions/%00",
        "/predictions/x%0d%0aX:y/image",
        "/models/..%2f..%2f",
        "/models/%2fetc%2fpasswd",
        "/models/~root",
        "/models/.",
        "/models/a@b@c",
        "/samples/..%2f..%2fpyproject.toml",
        "/samples/%2e%2e",
        "/tasks/..%2fbrain",
        "/tasks/%ff",
        "/predictions?cursor=" + "A" * 2000,
        "/predictions?limit=99999999999999999999",
        "/predictions?since=9999-12-31T23:59:59&until=0001-01-01",
        "/predictions?text=%25%27%22--",
        "/predictions?order=newest;drop",
        "/predictions?cursor=%00",
        "/predictions?task=%00",
        "/v1/" + "a/" * 3000,
    ],
)
def test_paths_and_queries_lead_nowhere(server: Serving, path: str) -> None:
    answer, seconds = server.cost("GET", path)
    assert answer.status < 500
    assert answer.status == 200 or answer.is_problem()
    assert b"root:" not in answer.body
    assert "x-injected" not in answer.headers
    assert seconds < SECONDS


def test_a_task_and_a_model_are_names_and_never_paths(server: Serving, tmp_path: Path) -> None:
    """Otherwise a reader learns what lies on the server's disk, and opens one package under ever new paths."""
    package = shipped_models() / "pneumonia-cxr"
    (tmp_path / "there.toml").write_text("password = 1")
    paths = {
        "task": [f"{tmp_path}/there.toml", f"{tmp_path}/not.toml"],
        "model": [package, f"{package}/../{package.name}"],
    }
    asked = [("POST", f"/predict?{name}={path}") for name, there in paths.items() for path in there]
    asked += [("GET", "/tasks/pyproject.toml"), ("POST", "/tasks/pyproject.toml/rollback"), ("GET", "/models/..")]
    for method, path in asked:
        answer = server.ask(method, path, PICTURE if "predict" in path else None, {"Content-Type": "image/png"})
        assert answer.status == 404, (path, answer)
        assert answer.json()["code"] in ("unknown_task", "unknown_model")


def test_polyglots_that_are_images_are_never_served_as_they_came(server: Serving) -> None:
    evil = b"<html><script>alert(1)</script></html>"
    made = {
        "dicom with a program in front": b"MZ" + b"\x90" * 126 + hostile.dicom()[128:],
        "dicom with a page in front": evil.ljust(128) + hostile.dicom()[128:],
        "png with a page behind": PICTURE + evil,
        "png with a zip behind": PICTURE + b"PK\x03\x04" + evil,
        "png with a page inside": hostile.png(96, 96, 8, extra=hostile.chunk(b"tEXt", b"Comment\x00" + evil)),
    }
    for name, data in made.items():
        answer = server.ask("POST", "/predict", data, {"Content-Type": "text/html; image/png"})
        answer = answer if answer.status == 200 else server.ask("POST", "/predict", data, {"Content-Type": "image/png"})
        if answer.status != 200:
            assert answer.is_problem(), name
            continue
        shown = server.ask("GET", f"/predictions/{answer.json()['id']}/image")
        assert shown.status == 200, name
        assert shown.headers["content-type"] == "image/png"
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert b"<script" not in shown.body
    images = open_images(str(server.home / "images"), read_secret(server.home / "secret.key"))
    kept = list(map(images.get, images.keys()))
    images.close()
    starts = [data[:128] for data in kept if data[128:132] == b"DICM"]
    assert len(starts) >= 1
    assert set(starts) == {bytes(128)}


JSON = {"Content-Type": "application/json"}
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
BODIES = [
    (JSON, b""),
    (JSON, b"{"),
    (JSON, b"[]"),
    (JSON, b"null"),
    (JSON, b"1"),
    (JSON, b'"x"'),
    (JSON, b"[" * 1_000_000),
    (JSON, b'{"a":' * 200_000),
    (JSON, b'{"image_url": 5}'),
    (JSON, b'{"image_url": "http://127.0.0.1/"}'),
    (JSON, b"NaN"),
    (JSON, b'{"image_url": "file:///etc/passwd"}'),
    (JSON, b"\xff\xfe{\x00}\x00"),
    (JSON, b'{"image_url": "' + b"a" * 1_000_000 + b'"}'),
    (JSON, b"1" * 100_000),
    (JSON, b'{"image_url": null, "image_url": []}'),
    (JSON, b'{"__proto__": {"x": 1}}'),
    (FORM, b""),
    (FORM, b"--b"),
    (FORM, b"--b--"),
    (FORM, b"--b\r\n\r\n"),
    (FORM, b"x" * 100_000),
    (FORM, b"--b\r\n" * 20_000),
    (
        FORM,
        b"".join(b'--b\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nx\r\n' % n for n in range(10_000))
        + b"--b--",
    ),
    (
        FORM,
        b"".join(
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="%d"\r\n\r\nx\r\n' % n for n in range(10_000)
        )
        + b"--b--",
    ),
    (FORM, b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"),
    (FORM, b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--'),
    (FORM, b"--b\r\nContent-Disposition: " + b"x" * 1_000_000 + b"\r\n\r\nx\r\n--b--"),
    (FORM, b"--b\r\n" + b"X: y\r\n" * 50_000 + b"\r\nx\r\n--b--"),
    (FORM, b'--b\r\nContent-Disposition: form-data; name="task"\r\n\r\n' + b"x" * 1_000_000 + b"\r\n--b--"),
    (FORM, PART + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n--b--\r\n--b--"),
    (FORM, PART + b"Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--"),
    (FORM, b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename*=UTF-16''%ff%fe\r\n\r\nx\r\n--b--"),
    ({"Content-Type": "multipart/form-data"}, b"--b--"),
    ({"Content-Type": "multipart/form-data; boundary="}, b"----"),
    ({"Content-Type": "multipart/form-data; boundary=" + "x" * 5000}, b"--"),
    ({"Content-Type": 'multipart/form-data; boundary="\\"'}, b"--"),
    ({"Content-Type": "multipart/mixed; boundary=b"}, b"--b--"),
    ({"Content-Type": "x" * 5000}, b"x"),
    ({"Content-Type": "text/html"}, b"<x>"),
    ({"Content-Type": "image/svg+xml"}, b"<svg/>"),
    ({"Content-Type": "image/png"}, b""),
    ({"Content-Type": "application/dicom"}, b"DICM"),
    ({}, b"x"),
    ({"Content-Type": ""}, b"x"),
    ({"Content-Type": "image/png", "Content-Encoding": "gzip"}, b"\x1f\x8b"),
    ({"Content-Type": "image/png; charset=\xff"}, b"x"),
    ({"Content-Type": "application/x-www-form-urlencoded"}, b"a=b&" * 10_000),
]


@pytest.mark.parametrize("number", range(len(BODIES)))
def test_nonsense_bodies_are_problems(server: Serving, number: int) -> None:
    headers, body = BODIES[number]
    answer, seconds = server.cost("POST", "/predict", body, headers)
    assert 400 <= answer.status < 500, (headers, body[:80], answer)
    assert answer.is_problem()
    assert len(answer.body) < 4000
    assert seconds < SECONDS


SWOLLEN = {
    "lists": b'{"inputs":[' + b"[]," * 5_000_000 + b"1]}",
    "objects": b'{"inputs":[' + b'{"a":' * 300 + b"1" + b"}" * 300 + b',{"a":1}' * 1_500_000 + b"]}",
    "words": b'{"inputs":[' + b'"ab",' * 3_000_000 + b"1]}",
}


@pytest.mark.parametrize("path", ["/predict", "/invocations", "/v2/models/pneumonia-cxr/infer", "/audits", "/evaluate"])
@pytest.mark.parametrize("name", SWOLLEN)
def test_json_that_swells_is_refused_before_it_is_read(server: Serving, name: str, path: str) -> None:
    """Five million empty lists are 15 MB on the wire and 400 MB in memory."""
    before = server.peak_bytes()
    answer, seconds = server.cost("POST", path, SWOLLEN[name], {"Content-Type": "application/json"})
    assert answer.status in (400, 413), answer
    assert answer.is_problem()
    assert seconds < SECONDS
    assert server.peak_bytes() - before < MEMORY
    unharmed(server)


@pytest.mark.parametrize("path", ["/predict", "/audits", "/evaluate"])
def test_json_without_an_image_is_small(server: Serving, path: str) -> None:
    body = b'{"image_url":"https://x/%s"}' % (b"x" * JSON_BYTES)
    answer = server.ask("POST", path, body, {"Content-Type": "application/json"})
    assert (answer.status, answer.is_problem()) == (413, True)
    assert b"the limit is 1,048,576" in answer.body


def test_json_with_an_image_may_be_large(server: Serving) -> None:
    body = b'{"image":"%s"%s}' % (base64.b64encode(PICTURE), b" " * JSON_BYTES)
    answer = server.ask("POST", "/invocations", body, {"Content-Type": "application/json"})
    assert answer.status == 200, answer


def test_too_much_is_refused_before_it_is_read(server: Serving) -> None:
    head = (
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 99999999999\r\n\r\n"
    )
    got = server.raw(head + b"x")
    assert got.startswith(b"HTTP/1.1 413")
    assert b"application/problem+json" in got
    chunks = (
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        + (b"100000\r\n" + bytes(0x100000) + b"\r\n") * 17
    )
    before = server.peak_bytes()
    assert server.raw(chunks).startswith(b"HTTP/1.1 413")
    assert server.peak_bytes() - before < MEMORY


H = b"Host: localhost\r\n"
WIRE = {
    "no http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "old http": b"GET /\r\n\r\n",
    "http 3": b"GET / HTTP/3.0\r\n" + H + b"\r\n",
    "no host": b"GET /predictions HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /predictions HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n",
    "absolute form": b"GET http://evil.test/predictions HTTP/1.1\r\nHost: evil.test\r\n\r\n",
    "a proxy's request": b"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test\r\n\r\n",
    "length below zero": b"POST /predict HTTP/1.1\r\n" + H + b"Content-Length: -1\r\n\r\n",
    "length of words": b"POST /predict HTTP/1.1\r\n" + H + b"Content-Length: ten\r\n\r\n",
    "length of 2^64": b"POST /predict HTTP/1.1\r\n" + H + b"Content-Length: 18446744073709551617\r\n\r\nx",
    "two lengths": b"POST /predict HTTP/1.1\r\n" + H + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "length and chunks": b"POST /predict HTTP/1.1\r\n"
    + H
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": b"POST /predict HTTP/1.1\r\n" + H + b"Transfer-Encoding: evil\r\n\r\nxx",
    "chunk of no number": b"POST /predict HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n",
    "chunk of 2^64": b"POST /predict HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx",
    "header of 1 MB": b"GET /livez HTTP/1.1\r\n" + H + b"X: " + b"x" * (1 << 20) + b"\r\n\r\n",
    "10,000 headers": b"GET /livez HTTP/1.1\r\n" + H + b"".join(b"X%d: y\r\n" % n for n in range(10_000)) + b"\r\n",
    "target of 1 MB": b"GET /" + b"x" * (1 << 20) + b" HTTP/1.1\r\n" + H + b"\r\n",
    "query of 100 kB": b"GET /livez?" + b"x" * 100_000 + b" HTTP/1.1\r\n" + H + b"\r\n",
    "method of 100 kB": b"G" * 100_000 + b" / HTTP/1.1\r\n" + H + b"\r\n",
    "odd method": b"PROPFIND /predictions HTTP/1.1\r\n" + H + b"\r\n",
    "null in a header": b"GET /livez HTTP/1.1\r\n" + H + b"X: a\x00b\r\n\r\n",
    "folded header": b"GET /livez HTTP/1.1\r\n" + H + b"X: a\r\n b\r\n\r\n",
    "space before the colon": b"GET /livez HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "upgrade": b"GET /predictions HTTP/1.1\r\n"
    + H
    + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    "cut short": b"POST /predict HTTP/1.1\r\n" + H + b"Content-Length: 100\r\n\r\nabc",
}


@pytest.mark.parametrize("name", WIRE)
def test_nonsense_on_the_wire_harms_nobody(server: Serving, name: str) -> None:
    got = server.raw(WIRE[name], finish=name == "cut short", seconds=3)
    status = int(got.split(b" ")[1]) if got.startswith(b"HTTP/1.1 ") else 0
    assert status == 0 or 200 <= status < 500, got[:200]
    assert status != 200 or name in ("folded header", "upgrade", "query of 100 kB"), got[:200]
    assert b"Traceback" not in got
    unharmed(server)


@pytest.mark.parametrize(
    "coding",
    [b"gzip, chunked", b"gzip,chunked", b"chunked, chunked", b"x-evil, chunked", b"gzip\r\nTransfer-Encoding: chunked"],
)
def test_a_body_that_is_packed_for_the_way_is_not_taken_for_its_content(server: Serving, coding: bytes) -> None:
    """RFC 9112, 6.1: a coding that is not understood is 501; nothing behind it is read as another request."""
    body = b"3\r\nabc\r\n0\r\n\r\nGET /predictions HTTP/1.1\r\n" + H + b"\r\n"
    got = server.raw(
        b"POST /predict HTTP/1.1\r\n" + H + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + body, seconds=3
    )
    assert got.split(b" ")[1] in (b"501", b"400"), got[:200]
    assert got.count(b"HTTP/1.1 ") == 1
    assert b"application/problem+json" in got
    unharmed(server)


def test_what_is_behind_a_request_is_no_part_of_it(server: Serving) -> None:
    """A second request smuggled behind a first one is answered by itself or not at all."""
    smuggled = b"GET /predictions HTTP/1.1\r\nHost: evil.test\r\n\r\n"
    got = server.raw(
        b"POST /predict HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nContent-Type: image/png\r\n\r\nabc" + smuggled,
        seconds=2,
    )
    assert b"HTTP/1.1 415" in got or b"HTTP/1.1 422" in got
    assert b'"predictions"' not in got


CANARY = "Zebrafink-Canary"  # 16 letters, as long as SH may be


def test_what_names_a_patient_is_in_no_log_metric_or_error(server: Serving) -> None:
    def named(made: object) -> None:
        for tag in (
            "PatientName",
            "PatientID",
            "PatientBirthDate",
            "OtherPatientIDs",
            "PatientAddress",
            "AccessionNumber",
            "ReferringPhysicianName",
            "InstitutionName",
            "StudyDescription",
            "PatientComments",
        ):
            setattr(made, tag, "19000101" if "Date" in tag else CANARY)

    whole = hostile.dicom(named)  # type: ignore[arg-type]
    seen = [
        server.ask("POST", "/predict", form(f"{CANARY}.dcm", data), FORM) for data in (whole, whole[:700], whole[:-100])
    ]
    assert seen[0].status == 200
    assert all(CANARY not in answer.body.decode().replace(f"{CANARY}.dcm", "") for answer in seen)
    server.ask("POST", f"/predict?task={CANARY}", PICTURE, {"Content-Type": "image/png", "User-Agent": CANARY})
    server.ask("POST", "/feedback", json.dumps({"id": CANARY, "label": CANARY, "note": CANARY}), JSON)
    server.ask("GET", f"/predictions?text={CANARY}")
    server.ask(
        "GET", f"/{CANARY}?{CANARY}", headers={"Cookie": f"hilum={CANARY}", "Authorization": f"Bearer hilum_{CANARY}"}
    )
    metrics = server.ask("GET", "/metrics")
    assert metrics.status == 200
    assert CANARY not in metrics.body.decode()
    assert CANARY not in server.words()


def test_it_was_all_borne_in_good_order(server: Serving) -> None:
    ready = server.readiness()
    assert (ready.status, ready.body) == (200, b"ready")
    assert "Traceback" not in server.words()
    assert "\x1b" not in server.words()
