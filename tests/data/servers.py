"""Servers on loopback for the tests of this room: https with a certificate of its own, hubs of data sets."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Answer = tuple[int, dict[str, str], bytes]
COMMIT = "c" * 40


class Site:
    """Files by path, with ETags; `moved` redirects; `asked` remembers what was asked and answered."""

    def __init__(self, files: dict[str, bytes], moved: dict[str, str] | None = None) -> None:
        self.files, self.moved = files, moved or {}
        self.asked: list[tuple[str, int]] = []

    def __call__(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        answer = self.answer(unquote(urlsplit(path).path), headers)
        self.asked.append((path, answer[0]))
        return answer

    def answer(self, path: str, headers: dict[str, str]) -> Answer:
        if path in self.moved:
            return 302, {"Location": self.moved[path]}, b""
        if path not in self.files:
            return 404, {}, b"no"
        data = self.files[path]
        tag = f'"{sha256(data).hexdigest()}"'
        if headers.get("if-none-match") == tag:
            return 304, {"ETag": tag}, b""
        return 200, {"ETag": tag}, data


class Hub(Site):
    """As much of the Hugging Face hub as downloading a data set asks for."""

    def answer(self, path: str, headers: dict[str, str]) -> Answer:
        start = "/api/datasets/owner/scans"
        if path.startswith(f"{start}/revision/"):
            return 200, {}, json.dumps({"_id": "1", "id": "owner/scans", "sha": COMMIT, "siblings": []}).encode()
        if path.startswith(f"{start}/tree/"):
            rows = [
                {"type": "file", "path": p, "size": len(d), "oid": sha1(d).hexdigest()} for p, d in self.files.items()
            ]
            return 200, {}, json.dumps(rows).encode()
        data = self.files.get(path.removeprefix(f"/datasets/owner/scans/resolve/{COMMIT}/"))
        if data is None:
            return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        return 200, {"ETag": f'"{sha1(data).hexdigest()}"', "X-Repo-Commit": COMMIT}, data


class Kaggle(Site):
    """As much of Kaggle as downloading a data set asks for: the current version, then its zip."""

    def answer(self, path: str, headers: dict[str, str]) -> Answer:
        if path.endswith("/GetDataset"):
            return 200, {"Content-Type": "application/json"}, b'{"currentVersionNumber": 3, "ref": "owner/scans"}'
        if path.endswith("/DownloadDataset"):
            return 200, {}, self.files["/set.zip"]
        return 404, {}, b"{}"


@contextmanager
def serving(
    site: Callable[[str, dict[str, str], bytes], Answer], port: int = 0, certificate: Path | None = None
) -> Iterator[int]:
    """Serve on loopback; yields the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, headers, data = site(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_HEAD = do_POST = do_GET  # noqa: N815  the names http.server calls

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 with its key, and the authority that signed it; both PEM files."""
    now = dt.datetime.now(dt.UTC)
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test authority")])

    def built(subject: str, public: ec.EllipticCurvePublicKey, *, ca: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name if ca else x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
            .issuer_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        if ca:
            usage = dict.fromkeys(
                ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                 "encipher_only", "decipher_only"), False,
            )  # fmt: skip
            builder = builder.add_extension(x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True), critical=True)
        else:
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        return builder.sign(authority_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    authority, server = folder / "authority.pem", folder / "server.pem"
    authority.write_bytes(built("", authority_key.public_key(), ca=True).public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    server.write_bytes(built("127.0.0.1", key.public_key(), ca=False).public_bytes(pem) + private)
    return server, authority
