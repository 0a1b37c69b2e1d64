"""Bytes of a DICOM file -> the few elements that are wanted and where the pixels lie; knows no meaning of any element.

The walk is iterative and bounded (depth, number of elements, length of a value), so that no header, however hostile,
costs more than its length; what was not asked for is stepped over and never parsed. PS3.5 section 7, PS3.10 section 7.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Container
from dataclasses import dataclass

from hilum.errors import ImageTooLarge, UnreadableImage, UnsupportedFormat
from hilum.image.limits import Limits

DEFLATED = "1.2.840.10008.1.2.1.99"
DEFLATED_FRAME = "1.2.840.10008.1.2.8.1"
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"

MAX_DEPTH = 32
MAX_ELEMENTS = 300_000
FRAME_ITEMS = 64  # within wanted sequences, for each of the frames that a file may hold: each becomes a data set
MAX_ITEMS = 512 * FRAME_ITEMS  # where fewer frames are allowed
MAX_TABLE = 1024 * 1024  # bytes of one wanted table: palettes and look-up tables stay below
MAX_VALUE = 4096  # bytes of any other wanted value, at any depth: pydicom makes an object of each number of it
UNDEFINED = 0xFFFFFFFF

PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})  # float, double float, integer
_TRANSFER_SYNTAX = 0x00020010
_STEP = 64 * 1024  # bytes of deflated input looked at together
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements are written."""

    explicit: bool
    little: bool


@dataclass(frozen=True, slots=True)
class Element:
    """One element's place: value at [start, stop) of the data set's bytes; stop is None for an undefined length."""

    tag: int
    vr: bytes  # b"" in implicit encoding
    begin: int
    start: int
    stop: int | None


@dataclass(frozen=True, slots=True)
class Elements:
    """What was found.

    body: the data set's bytes, inflated where they came deflated.
    kept: the wanted top-level elements as they were written, one after another.
    pixels: the pixel element, None where the file has none.
    start, end: of the data set in the body, up to the end of the pixels, or of what was looked at.
    count: of all that was looked at, with items and the marks that end them.
    """

    body: bytes
    kept: bytes
    pixels: Element | None
    encoding: Encoding
    transfer_syntax: str
    start: int
    end: int
    count: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """The tags to keep, and those that are sequences at any depth: the implicit encoding does not say so.

    tables: those that may be longer than MAX_VALUE, up to MAX_TABLE.
    whole: every sequence, at any depth, is looked into, and everything counted: all of it is to be parsed.
    """

    tags: frozenset[int]
    sequences: Container[int]
    tables: frozenset[int] = frozenset()
    whole: bool = False


def find_elements(data: bytes, wanted: Wanted, name: str, limits: Limits) -> Elements:
    """Find the wanted elements of the file `data`, with or without preamble.

    Raises UnreadableImage (cut short, nested or filled beyond reason), ImageTooLarge (a deflated file beyond
    limits.max_inflated), UnsupportedFormat (the data set is in no known encoding).
    """
    body, start, syntax = data_set(data, name, limits)
    encoding = _encoding(body, start, syntax, name)
    walk = _Walk(body, encoding, wanted, name, max(MAX_ITEMS, FRAME_ITEMS * limits.max_frames))
    walk.run(start)
    found = syntax or {(True, True): EXPLICIT_LITTLE, (True, False): EXPLICIT_BIG}.get(
        (encoding.explicit, encoding.little), IMPLICIT_LITTLE
    )
    return Elements(body, b"".join(walk.kept), walk.pixels, encoding, found, start, walk.end, walk.count)


def data_set(data: bytes, name: str, limits: Limits) -> tuple[bytes, int, str]:
    """Where the data set begins in which bytes (inflated where they came deflated), and its transfer syntax, if said.

    Raises as `find_elements`.
    """
    start = 132 if data[128:132] == b"DICM" else 0
    syntax, start = _file_meta(data, start, name)
    if syntax == DEFLATED:
        return inflate(memoryview(data)[start:], limits.max_inflated, name), 0, syntax
    return data, start, syntax


