"""The palette of a DICOM file -> a function from indices to RGB; PS3.3 C.7.6.3.1.5 and C.7.9; knows no codec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.errors import UnreadableImage
from hilum.image import grey
from hilum.image.dicom.header import Header, numbers, plain
from hilum.image.dicom.values import Table, words

_MOST_SEGMENTS = 65_536
_MOST_NESTED = 8


def palette_of(header: Header, name: str) -> Callable[[NDArray[Any]], NDArray[np.uint8]]:
    """A function (H, W) indices -> (H, W, 3) uint8 RGB; raises UnreadableImage where a table is absent or broken."""
    tables = [_channel(header, colour) for colour in ("Red", "Green", "Blue")]
    found = [(table, _bytes(table)) for table in tables if table is not None]
    if len(found) < 3:
        raise UnreadableImage(name, "its colour palette is absent or broken: export or send the file again")

    def colours(indices: NDArray[Any]) -> NDArray[np.uint8]:
        return np.stack([entries[table.index(indices)] for table, entries in found], axis=-1)

    return lambda indices: grey.in_bands(indices, colours)


def _channel(header: Header, colour: str) -> Table | None:
    said = header.said
    descriptor = numbers(said, f"{colour}PaletteColorLookupTableDescriptor")
    if len(descriptor) != 3:
        return None
    count, first, bits = int(descriptor[0]) or 65536, int(descriptor[1]), int(descriptor[2])
    entries = words(plain(said, f"{colour}PaletteColorLookupTableData"), count, header)
    if entries is None:
        raw = plain(said, f"Segmented{colour}PaletteColorLookupTableData")
        size = 2 if bits == 16 else 1
        segments = words(raw, len(raw) // size, header) if isinstance(raw, bytes) else None
        entries = None if segments is None else expand_segments(segments.tolist(), count, size)
    if entries is None or bits not in (8, 16):
        return None
    first = first - 65536 if header.layout.signed and first > 32767 else first
    return Table(first, entries, bits)


def _bytes(table: Table) -> NDArray[np.uint8]:
    """The 8 significant bits; some writers state 16 bits and fill 8."""
    entries = table.entries
    deep = table.bits == 16 and entries.max() > 255
    shifted: NDArray[np.uint8] = (entries >> 8 if deep else entries & 0xFF).astype(np.uint8)
    return shifted


def expand_segments(segments: list[int], count: int, size: int) -> NDArray[np.uint16] | None:
    """Segmented palette data (C.7.9.2): discrete (0), linear (1) and indirect (2) segments -> `count` entries.

    size: bytes of an entry; indirect segments count their offset in bytes.
    None where the data is broken. The work is bounded by `count` and by a number of segments.
    """
    entries: list[int] = []
    todo, steps = [(0, len(segments))], 0  # (where, how many segments), last first
    while todo and len(entries) < count:
        position, left = todo.pop()
        code, length, *rest = [*segments[position : position + 6], 0, 0, 0, 0, 0, 0][:6]
        steps += 1
        if steps > _MOST_SEGMENTS or len(todo) > _MOST_NESTED or position < 0:
            return None
        if left < 1 or position + 2 >= len(segments):
            continue
        if code == 0:
            entries += segments[position + 2 : position + 2 + length]
            todo.append((position + 2 + length, left - 1))
        elif code == 1 and entries:
            start, step = entries[-1], (rest[0] - entries[-1]) / max(length, 1)
            entries += [round(start + step * place) for place in range(1, length + 1)]
            todo.append((position + 3, left - 1))
        elif code == 2:
            parts = 4 // size
            offset = sum(part << (8 * size * place) for place, part in enumerate(rest[:parts]))
            todo += [(position + 2 + parts, left - 1), (offset // size, length)]
        else:
            return None
    return np.array(entries[:count], np.uint16) if entries else None
