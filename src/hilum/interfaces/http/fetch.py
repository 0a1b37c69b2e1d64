"""An image_url -> the bytes behind it, from hosts on a list only; knows no image.

Off unless HILUM_IMAGE_URL_HOSTS names hosts. https alone, the host by name, every address the name resolves to must be
public, and the connection goes to an address that was checked (a second answer of the DNS changes nothing), with the
certificate checked against the name. No redirect is followed, no proxy of the environment is used, size and time are
bound.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

import h11

from hilum import __version__
from hilum.errors import ForbiddenAddress, HilumError, ImageTooLarge, UnreachableAddress, UsageError
from hilum.interfaces.http.addresses import is_public

WHAT = "image_url"
SECONDS = 10.0  # from the first question to the last byte
AT_ONCE = 8
ADDRESSES_MOST = 3  # tried, in the order of the answer
HEAD_BYTES = 16 * 1024
AROUND_BYTES = 4 * HEAD_BYTES  # what may come around the image, beside as much as there is of it
URL_BYTES = 2048
NAME = re.compile(r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
VISIBLE = re.compile(r"[\x21-\x7e]+")  # no space, no control character, no letter beyond ASCII
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Target:
    """A checked address: where to connect comes later; `path` with its query, as it is sent."""

    host: str
    port: int
    path: str


async def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of a name, A and AAAA, as the system resolves it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Fetcher:
    """Fetches from listed hosts; what a test needs (resolver, authority, a loopback network) comes as an argument."""

    def __init__(
        self,
        hosts: Sequence[str],
        most: int,
        *,
        resolver: Resolve = resolve,
        context: ssl.SSLContext | None = None,
        networks: Sequence[str] = (),
        seconds: float = SECONDS,
    ) -> None:
        self._hosts = [_listed(host) for host in hosts]
        self._most, self._resolver, self._seconds = most, resolver, seconds
        self._context = context or ssl.create_default_context()
        self._networks = [ip_network(network) for network in networks]
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def fetch(self, url: str) -> bytes:
        """The bytes at an address.

        Raises:
            ForbiddenAddress: it must not be asked.
            UnreachableAddress: it was asked and gave nothing, something else than 200, or came too slowly.
            ImageTooLarge: more bytes than allowed.
        """
        target = self.check(url)
        try:
            async with asyncio.timeout(self._seconds), self._turns:
                return await self._fetch(target, await self._addresses(target))
        except TimeoutError as error:
            raise UnreachableAddress(WHAT, f"the host gave no image within {self._seconds:g} seconds") from error

    def check(self, url: str) -> Target:
        """What the text alone allows.

        Raises:
            ForbiddenAddress: says which rule it breaks; never repeats the address, which may hold a key.
        """
        if len(url) > URL_BYTES or not VISIBLE.fullmatch(url) or "\\" in url:
            raise ForbiddenAddress(WHAT, "not a plain address of visible ASCII letters")
        try:
            parts = urlsplit(url)
            port, netloc = parts.port, parts.netloc.lower()
        except ValueError as error:
            raise ForbiddenAddress(WHAT, "not an address") from error
        if parts.scheme != "https" or not url[:8].lower() == "https://":
            raise ForbiddenAddress(WHAT, "only https:// is fetched")
        if "@" in netloc or "%" in netloc or parts.fragment or "#" in url:
            raise ForbiddenAddress(WHAT, "no user, password, percent sign in the host, or # is allowed")
        host = (parts.hostname or "").removesuffix(".")
        named = f"{host}:{port}" if port is not None else host
        if netloc.replace(f"{host}.", host) != named or not NAME.fullmatch(host):
            raise ForbiddenAddress(WHAT, "the host must be a name")
        port = 443 if port is None else port
        if not any(_is_listed(host, port, entry) for entry in self._hosts):
            raise ForbiddenAddress(WHAT, "the host is not on the operator's list (HILUM_IMAGE_URL_HOSTS)")
        return Target(host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))

    async def _addresses(self, target: Target) -> Sequence[str]:
        try:
            found = await self._resolver(target.host, target.port)
        except (OSError, UnicodeError) as error:
            raise UnreachableAddress(WHAT, "the host has no address") from error
        if not found:
            raise UnreachableAddress(WHAT, "the host has no address")
        if not all(self._is_allowed(address) for address in found):
            raise ForbiddenAddress(WHAT, "the host leads to an address that is not public")
        return found[:ADDRESSES_MOST]

    def _is_allowed(self, address: str) -> bool:
        return is_public(address) or any(_within(address, network) for network in self._networks)

    async def _fetch(self, target: Target, addresses: Sequence[str]) -> bytes:
        fault: HilumError = UnreachableAddress(WHAT, "the host does not answer")
        for address in addresses:
            try:
                reader, writer = await asyncio.open_connection(
                    address, target.port, ssl=self._context, server_hostname=target.host, flags=socket.AI_NUMERICHOST
                )
            except ssl.SSLError as error:
                fault = UnreachableAddress(WHAT, f"no trusted connection: {error.reason or 'TLS failed'}")
                continue
            except OSError:
                continue
            try:
                return await _ask(target, reader, writer, self._most)
            except (OSError, h11.ProtocolError, ssl.SSLError) as error:
                raise UnreachableAddress(WHAT, "the host broke off or speaks no HTTP") from error
            finally:
                writer.transport.abort()
        raise fault


async def _ask(target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int) -> bytes:
    talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
    named = target.host if target.port == 443 else f"{target.host}:{target.port}"
    headers = [("Host", named), ("User-Agent", f"hilum/{__version__}"), ("Accept", "image/*, application/dicom"),
               ("Accept-Encoding", "identity"), ("Connection", "close")]  # fmt: skip
    asked = h11.Request(method="GET", target=target.path, headers=headers)
    writer.write((talk.send(asked) or b"") + (talk.send(h11.EndOfMessage()) or b""))
    await writer.drain()
    blocks, size, came = [], 0, 0
    while True:
        event = talk.next_event()
        if event is h11.NEED_DATA:
            if came > 2 * size + AROUND_BYTES:  # each crumb costs us more than it costs the host
                raise UnreachableAddress(WHAT, "the host sends the image in crumbs")
            came += len(block := await reader.read(64 * 1024))
            talk.receive_data(block)
        elif isinstance(event, h11.Response):
            _check_answer(event, most)
        elif isinstance(event, h11.Data):
            size += len(event.data)
            if size > most:
                raise _too_large(most)
            blocks.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            return b"".join(blocks)
        elif not isinstance(event, h11.InformationalResponse):
            raise UnreachableAddress(WHAT, "the host broke off")


def _check_answer(answer: h11.Response, most: int) -> None:
    headers = dict(answer.headers)
    if 300 <= answer.status_code < 400:
        raise UnreachableAddress(WHAT, f"the host answers {answer.status_code}; redirects are not followed")
    if answer.status_code != 200:
        raise UnreachableAddress(WHAT, f"the host answers {answer.status_code}")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnreachableAddress(WHAT, "the host sends the image compressed, which was not asked for")
    if int(headers.get(b"content-length", b"0")) > most:
        raise _too_large(most)


def _too_large(most: int) -> ImageTooLarge:
    return ImageTooLarge(WHAT, f"larger than the limit of {most:,} bytes")


def _listed(entry: str) -> tuple[str, int]:
    """Name (with a leading dot for *.name) and port of an entry of the list."""
    host, _, port = entry.lower().partition(":")
    name = host.removeprefix("*.")
    if not NAME.fullmatch(name) or (port and not (port.isdigit() and 0 < int(port) < 65536)):
        raise UsageError(
            f"HILUM_IMAGE_URL_HOSTS: {entry!r} is no host; write example.org, *.example.org or example.org:8443"
        )
    return (f".{name}" if host != name else name, int(port or 443))


def _is_listed(host: str, port: int, entry: tuple[str, int]) -> bool:
    name, allowed = entry
    return port == allowed and (host.endswith(name) if name.startswith(".") else host == name)


def _within(address: str, network: object) -> bool:
    try:
        return ip_address(address) in network  # type: ignore[operator]
    except ValueError:
        return False
