"""image_url: a corpus of hostile addresses reaches no listener, and a listed host over real TLS gives its image."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hilum.errors import ForbiddenAddress, HilumError, ImageTooLarge, UnreachableAddress, UsageError
from hilum.interfaces.http.fetch import AT_ONCE, Fetcher

NAME = "images.hospital.test"
IMAGE = b"\x89PNG" + bytes(5000)
MOST = 100_000
WHOLE = IMAGE + bytes(MOST - len(IMAGE))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
ANSWERS = {
    "/image.png": HEAD + b"Content-Length: %d\r\n\r\n" % len(IMAGE) + IMAGE,
    "/chunked": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1388\r\n" + IMAGE[:5000] + b"\r\n4\r\n" + IMAGE[5000:]
    + b"\r\n0\r\n\r\n",
    "/moved": b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
    "/just-as-large": HEAD + b"Content-Length: %d\r\n\r\n" % MOST + WHOLE,
    "/hinted": b"HTTP/1.1 103 Early Hints\r\n\r\n" + HEAD + b"\r\n" + WHOLE,
    "/gone": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "/declared-large": HEAD + b"Content-Length: 99999999999\r\n\r\n",
    "/endless": HEAD + b"\r\n" + bytes(3 * MOST),
    "/crumbs": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * (MOST // 2) + b"0\r\n\r\n",
    "/wait-and-wait": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50_000 + HEAD + b"Content-Length: 1\r\n\r\nx",
    "/gzip": HEAD + b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
    "/cut": HEAD + b"Content-Length: 100\r\n\r\nabc",
    "/no-http": b"220 ftp ready\r\n",
    "/long-head": HEAD + b"X: " + b"x" * 100_000,
    "/two-lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "/drip": HEAD + b"X-",
}  # fmt: skip


@dataclass
class Listener:
    """A TCP server that counts who comes; with a certificate it answers by ANSWERS, without it stays silent."""

    address: str
    port: int = 0
    context: ssl.SSLContext | None = None
    came: int = 0
    asked: list[bytes] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._socket = socket.create_server((self.address, self.port), family=socket.AF_INET6 if ":" in self.address
                                            else socket.AF_INET)  # fmt: skip
        self.port = self._socket.getsockname()[1]
        self._open = True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        with socket.create_connection((self.address, self.port), timeout=120):
            self._thread.join(120)
        self._socket.close()

    def _serve(self) -> None:
        while self._open:
            connection, _ = self._socket.accept()
            if not self._open:
                connection.close()
                return
            self.came += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                self._talk(connection)
            except OSError:
                return  # the client went away, as it should from most of these

    def _talk(self, connection: socket.socket) -> None:
        if self.context is None:
            connection.recv(1)
            return
        with self.context.wrap_socket(connection, server_side=True) as secure:
            asked = secure.recv(65536)
            self.asked.append(asked)
            path = asked.split(b" ")[1].decode()
            secure.sendall(ANSWERS.get(path, ANSWERS["/gone"]))
            while path == "/drip":
                secure.sendall(b"x")
                time.sleep(0.05)


@dataclass
class Resolver:
    """Answers in turn; the last one again and again."""

    answers: Sequence[Sequence[str]]
    asked: int = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


@dataclass(frozen=True)
class Trust:
    """A certificate for NAME by an authority of the tests' own."""

    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1)).not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )  # fmt: skip
    certificate = built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file = Path(folder / "both.pem")
    file.write_bytes(private + certificate)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return Trust(server, ssl.create_default_context(cadata=certificate.decode()))


@pytest.fixture
def host(trust: Trust) -> Iterator[Listener]:
    with Listener("127.0.0.2", context=trust.server) as listener:
        yield listener


@contextmanager
def canaries() -> Iterator[tuple[int, Callable[[], int]]]:
    """One port of this machine by IPv4, and by IPv6 where there is that; how many came there."""
    with ExitStack() as stack:
        first = stack.enter_context(Listener("127.0.0.1"))
        both = [first, *(stack.enter_context(Listener("::1", first.port)) for _ in range(has_ipv6()))]
        yield first.port, lambda: sum(one.came for one in both)


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:  # containers have none, unless it is asked for
        return False
    return True


def fetch(fetcher: Fetcher, url: str) -> bytes:
    return asyncio.run(fetcher.fetch(url))


def made(trust: Trust, host: Listener, resolver: Resolver | None = None, seconds: float = 120) -> Fetcher:
    return Fetcher(
        [f"{NAME}:{host.port}"], MOST, resolver=resolver or Resolver([["127.0.0.2"]]), context=trust.client,
        networks=["127.0.0.2/32"], seconds=seconds,
    )  # fmt: skip