def inflate(packed: bytes | memoryview, most: int, name: str) -> bytes:
    """Raw deflate (RFC 1951) -> at most `most` bytes; raises ImageTooLarge beyond, UnreadableImage where broken."""
    try:
        length = _inflated_length(packed, most)
        if length <= most:
            return zlib.decompress(packed, -zlib.MAX_WBITS, bufsize=max(1, length))
    except zlib.error as error:
        raise UnreadableImage(name, "its deflated data set is broken: export or send the file again") from error
    except EOFError as error:
        raise UnreadableImage(name, "its deflated data set is cut short: export or send the file again") from error
    raise ImageTooLarge(name, f"it inflates to more than {most:,} bytes")


def _inflated_length(packed: bytes | memoryview, most: int) -> int:
    """The length once inflated, or more than `most`; keeps nothing of it, so a bomb costs time alone."""
    engine, length, view = zlib.decompressobj(-zlib.MAX_WBITS), 0, memoryview(packed)
    for start in range(0, len(view), _STEP):
        left: bytes | memoryview = view[start : start + _STEP]
        while not engine.eof and length <= most:
            plain = engine.decompress(left, 16 * _STEP)
            length, left = length + len(plain), engine.unconsumed_tail
            if not plain and not left:
                break
        if engine.eof or length > most:
            return length
    raise EOFError


def _file_meta(data: bytes, start: int, name: str) -> tuple[str, int]:
    """Transfer syntax UID ("" where unsaid) and the offset of the first element after group 0002."""
    syntax, position = "", start
    reader = _Walk(data, Encoding(explicit=True, little=True), Wanted(frozenset(), frozenset()), name)
    while position + 8 <= len(data) and data[position : position + 2] == b"\x02\x00":
        element = reader.element(position, len(data))
        if element.stop is None:
            raise UnreadableImage(name, "its file meta information is broken: export or send the file again")
        if element.tag == _TRANSFER_SYNTAX:
            syntax = data[element.start : element.stop][:64].decode("ascii", "replace").strip("\0 ")
        position = element.stop
    return syntax, position


def _encoding(body: bytes, start: int, syntax: str, name: str) -> Encoding:
    """The encoding that the first element shows; the transfer syntax decides only what the bytes leave open."""
    head = body[start : start + 6]
    if len(head) < 6:
        raise UnreadableImage(name, "it ends after its file header: export or send the file again")
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    if not syntax:
        little, big = int.from_bytes(head[:2], "little"), int.from_bytes(head[:2], "big")
        if min(little, big) > 0x0028:
            raise UnsupportedFormat(name, "it looks like DICOM but holds no data set")
        return Encoding(explicit, little <= big)
    return Encoding(explicit, syntax != EXPLICIT_BIG)


