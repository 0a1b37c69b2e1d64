"""A zip of images -> its files, within limits that are read from its directory before anything is unpacked.

Members' names are for people and never a path; what systems leave behind is passed over.
"""

from __future__ import annotations

import io
import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator

from hilum.data.places.archive import name_of
from hilum.interfaces.http.body import Upload, clean_path
from hilum.interfaces.http.problems import Problem
from hilum.leftovers import is_left_over

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
LINE = b"PK\x01\x02"  # how each line of a zip's directory begins
MEMBERS = 10_000
TIMES, FREE = 100, 16 * 1024**2  # a member larger than FREE bytes may be so many times its packed size
WHOLE = 4 * 1024**3  # bytes of all members
BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, NotImplementedError, RuntimeError,
)  # fmt: skip


def is_zip(data: bytes) -> bool:
    """Whether the bytes are a zip by their beginning."""
    return data[:4] in MAGIC


def check_members(zips: Iterable[bytes]) -> None:
    """Raises Problem (413) where the directories have too many lines: counted, for reading one takes a second a MB."""
    lines = sum(data.count(LINE) for data in zips)
    if lines > MEMBERS:
        raise Problem(413, "too_many_files", f"{lines:,} files in the zip; the limit is {MEMBERS:,}")


class Packed:
    """A zip that was looked through; `most`: bytes of one member.

    Raises:
        Problem: it is broken (400), or beyond a limit (413).
    """

    def __init__(self, data: bytes, most: int) -> None:
        check_members([data])
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            members = self._zip.infolist()
        except BROKEN as error:
            raise Problem(400, "bad_zip", f"the zip cannot be read: {str(error)[:120]}") from error
        self._members = [one for one in members if _is_file(one)]
        if not self._members:
            raise Problem(400, "no_image", "the zip holds no files")
        self.size = sum(one.file_size for one in self._members)
        if self.size > max(TIMES * len(data), 4 * FREE):
            raise Problem(413, "too_large", f"unpacked, the zip is more than {TIMES} times as large")
        if self.size > WHOLE:
            raise Problem(413, "too_large", f"unpacked, the zip has {self.size:,} bytes; the limit is {WHOLE:,}")
        for one in self._members:
            _check(one, most)

    def __len__(self) -> int:
        return len(self._members)

    def files(self) -> Iterator[Upload]:
        """Each file, unpacked when it is asked for.

        Raises:
            Problem: a member is broken, or not as long as the directory says.
        """
        for one in self._members:
            try:
                with self._zip.open(one) as file:
                    data = file.read(one.file_size + 1)
            except BROKEN as error:
                raise Problem(400, "bad_zip", f"a file of the zip cannot be unpacked: {str(error)[:120]}") from error
            if len(data) != one.file_size:
                raise Problem(400, "bad_zip", "a file of the zip is not as long as its directory says")
            yield Upload(clean_path(name_of(one)), data)


def _is_file(one: zipfile.ZipInfo) -> bool:
    if one.is_dir() or stat.S_ISLNK(one.external_attr >> 16):
        return False
    return not is_left_over(one.filename.replace("\\", "/"))


def _check(one: zipfile.ZipInfo, most: int) -> None:
    if one.flag_bits & 1:
        raise Problem(400, "bad_zip", "the zip is encrypted")
    if one.file_size > most:
        raise Problem(413, "too_large", f"a file of the zip has {one.file_size:,} bytes; the limit is {most:,}")
    if one.file_size > FREE and one.file_size > TIMES * max(one.compress_size, 1):
        raise Problem(413, "too_large", f"a file of the zip unpacks to more than {TIMES} times its size")
