"""An archive, an .npz or a manifest at https:// -> a tree; an image there -> its bytes. Speaks TLS and nothing else.

`#sha256=HEX` behind the address pins a download. A pinned file that is in the cache is not asked for again; any other
is asked for with its ETag. Nothing is written but the cache. Not covered: plain http, listings of web folders.
"""

from __future__ import annotations

import atexit
import functools
import io
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urljoin, urlsplit

import certifi
import httpx

from hilum.data.dataset import Progress
from hilum.data.layouts.found import Columns
from hilum.data.layouts.rows import MAX_TABLE_BYTES, read_table
from hilum.data.places.archive import open_archive
from hilum.data.places.cache import BLOCK, Cache, hash_file
from hilum.data.places.folder import OneFile, read_file
from hilum.data.places.tree import ARCHIVE_SUFFIXES, TABLE_SUFFIXES, Entry, Tree, by_path, not_given, suffix_of
from hilum.errors import ImageTooLarge, UnreadableImage, UnreadableSource, UsageError

MAX_DOWNLOAD_BYTES = 1024**4
TIMEOUT = httpx.Timeout(60.0, connect=15.0)
PASSING = (401, 408, 429)  # who asks, or how often, is at fault
FAULTS = (httpx.HTTPError, httpx.InvalidURL, httpx.TooManyRedirects, ssl.SSLError, OSError)


def open_remote(
    reference: str, columns: Columns, cache: Cache, progress: Progress | None = None
) -> tuple[Tree, Columns]:
    """The tree at an https address.

    Raises:
        UsageError: the address holds a password, a wrong pin, or names no kind of file that is read here.
        UnreadableSource: the server does not give it, or its bytes do not fit the pin.
    """
    address, pin = _address(reference)
    shown = address.partition("?")[0]  # what stands behind the ? may be a key
    name = urlsplit(shown).path.rpartition("/")[2]
    if name.lower().endswith(ARCHIVE_SUFFIXES):
        return open_archive(download(address, cache, pin, progress), shown, cache), columns
    if suffix_of(name) == ".npz":
        return OneFile(shown, str(download(address, cache, pin, progress)), cache, name), columns
    if suffix_of(name) in TABLE_SUFFIXES:
        manifest = download(address, cache, pin, progress)
        return Listed(shown, address, str(manifest), cache), replace(columns, table=name)
    raise UsageError(f"{shown}: give the address of an archive, an .npz or a manifest (.jsonl or .csv with sha256)")


@dataclass(frozen=True)
class Listed:
    """The files a manifest names, beside it on the same server; each is fetched when it is read."""

    manifest: str  # as the user sees it
    address: str
    file: str
    cache: Cache

    @property
    def reference(self) -> str:
        """The folder the manifest lies in."""
        return self.manifest.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The manifest's own path in the tree."""
        return self.manifest.rpartition("/")[2]

    @cached_property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file, by path."""
        own = OneFile(self.manifest, self.file, self.cache, self.name)
        table = read_table(own, self.name, Columns(table=self.name))
        if table is None or not table.hashed:
            raise UnreadableSource(self.manifest, "is no manifest: every row needs path, label and sha256")
        return {row.image: str(row.sha256).lower() for row in table.rows}

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The manifest and what it names; sizes are not known before they are fetched, 1 stands for them."""
        return by_path([Entry(self.name, 1), *(Entry(path, 1) for path in self.hashes)])

    def id(self, path: str) -> str:
        """The address without its query."""
        return f"{self.reference}/{path}"

    def read(self, path: str, limit: int) -> bytes:
        """See Tree."""
        if path == self.name:
            return read_file(self.file, self.manifest, MAX_TABLE_BYTES)
        return read_file(str(self._fetched(path, limit)), self.id(path), limit)

    def head(self, path: str, length: int) -> bytes:
        """See Tree."""
        try:
            with self.local(path).open("rb") as file:
                return file.read(length)
        except (UnreadableImage, OSError):
            return b""

    def local(self, path: str) -> Path:
        """The file in the cache."""
        return self._fetched(path, MAX_DOWNLOAD_BYTES)

    def _fetched(self, path: str, limit: int) -> Path:
        digest = self.hashes[path]
        beside = urljoin(self.address.partition("?")[0], quote(path))

        def fill(file: BinaryIO) -> None:
            with _get(beside, {}) as response:
                _save(response, file, limit, self.id(path))

        try:
            fetched = self.cache.at(f"sha256:{digest}|{beside}", fill)
        except FAULTS as error:
            if _away(error):
                raise not_given(self.id(path), _reason(error)) from error
            raise UnreadableImage(self.id(path), f"cannot be fetched: {_reason(error)}") from error
        if self.cache.note(fetched).get("sha256") != digest:
            fetched.unlink(missing_ok=True)  # else it would be found again under this name
            raise UnreadableImage(self.id(path), "is not the file of the manifest (its SHA-256 differs); get it again")
        return fetched