class _Walk:
    """One pass over a data set."""

    def __init__(self, body: bytes, encoding: Encoding, wanted: Wanted, name: str, most_items: int = MAX_ITEMS) -> None:
        order = "<" if encoding.little else ">"
        self.body, self.name, self.wanted = body, name, wanted
        self.explicit = encoding.explicit
        self.pair = struct.Struct(order + "HH").unpack_from
        self.long = struct.Struct(order + "I").unpack_from
        self.short = struct.Struct(order + "H").unpack_from
        self.count, self.items, self.most_items = 0, 0, most_items
        self.kept: list[bytes] = []
        self.pixels: Element | None = None
        self.end = len(body)

    def run(self, start: int) -> None:
        """Top level: keep what is wanted, remember the pixels and stop there."""
        position, end = start, len(self.body)
        while position + 8 <= end:
            element = self.element(position, end)
            if element.tag in PIXELS:
                self.pixels = element
                position = self.skip(element, deep=False) if self.wanted.whole else end
                break
            keep = element.tag in self.wanted.tags
            position = self.skip(element, deep=(keep or self.wanted.whole) and not _in_pieces(element))
            if keep:
                self._check_length(element, position)
                self.kept.append(self.body[element.begin : position])
        self.end = min(position, end)

    def element(self, position: int, end: int) -> Element:
        """The element that begins at `position` and must fit before `end`."""
        self.count += 1
        if self.count > MAX_ELEMENTS:
            raise ImageTooLarge(self.name, f"its header holds more than {MAX_ELEMENTS:,} elements")
        if position + 8 > end:
            raise UnreadableImage(self.name, "it is cut short in its header: export or send the file again")
        group, number = self.pair(self.body, position)
        tag = group << 16 | number
        vr, start, length = b"", position + 8, 0
        if self.explicit and group != 0xFFFE:
            vr = self.body[position + 4 : position + 6]
        if vr in _LONG:
            if position + 12 > end:
                raise UnreadableImage(self.name, "it is cut short in its header: export or send the file again")
            start, length = position + 12, self.long(self.body, position + 8)[0]
        elif vr.isalpha() and vr.isupper():
            length = self.short(self.body, position + 6)[0]
        else:  # implicit, an item, or an element that a careless writer left implicit
            vr, length = b"", self.long(self.body, position + 4)[0]
        if length == UNDEFINED:
            return Element(tag, vr, position, start, None)
        element = Element(tag, vr, position, start, start + length)
        if start + length > end and tag not in PIXELS:
            left = f"{end - start:,} are left"
            raise UnreadableImage(self.name, f"{self._says(element)} {length:,} bytes where {left}: it is cut short")
        return element

    def skip(self, element: Element, *, deep: bool) -> int:
        """The offset after `element`; `deep` looks into sequences of defined length too, so that they are counted."""
        if element.stop is not None and not (deep and self._is_sequence(element)):
            return element.stop
        explicit = self.explicit
        # An undefined length of VR UN holds implicit elements (PS3.5 6.2.2).
        self.explicit = explicit and element.vr != b"UN"
        ends: list[int | None] = [element.stop]  # of each open sequence or item; None: until its delimiter
        position = element.start
        while ends:
            if ends[-1] is not None and position >= ends[-1]:
                ends.pop()
                continue
            inner = self.element(position, next((end for end in reversed(ends) if end is not None), len(self.body)))
            if inner.tag in (_ITEM_END, _SEQUENCE_END):
                position = inner.start
                if ends[-1] is None:
                    ends.pop()
                continue
            position = self._enter(inner, ends, deep=deep)
        self.explicit = explicit
        return position

    def _enter(self, inner: Element, ends: list[int | None], *, deep: bool) -> int:
        self.items += deep and inner.tag == _ITEM
        if self.items > self.most_items:
            raise ImageTooLarge(self.name, f"its sequences hold more than {self.most_items:,} items")
        if deep and _in_pieces(inner):
            return self.skip(inner, deep=False)
        opens = inner.stop is None or (deep and (inner.tag == _ITEM or self._is_sequence(inner)))
        if not opens:
            stop = inner.stop or inner.start
            if inner.tag in self.wanted.tags:
                self._check_length(inner, stop)
            return stop
        if len(ends) >= 2 * MAX_DEPTH:
            raise UnreadableImage(self.name, f"its header is nested more than {MAX_DEPTH} deep")
        ends.append(inner.stop)
        return inner.start

    def _check_length(self, element: Element, stop: int) -> None:
        most, length = MAX_TABLE if element.tag in self.wanted.tables else MAX_VALUE, stop - element.start
        if length > most and not self._is_sequence(element):
            raise ImageTooLarge(self.name, f"{self._says(element)} {length:,} bytes; the limit is {most:,}")

    def _is_sequence(self, element: Element) -> bool:
        if self.wanted.whole and element.vr not in (b"", b"UN"):  # of another kind than its tag: nobody parses it
            return element.vr == b"SQ"
        return element.vr == b"SQ" or element.tag in self.wanted.sequences

    def _says(self, element: Element) -> str:
        return f"element ({element.tag >> 16:04x},{element.tag & 0xFFFF:04x}) claims"


def _in_pieces(element: Element) -> bool:
    """Whether the items of an element are bytes, as those of compressed pixels (an icon's, too), and no data sets."""
    return element.stop is None and (element.tag in PIXELS or element.vr[:1] == b"O")