@pytest.mark.parametrize("path", ["/image.png", "/chunked"])
def test_a_listed_host_gives_its_image(trust: Trust, host: Listener, path: str) -> None:
    assert fetch(made(trust, host), f"https://{NAME}:{host.port}{path}") == IMAGE
    asked = host.asked[0].decode()
    assert asked.startswith(f"GET {path} HTTP/1.1\r\nHost: {NAME}:{host.port}\r\n")
    assert "cookie" not in asked.lower()
    assert "authorization" not in asked.lower()


REASONS = {
    "/moved": (UnreachableAddress, "302; redirects are not followed"),
    "/gone": (UnreachableAddress, "answers 404"),
    "/declared-large": (ImageTooLarge, "100,000 bytes"),
    "/endless": (ImageTooLarge, "100,000 bytes"),
    "/crumbs": (UnreachableAddress, "crumbs"),
    "/wait-and-wait": (UnreachableAddress, "crumbs"),
    "/gzip": (UnreachableAddress, "compressed"),
    "/cut": (UnreachableAddress, "broke off"),
    "/no-http": (UnreachableAddress, "no HTTP"),
    "/long-head": (UnreachableAddress, "no HTTP"),
    "/two-lengths": (UnreachableAddress, "no HTTP"),
}


@pytest.mark.parametrize("path", REASONS)
def test_a_host_that_misbehaves_is_said(trust: Trust, host: Listener, path: str) -> None:
    kind, words = REASONS[path]
    with pytest.raises(kind, match=words):
        fetch(made(trust, host), f"https://{NAME}:{host.port}{path}")
    assert host.came == 1


def test_a_slow_host_is_left(trust: Trust, host: Listener) -> None:
    since = time.monotonic()
    with pytest.raises(UnreachableAddress, match="within"):
        fetch(made(trust, host, seconds=0.5), f"https://{NAME}:{host.port}/drip")
    assert time.monotonic() - since < 60


def test_a_certificate_nobody_trusts_ends_it_before_anything_is_asked(trust: Trust, host: Listener) -> None:
    stranger = Fetcher([f"{NAME}:{host.port}"], MOST, resolver=Resolver([["127.0.0.2"]]), networks=["127.0.0.2/32"])
    with pytest.raises(UnreachableAddress, match=r"(?i)certificate"):
        fetch(stranger, f"https://{NAME}:{host.port}/image.png")
    other = Fetcher(
        [f"other.test:{host.port}"], MOST, resolver=Resolver([["127.0.0.2"]]), context=trust.client,
        networks=["127.0.0.2/32"],
    )  # fmt: skip
    with pytest.raises(UnreachableAddress, match=r"(?i)certificate"):
        fetch(other, f"https://other.test:{host.port}/image.png")
    assert host.asked == []


def test_a_name_that_changes_its_address_is_pinned(trust: Trust, host: Listener) -> None:
    resolver = Resolver([["127.0.0.2"], ["127.0.0.1"]])
    with Listener("127.0.0.1", host.port) as canary:
        fetcher = made(trust, host, resolver)
        assert fetch(fetcher, f"https://{NAME}:{host.port}/image.png") == IMAGE
        assert resolver.asked == 1
        with pytest.raises(ForbiddenAddress, match="not public"):
            fetch(fetcher, f"https://{NAME}:{host.port}/image.png")
        assert (canary.came, host.came) == (0, 1)


INNER = """
127.0.0.1 127.0.0.3 0.0.0.0 10.0.0.1 169.254.169.254 192.168.0.1 100.64.0.1 168.63.129.16 ::1 :: ::ffff:127.0.0.1
::127.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: fe80::1%lo fd00:ec2::254 224.0.0.1 255.255.255.255
"""


@pytest.mark.parametrize("address", INNER.split())
@pytest.mark.parametrize("first", [(), ("8.8.8.8",)], ids=["alone", "beside a public one"])
def test_a_listed_name_that_leads_inside_is_not_asked(trust: Trust, address: str, first: tuple[str, ...]) -> None:
    with canaries() as (port, came):
        fetcher = Fetcher([f"{NAME}:{port}"], MOST, resolver=Resolver([[*first, address]]), context=trust.client)
        with pytest.raises(ForbiddenAddress, match="not public"):
            fetch(fetcher, f"https://{NAME}:{port}/")
        assert came() == 0


