"""The bytes of a TIFF -> the same pages, every byte that no pixel needs zero and every other tag gone; decodes nothing.

What stays keeps its place, so that every offset holds: header, directories, values of the tags below, strips, tiles.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from hilum.image.limits import repeats
from hilum.image.remarks_jpeg import Steps, blank_jpeg

_KINDS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
_COMPRESSION, _STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES, _TABLES = 259, 273, 279, 324, 325, 347
_OLD_JPEG, _JPEG = 6, 7
# What tells how pixels lie and what they mean (TIFF 6.0, and LERC's parameters): no names, texts, dates, profiles
_NEEDED = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 274, 277, 278, 279, 280, 281, 284, 290, 291, 292, 293, 317, 318,
     319, 320, 322, 323, 324, 325, 332, 334, 336, 338, 339, 340, 341, 347, 529, 530, 531, 532, 50674}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Form:
    """How numbers are written: byte order, and the widths of a classic or a big TIFF."""

    order: str
    big: bool

    @property
    def head(self) -> str:
        """Of the number of entries."""
        return self.order + ("Q" if self.big else "H")

    @property
    def pointer(self) -> str:
        """Of an offset."""
        return self.order + ("Q" if self.big else "I")

    @property
    def step(self) -> int:
        """Bytes of an entry."""
        return 20 if self.big else 12


def bare_tiff(data: bytes) -> bytes:
    """Raises struct.error, LookupError or ValueError where it is broken, or of a kind that is not walked through."""
    order = "<" if data[:2] == b"II" else ">"
    form = _Form(order, struct.unpack_from(order + "H", data, 2)[0] == 43)
    first = 8 if form.big else 4
    out = bytearray(len(data))
    used = first + struct.calcsize(form.pointer)
    out[:used] = data[:used]
    directories, taken, copied, steps = [], [(0, used)], 0, Steps()
    for place in _places(data, form, struct.unpack_from(form.pointer, data, first)[0]):
        entries = _entries(data, form, place)
        kept = [entry for entry in entries if struct.unpack_from(form.order + "H", entry)[0] in _NEEDED]
        ranges = [span for entry in kept for span in _values(form, entry)] + _pixels(data, form, kept)
        copied += sum(stop - start for start, stop in ranges)
        if repeats(copied, len(data)):
            raise ValueError("the same bytes over and over")
        for start, stop in ranges:
            if not 0 <= start <= stop <= len(data):
                raise ValueError("beyond the end")
            out[start:stop] = data[start:stop]
        _blank(out, data, form, kept, steps)
        after = place + struct.calcsize(form.head) + form.step * len(entries)
        end = after + struct.calcsize(form.pointer)
        directories.append((place, end, kept, data[after:end]))
        taken += _joined(ranges)
    taken = _joined(taken)
    starts = [start for start, _ in taken]
    for place, stop, kept, following in directories:
        before = bisect_left(starts, stop) - 1
        if before >= 0 and taken[before][1] > place:
            raise ValueError("a directory lies within pixels")
        written = struct.pack(form.head, len(kept)) + b"".join(kept) + following
        out[place : place + len(written)] = written
    return bytes(out[: max(stop for _, stop in [*taken, *((at, end) for at, end, _, _ in directories)])])


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same places, in order and apart from each other."""
    found: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(stop, found[-1][1])
        elif start < stop:
            found.append((start, stop))
    return found


def _places(data: bytes, form: _Form, place: int) -> Iterator[int]:
    seen: set[int] = set()
    while place and place not in seen:
        seen.add(place)
        yield place
        count = struct.unpack_from(form.head, data, place)[0]
        place = struct.unpack_from(form.pointer, data, place + struct.calcsize(form.head) + form.step * count)[0]


def _entries(data: bytes, form: _Form, place: int) -> list[bytes]:
    count, start = struct.unpack_from(form.head, data, place)[0], place + struct.calcsize(form.head)
    if start + count * form.step > len(data):
        raise ValueError("a directory goes on beyond the end")
    return [data[i : i + form.step] for i in range(start, start + count * form.step, form.step)]


def _said(form: _Form, entry: bytes) -> tuple[int, int, int, bytes]:
    """Tag, kind, number of values, and the field that holds them or says where they are."""
    tag, kind, count = struct.unpack_from(form.order + ("HHQ" if form.big else "HHI"), entry)
    return tag, kind, count, entry[12:] if form.big else entry[8:]


def _values(form: _Form, entry: bytes) -> list[tuple[int, int]]:
    """Where the values lie; nothing where they lie in the entry itself."""
    _, kind, count, field = _said(form, entry)
    length = _KINDS[kind] * count
    if length <= len(field):
        return []
    start = struct.unpack(form.pointer, field)[0]
    return [(start, start + length)]


def _numbers(data: bytes, form: _Form, kept: list[bytes], tag: int) -> tuple[int, ...]:
    for entry in kept:
        found, kind, count, field = _said(form, entry)
        if found == tag:
            spans = _values(form, entry)
            raw = data[spans[0][0] : spans[0][1]] if spans else field[: _KINDS[kind] * count]
            return struct.unpack(f"{form.order}{count}{_NUMBERS[kind]}", raw)
    return ()


def _pixels(data: bytes, form: _Form, kept: list[bytes]) -> list[tuple[int, int]]:
    """Where strips or tiles lie."""
    if _numbers(data, form, kept, _COMPRESSION) == (_OLD_JPEG,):
        raise ValueError("the older kind of JPEG, whose tables lie anywhere")
    starts = _numbers(data, form, kept, _STRIPS) or _numbers(data, form, kept, _TILES)
    lengths = _numbers(data, form, kept, _STRIP_BYTES) or _numbers(data, form, kept, _TILE_BYTES)
    return [(start, start + length) for start, length in zip(starts, lengths, strict=True)]


def _blank(out: bytearray, data: bytes, form: _Form, kept: list[bytes], steps: Steps) -> None:
    """Remarks inside JPEG strips and their tables."""
    if _numbers(data, form, kept, _COMPRESSION) != (_JPEG,):
        return
    tables = [span for entry in kept if _said(form, entry)[0] == _TABLES for span in _values(form, entry)]
    for start, stop in tables + _pixels(data, form, kept):
        if out[start : start + 2] == b"\xff\xd8":
            blank_jpeg(out, start, stop, steps)
