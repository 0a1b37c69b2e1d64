"""A .zip, .tar or .tar.gz on this disk -> a tree read member by member; unpacks no member to its own name.

Not covered: encrypted members, links, sparse files (listed as stray), archives inside archives.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, BinaryIO

from hilum.data.places.cache import BLOCK, Cache, file_identity
from hilum.data.places.tree import Entry, by_path
from hilum.errors import ImageTooLarge, UnreadableImage, UnreadableSource

MAX_MEMBERS = 10_000_000
MAX_RATIO = 200  # images and their tables compress less than 100 times; bombs a thousand times and more
FREE_BYTES = 64 * 1024 * 1024  # below this, no ratio is asked for
SAYS_UTF8, UNIX = 0x800, 3  # APPNOTE.TXT 4.4.4: bit 11 of the flags; 4.4.2: the system that wrote the member
PACKED: dict[str, Any] = {".tar.gz": gzip.open, ".tgz": gzip.open, ".tar.bz2": bz2.open, ".tar.xz": lzma.open}
BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)
UNPACKED_NOT = (*BROKEN, RuntimeError)  # zipfile's word for encrypted; NotImplementedError, of a method, is one too


@dataclass(frozen=True)
class Archive:
    """What zip and tar share: `reference#path` as id, and members copied to the cache where a file is needed."""

    reference: str
    file: Path
    cache: Cache

    def id(self, path: str) -> str:
        """`a.zip#path`."""
        return f"{self.reference}#{path}"

    def local(self, path: str) -> Path:
        """The member in the cache."""

        def fill(file: BinaryIO) -> None:
            with self.open(path) as member:
                _copy(member, file, self.size(path))

        try:
            return self.cache.at(f"{file_identity(self.file)}#{path}", fill)
        except UNPACKED_NOT as error:
            raise UnreadableSource(self.id(path), f"cannot be unpacked: {error}") from error

    def read(self, path: str, limit: int) -> bytes:
        """See Tree."""
        if self.size(path) > limit:
            raise ImageTooLarge(self.id(path), f"larger than the limit of {limit:,} bytes")
        try:
            with self.open(path) as member:
                data = member.read(limit + 1)
        except UNPACKED_NOT as error:
            raise UnreadableImage(self.id(path), f"cannot be unpacked: {error}") from error
        if len(data) != self.size(path):
            raise UnreadableImage(self.id(path), "is not as long as the archive says")
        return data

    def head(self, path: str, length: int) -> bytes:
        """See Tree."""
        try:
            with self.open(path) as member:
                return member.read(length)
        except UNPACKED_NOT:
            return b""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Regular members; links and the like have size 0, so that they count as stray."""
        raise NotImplementedError

    def size(self, path: str) -> int:
        """Declared length of a member."""
        raise NotImplementedError

    def open(self, path: str) -> IO[bytes]:
        """The member's bytes as a stream."""
        raise NotImplementedError