# {p}: the port of the canaries; {n}: a name on the list
HOSTILE = """
http://{n}/ ftp://{n}/ file:///etc/passwd gopher://{n}:{p}/_x ldap://{n}/ dict://{n}:{p}/ jar:https://{n}!/
data:image/png;base64,AA javascript:alert(1) //{n}/ /etc/passwd etc/passwd https: https:/ https:// https:///
https:{n} https:/{n}/ https:///{n}/ https://127.0.0.1:{p}/ https://127.0.0.1/ https://127.1:{p}/
https://127.0.1:{p}/ https://2130706433:{p}/ https://0x7f000001:{p}/ https://0x7f.0.0.1:{p}/ https://0177.0.0.1:{p}/
https://017700000001:{p}/ https://0x7f.1:{p}/ https://127.0.0.1.:{p}/ https://00127.0.0.1:{p}/
https://127.0.0.01:{p}/ https://0:{p}/ https://0.0.0.0:{p}/ https://[::]:{p}/ https://[::1]:{p}/
https://[0:0:0:0:0:0:0:1]:{p}/ https://[::ffff:127.0.0.1]:{p}/ https://[::ffff:7f00:1]:{p}/
https://[::127.0.0.1]:{p}/ https://[fe80::1%25lo]:{p}/ https://[fe80::1%lo]:{p}/ https://[64:ff9b::7f00:1]:{p}/
https://[2002:7f00:1::]:{p}/ https://[v1.::1]:{p}/ https://[::1:{p}/ https://::1:{p}/ https://[127.0.0.1]:{p}/
https://localhost:{p}/ https://LOCALHOST:{p}/ https://localhost.:{p}/ https://localhost.localdomain:{p}/
https://ip6-localhost:{p}/ https://app.localhost:{p}/ https://169.254.169.254/latest/meta-data/
https://metadata.google.internal/ https://metadata/ https://[fd00:ec2::254]/ https://100.100.100.200/
https://192.0.0.192/ https://168.63.129.16/ https://instance-data/ https://kubernetes.default.svc/
https://{n}@127.0.0.1:{p}/ https://127.0.0.1:{p}@{n}/ https://user:pass@{n}/ https://user@{n}/ https://@{n}/
https://:@{n}/ https://{n}%40127.0.0.1:{p}/ https://{n}%2f@127.0.0.1:{p}/ https://127.0.0.1:{p}%23@{n}/
https://{n}#@127.0.0.1:{p}/ https://127.0.0.1:{p}#@{n}/ https://127.0.0.1:{p}/#{n} https://127.0.0.1:{p}?@{n}/
https://{n}@127.0.0.1:{p}?@{n}/ https://{n}\\@127.0.0.1:{p}/ https://127.0.0.1:{p}\\@{n}/ https:\\\\127.0.0.1:{p}\\
https://{n}\\.evil.test/ https://{n}:80/ https://{n}:22/ https://{n}:{p}/ https://{n}:0/ https://{n}:65536/
https://{n}:-1/ https://{n}:x/ https://{n}:/ https://{n}:0443/ https://{n}:443:{p}/ https://{n}:443@127.0.0.1/
https://{n}.evil.test/ https://evil-{n}/ https://evil.test/{n} https://evil.test?{n}
https://evil.test/?u=https://{n}/ https://sub.{n}/ https://.{n}/ https://{n}../ https://..{n}/
https://%6c%6f%63%61lhost:{p}/ https://127%2e0%2e0%2e1:{p}/ https://ⓛocalhost:{p}/ https://１２７.0.0.1:{p}/
https://127。0。0。1:{p}/ https://ｌocalhost:{p}/ https://{n}％2f/ https://imagеs.hospital.test/
https://xn--imags-4of.hospital.test/ https://localhost\u3002test:{p}/ https://{n}\u200b/
https://{n}\u00ad.evil.test/ https://ß{n}/ https://{n}\u2044@127.0.0.1:{p}/ https://{n}/\u0000 https://{n}/é
https://-{n}/ https://{n}_/ https://[{n}]/ https://{n}; https://{n},127.0.0.1:{p}/ https://127.0.0.1:{p},{n}/
https://*.{n}/ https://1.1.1.1/ https://8.8.8.8/ https://[2606:4700::1111]/ https://0x08080808/ https://1.1/
wss://{n}/ HTTP://{n}/ hTTp://{n}/ https://{n}/../..\\x https://xn--/ https://a..b.{n}/
"""
SPACED = [
    "https://{n}/\r\nHost: evil.test",
    "https://{n}\r\n.evil.test/", "https://{n}/ HTTP/1.1\r\nX: y", "https://{n}\t@127.0.0.1:{p}/",
    "https://{n}\n@127.0.0.1:{p}/", " https://127.0.0.1:{p}/", "https://127.0.0.1:{p}/ ", "ht\ntps://127.0.0.1:{p}/",
    "https://{n} /",
    "https://{n}/" + "a" * 5000, "https://" + "a" * 300 + ".test/", "", " ", "\x00https://{n}/", "https://{n}\x00.evil.test/",
    "https://" + "a." * 2000 + "test/", "\u202ehttps://{n}/",
]  # fmt: skip


