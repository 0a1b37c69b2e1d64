"""An .npz file -> the headers of its arrays, and each array mapped into memory; runs no pickle, believes no header."""

from __future__ import annotations

import lzma
import math
import shutil
import struct
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from hilum.data.places.cache import Cache, file_identity
from hilum.errors import UnreadableSource

FREE_BYTES = 256 * 1024 * 1024
BOMB_RATIO = 200
MAX_SMALL_BYTES = 512 * 1024 * 1024  # labels and names are read whole
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # APPNOTE.TXT 4.3.7: signature, ..., lengths of name and extra field
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    struct.error,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True, slots=True)
class Stored:
    """One array that lies on this disk. offset: of the first number in `file`, in bytes."""

    file: Path
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool

    def map(self) -> NDArray[Any]:
        """The array, read from the disk page by page as it is used."""
        order: Literal["F", "C"] = "F" if self.fortran else "C"
        if 0 in self.shape:
            return np.zeros(self.shape, self.dtype)
        mapped: NDArray[Any] = np.memmap(self.file, self.dtype, "r", self.offset, self.shape, order)
        return mapped


def read_headers(file: Path, name: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the arrays.

    Raises:
        UnreadableSource: it is no .npz, holds an object array, or a header that does not fit its bytes.
    """
    return {key: header[0] for key, (_, header, _) in _members(file, name).items()}


def stored(file: Path, key: str, name: str, cache: Cache) -> Stored:
    """Where an array can be mapped: in the .npz itself, or unpacked once into the cache where it is compressed."""
    info, (shape, fortran, dtype), start = _members(file, name)[key]
    if info.compress_type == zipfile.ZIP_STORED:
        return Stored(file, _data_offset(file, info, name) + start, shape, dtype, fortran)

    def fill(out: BinaryIO) -> None:
        with zipfile.ZipFile(file) as archive, archive.open(info.filename) as member:
            shutil.copyfileobj(member, out, 1024 * 1024)

    try:
        unpacked = cache.at(f"{file_identity(file)}#{key}", fill, ".npy")
    except BROKEN as error:
        raise UnreadableSource(f"{name}#{key}", f"cannot be unpacked: {error}") from error
    if unpacked.stat().st_size != info.file_size:
        raise UnreadableSource(f"{name}#{key}", "is not as long as the archive says")
    return Stored(unpacked, start, shape, dtype, fortran)


def small(file: Path, key: str, name: str, cache: Cache) -> NDArray[Any]:
    """An array that is read whole: labels, names, groups."""
    found = stored(file, key, name, cache)
    if math.prod(found.shape) * found.dtype.itemsize > MAX_SMALL_BYTES:
        raise UnreadableSource(f"{name}#{key}", f"larger than {MAX_SMALL_BYTES:,} bytes")
    array = np.array(found.map())
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        letters = array.ravel().view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        if letters.max() > sys.maxunicode:  # making words of it fails deep inside numpy
            raise UnreadableSource(f"{name}#{key}", "holds text that is no Unicode")
    return array


Header = tuple[tuple[int, ...], bool, np.dtype[Any]]


def _members(file: Path, name: str) -> dict[str, tuple[zipfile.ZipInfo, Header, int]]:
    members = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if info.filename.endswith(".npy"):
                    with archive.open(info) as member:
                        header, start = _header(member)
                    members[info.filename.removesuffix(".npy")] = (info, header, start)
                    _check(info, header, start, name)
    except BROKEN as error:
        raise UnreadableSource(name, f"is no .npz file that can be read: {error}") from error
    if not members:
        raise UnreadableSource(name, "holds no array")
    return members


def _header(member: IO[bytes]) -> tuple[Header, int]:
    version = np.lib.format.read_magic(member)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"npy format {version} is not read here")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(member)  # refuses headers longer than 10,000 bytes
    return (tuple(int(side) for side in shape), bool(fortran), dtype), member.tell()


def _check(info: zipfile.ZipInfo, header: Header, start: int, name: str) -> None:
    shape, _, dtype = header
    called = f"{name}#{info.filename.removesuffix('.npy')}"
    if dtype.hasobject:
        raise UnreadableSource(called, "is an array of Python objects, which could run code: save it as numbers")
    if dtype.kind not in "buifUS":
        raise UnreadableSource(called, f"holds {dtype}: save it as whole numbers, floats or text")
    if min(shape, default=0) < 0 or start + math.prod(shape) * dtype.itemsize != info.file_size:
        raise UnreadableSource(
            called, f"its header says {shape} {dtype}, which does not fit its {info.file_size:,} bytes"
        )
    if info.file_size > FREE_BYTES and info.file_size > BOMB_RATIO * max(info.compress_size, 1):
        raise UnreadableSource(called, f"unpacks to more than {BOMB_RATIO} times its size: refused as an archive bomb")


def _data_offset(file: Path, info: zipfile.ZipInfo, name: str) -> int:
    with file.open("rb") as opened:
        opened.seek(info.header_offset)
        head = opened.read(_LOCAL_HEADER.size)
    signature, name_length, extra_length = _LOCAL_HEADER.unpack(head)
    start = int(info.header_offset + _LOCAL_HEADER.size + name_length + extra_length)
    if signature != b"PK\x03\x04" or start + info.file_size > file.stat().st_size:
        raise UnreadableSource(name, "is cut off")
    return start