@dataclass(frozen=True)
class Zip(Archive):
    """A zip file; one handle a process."""

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Regular members; links have size 0, so that they count as stray."""
        members = self._members
        _check_names(self.reference, members)
        _check_ratio(self.reference, sum(info.file_size for info in members.values()), self.file.stat().st_size)
        return by_path(Entry(path, 0 if _is_link(info) else info.file_size) for path, info in members.items())

    @cached_property
    def _members(self) -> dict[str, zipfile.ZipInfo]:
        """By path; some tools of Windows write it with backslashes, against the format."""
        named = {name_of(info).replace("\\", "/"): info for info in self._zip.infolist()}
        return {path: info for path, info in named.items() if not path.endswith("/")}

    def size(self, path: str) -> int:
        """See Archive."""
        info = self._members[path]
        _check_ratio(self.id(path), info.file_size, info.compress_size)
        return info.file_size

    def open(self, path: str) -> IO[bytes]:
        """See Archive."""
        return self._zip.open(self._members[path])

    @property
    def _zip(self) -> zipfile.ZipFile:
        handles: dict[int, zipfile.ZipFile] = self.__dict__.setdefault("_handles", {})
        if os.getpid() not in handles:  # a forked worker must not share the position in the file
            try:
                handles[os.getpid()] = zipfile.ZipFile(self.file)
            except (*BROKEN, NotImplementedError) as error:
                raise UnreadableSource(self.reference, f"is no zip file: {error}") from error
        return handles[os.getpid()]

    def __getstate__(self) -> dict[str, Any]:
        return {"reference": self.reference, "file": self.file, "cache": self.cache}


@dataclass(frozen=True)
class Tar(Archive):
    """A tar file that is not compressed (any more), read by position."""

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Regular members; links and sparse files have size 0, so that they count as stray."""
        return by_path(Entry(path, length) for path, (_, length) in self._members.items())

    @cached_property
    def _members(self) -> dict[str, tuple[int, int]]:
        end, found = self.file.stat().st_size, {}
        try:
            with tarfile.open(self.file, "r:") as tar:
                while (info := tar.next()) is not None:
                    if not info.isdir():
                        plain = info.isreg() and not info.issparse() and info.offset_data + info.size <= end
                        found[info.name.removeprefix("./")] = (info.offset_data, info.size if plain else 0)
                    tar.members = []  # type: ignore[attr-defined]  # an index of a million members needs no second list
        except BROKEN as error:
            raise UnreadableSource(self.reference, f"is no tar file: {error}") from error
        _check_names(self.reference, found)
        return found

    def size(self, path: str) -> int:
        """See Archive."""
        return self._members[path][1]

    def open(self, path: str) -> IO[bytes]:
        """See Archive."""
        start, length = self._members[path]
        return io.BufferedReader(_Part(self.file, start, length))


class _Part(io.RawIOBase):
    """A stretch of a file, read like a file of its own."""

    def __init__(self, file: Path, start: int, length: int) -> None:
        self._file = file.open("rb")
        self._file.seek(start)
        self._left = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def open_archive(file: Path, reference: str, cache: Cache) -> Archive:
    """The tree of an archive; a compressed tar is unpacked once to a tar in the cache.

    Raises:
        UnreadableSource: it is no archive of its suffix, holds names that lead out of it, or unpacks to far more
            than it is.
    """
    if reference.lower().endswith(".zip"):
        return Zip(reference, file, cache)
    opener = next((opener for suffix, opener in PACKED.items() if reference.lower().endswith(suffix)), None)
    if opener is None:
        return Tar(reference, file, cache)
    packed = file.stat().st_size

    def fill(out: BinaryIO) -> None:
        with opener(file) as stream:
            _copy(stream, out, None, lambda length: _check_ratio(reference, length, packed))

    try:
        return Tar(reference, cache.at(file_identity(file), fill, ".tar"), cache)
    except BROKEN as error:
        raise UnreadableSource(reference, f"cannot be unpacked: {error}") from error


def _copy(source: IO[bytes], out: BinaryIO, length: int | None, check: Callable[[int], None] | None = None) -> None:
    done = 0
    while block := source.read(BLOCK):
        done += len(block)
        if check:
            check(done)
        if length is not None and done > length:
            break
        out.write(block)
    if length is not None and done != length:
        raise ValueError("a member is not as long as the archive says")


def _check_names(reference: str, names: Iterable[str]) -> None:
    for count, name in enumerate(names):
        parts = name.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or ":" in parts[0] or "\0" in name:
            raise UnreadableSource(reference, f"holds a name that leads out of it ({name!r}); make the archive again")
        if count >= MAX_MEMBERS:
            raise UnreadableSource(reference, f"holds more than {MAX_MEMBERS:,} files")


def _check_ratio(name: str, unpacked: int, packed: int) -> None:
    if unpacked > FREE_BYTES and unpacked > MAX_RATIO * max(packed, 1):
        raise UnreadableSource(name, f"unpacks to more than {MAX_RATIO} times its size: refused as an archive bomb")


def _is_link(info: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(info.external_attr >> 16)


def name_of(info: zipfile.ZipInfo) -> str:
    """A member's name; macOS writes UTF-8 and does not say so, and zipfile reads all such names as those of DOS."""
    if info.flag_bits & SAYS_UTF8 or info.create_system != UNIX or info.filename.isascii():
        return info.filename
    try:
        return info.filename.encode("cp437").decode()
    except UnicodeError:
        return info.filename