def test_a_corpus_of_hostile_addresses_reaches_nobody(trust: Trust) -> None:
    corpus = [*HOSTILE.split(), *SPACED]
    assert len(corpus) >= 150
    with canaries() as (port, came):
        resolver = Resolver([["127.0.0.1"]])
        fetcher = Fetcher([NAME], MOST, resolver=resolver, context=trust.client, seconds=120)
        let_through = []
        for url in corpus:
            try:
                fetch(fetcher, url.replace("{n}", NAME).replace("{p}", str(port)))
                let_through.append(url)
            except ForbiddenAddress as refused:
                if NAME in str(refused):  # an address may hold a key: it is never repeated
                    let_through.append(f"{url} is repeated")
            except HilumError as error:
                let_through.append(f"{url}: {error}")
        assert let_through == []
        assert came() == 0
        assert resolver.asked == 0


NO_NAMES = ["127.0.0.1", "10.0.0.1:443", "[::1]", "https://a.test", "a.test/x", "*", "a.test:0", "a.test:x", "", "a b"]


@pytest.mark.parametrize("entry", [*NO_NAMES, "*.*.test", "2130706433", "0x7f.1"])
def test_the_list_takes_names_only(entry: str) -> None:
    with pytest.raises(UsageError, match="HILUM_IMAGE_URL_HOSTS"):
        Fetcher([entry], MOST)


def test_a_star_stands_for_names_below(trust: Trust) -> None:
    fetcher = Fetcher(["*.hospital.test", "pacs.test:8443"], MOST, context=trust.client)
    assert fetcher.check("https://a.b.Hospital.test/x?y=1").path == "/x?y=1"
    assert fetcher.check("https://hilum.hospital.test?@127.0.0.1/").path == "/?@127.0.0.1/"
    assert fetcher.check("HTTPS://pacs.test.:8443").port == 8443
    for url in (
        "https://hospital.test/",
        "https://evilhospital.test/",
        "https://pacs.test/",
        "https://a.hospital.test:8443/",
    ):
        with pytest.raises(ForbiddenAddress):
            fetcher.check(url)


def test_where_one_address_does_not_answer_the_next_is_asked_but_not_without_end(trust: Trust, host: Listener) -> None:
    """As of a host whose IPv6 leads nowhere; a name may have hundreds."""

    def among(*silent: str) -> Fetcher:
        return Fetcher(
            [f"{NAME}:{host.port}"], MOST, resolver=Resolver([[*silent, "127.0.0.2"]]), context=trust.client,
            networks=["127.0.0.0/28"], seconds=120,
        )  # fmt: skip

    url = f"https://{NAME}:{host.port}/image.png"
    assert fetch(among("127.0.0.3", "127.0.0.4"), url) == IMAGE
    with pytest.raises(UnreachableAddress, match="does not answer"):
        fetch(among("127.0.0.3", "127.0.0.4", "127.0.0.5"), url)
    assert host.came == 1


@pytest.mark.parametrize("fault", [OSError("no such name"), UnicodeError("label too long"), None])
def test_a_listed_name_without_an_address_is_said(fault: Exception | None) -> None:
    async def nobody(_host: str, _port: int) -> Sequence[str]:
        if fault is not None:
            raise fault
        return []

    with pytest.raises(UnreachableAddress, match="has no address"):
        fetch(Fetcher([NAME], MOST, resolver=nobody), f"https://{NAME}/")


def test_only_so_many_are_fetched_at_once() -> None:
    inside, most = 0, 0

    async def asked(_host: str, _port: int) -> Sequence[str]:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        for _ in range(100):
            await asyncio.sleep(0)
        inside -= 1
        return []

    async def all_of_them() -> list[object]:
        fetcher = Fetcher([NAME], MOST, resolver=asked, seconds=120)
        return list(
            await asyncio.gather(*(fetcher.fetch(f"https://{NAME}/") for _ in range(40)), return_exceptions=True)
        )

    found = asyncio.run(all_of_them())
    assert {type(one) for one in found} == {UnreachableAddress}
    assert most == AT_ONCE


@pytest.mark.parametrize("path", ["/just-as-large", "/hinted"])
def test_what_is_just_as_large_as_it_may_be_comes_whole(trust: Trust, host: Listener, path: str) -> None:
    assert fetch(made(trust, host), f"https://{NAME}:{host.port}{path}") == WHOLE


def test_the_systems_own_resolver_is_asked_and_its_answer_checked() -> None:
    with pytest.raises((ForbiddenAddress, UnreachableAddress)):
        fetch(Fetcher(["localhost"], MOST), "https://localhost/")
    assert ipaddress.ip_address("127.0.0.1").is_loopback