def download(address: str, cache: Cache, pin: str | None = None, progress: Progress | None = None) -> Path:
    """The file at an address, in the cache, checked against its pin.

    Raises:
        UnreadableSource: the server does not give it, or its bytes do not fit the pin.
    """
    shown = address.partition("?")[0]
    known = cache.find(address)
    if known and pin and hash_file(known) == pin:
        return known
    tag = cache.note(known).get("etag") if known else None
    try:
        with _get(address, {"If-None-Match": tag} if tag else {}) as response:
            if known and response.status_code == httpx.codes.NOT_MODIFIED:
                path = known
            else:
                path = cache.put(address, lambda file: _save(response, file, MAX_DOWNLOAD_BYTES, shown, progress))
                cache.annotate(path, {"etag": response.headers.get("etag", "")})
    except FAULTS as error:
        raise UnreadableSource(shown, f"cannot be fetched: {_reason(error)}") from error
    if pin and (found := hash_file(path)) != pin:
        raise UnreadableSource(shown, f"its SHA-256 is {found}, not the {pin} behind #sha256=")
    return path


def list_files(reference: str) -> Iterator[str]:
    """The address itself: there is no listing at https://."""
    yield reference


def read_one(reference: str, limit: int) -> bytes:
    """The bytes at an address, held to its pin; nothing is kept on this disk.

    Raises:
        UsageError: the address holds a password or a wrong pin.
        UnreadableImage: the server does not give it, or its bytes do not fit the pin.
        ImageTooLarge: it is longer than `limit` bytes.
    """
    address, pin = _address(reference)
    shown, file = address.partition("?")[0], io.BytesIO()
    try:
        with _asked(_client(os.environ.get("SSL_CERT_FILE")), address, {}) as response:
            _save(response, file, limit, shown)
    except FAULTS as error:
        raise UnreadableImage(shown, f"cannot be fetched: {_reason(error)}") from error
    data = file.getvalue()
    if pin and (found := sha256(data).hexdigest()) != pin:
        raise UnreadableImage(shown, f"its SHA-256 is {found}, not the {pin} behind #sha256=")
    return data


def _address(reference: str) -> tuple[str, str | None]:
    address, _, fragment = reference.partition("#")
    try:
        signed_in = urlsplit(address).username is not None
    except ValueError as error:
        raise UsageError(f"{address.partition('?')[0]}: is no address: {error}") from error
    if signed_in:
        raise UsageError("an address with a password in it ends up in logs: use a signed address instead")
    key, _, pin = fragment.partition("=")
    if fragment and (key != "sha256" or len(pin) != 64 or not set(pin.lower()) <= set("0123456789abcdef")):
        raise UsageError(f"'#{fragment}': write #sha256= and 64 hexadecimal digits")
    return address, pin.lower() or None


@contextmanager
def _get(address: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
    with _new_client() as client, _asked(client, address, headers) as response:
        yield response


@contextmanager
def _asked(client: httpx.Client, address: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
    with client.stream("GET", address, headers={"Accept-Encoding": "identity"} | headers) as response:
        if response.status_code != httpx.codes.NOT_MODIFIED:
            response.raise_for_status()
        yield response


@functools.cache
def _client(_authority: str | None) -> httpx.Client:
    """One client a process, so that its connections are used again."""
    client = _new_client()
    atexit.register(client.close)
    return client


def _new_client() -> httpx.Client:
    return httpx.Client(
        verify=_trust(),
        follow_redirects=True,
        max_redirects=5,
        timeout=TIMEOUT,
        event_hooks={"request": [_only_tls]},
    )


def _only_tls(request: httpx.Request) -> None:
    if request.url.scheme != "https":
        raise httpx.UnsupportedProtocol(f"redirected to {request.url.scheme}://, which is not protected")


def _trust() -> ssl.SSLContext:
    """The system's certificates (a hospital's own among them, or SSL_CERT_FILE), and certifi's where it has none."""
    context = ssl.create_default_context()
    if not os.environ.get("SSL_CERT_FILE"):
        context.load_verify_locations(certifi.where())
    return context


def _save(response: httpx.Response, file: BinaryIO, limit: int, name: str, progress: Progress | None = None) -> None:
    declared = response.headers.get("content-length", "")
    length = int(declared) if declared.isdecimal() else None
    if length is not None and length > limit:
        raise ImageTooLarge(name, f"larger than the limit of {limit:,} bytes")
    done = 0
    for block in response.iter_bytes(BLOCK):
        done += len(block)
        if done > limit:
            raise ImageTooLarge(name, f"larger than the limit of {limit:,} bytes")
        file.write(block)
        if progress:
            progress(done, length)


def _away(error: Exception) -> bool:
    """Whether the server, the way to it or this disk is at fault, not the file that was asked for."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in PASSING or error.response.is_server_error
    return isinstance(error, httpx.TransportError | OSError) and not isinstance(error, httpx.UnsupportedProtocol)


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"the server answers {error.response.status_code} {error.response.reason_phrase}"
    return str(error) or type(error).__name__
