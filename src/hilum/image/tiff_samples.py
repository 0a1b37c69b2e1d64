"""The samples of a TIFF as they were written, where Pillow takes them for others; knows no grey."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BITS, _COMPRESSION, _PLANAR, _FORMAT = 258, 259, 284, 339  # tags of TIFF 6.0
_PLAIN, _SEPARATE, _UNSIGNED, _SIGNED = 1, 2, 1, 2
# libtiff hands samples over in the machine's own order of bytes, whatever the file's.
_NATIVE = {"I;16BS": "I;16NS", "I;32BS": "I;32NS", "F;32BF": "F;32NF"}


def say_how_packed(image: Any) -> None:
    """Tell the decoder of an opened page, before it is loaded, the order and the width of its samples."""
    image.tile = [tile._replace(args=_args(tile.args, image)) for tile in image.tile]


def _args(args: Any, image: Any) -> Any:
    if not isinstance(args, (tuple, list)):
        return args
    tags, raw = image.tag_v2, args[0]
    if tags.get(_COMPRESSION, _PLAIN) != _PLAIN:
        raw = _NATIVE.get(raw, raw)
    elif tags.get(_PLANAR) == _SEPARATE and len(raw) == 1 and tags.get(_BITS, (1,))[0] == 16:
        raw = f"{raw};16{'B' if tags.prefix == b'MM' else 'L'}"
    return (raw, *args[1:])


def as_written(samples: NDArray[Any], tags: Any) -> NDArray[Any]:
    """Grey samples of a loaded page with the sign that the file gives them: bytes without one, 32 bits with one."""
    kind, bits = tags.get(_FORMAT, (_UNSIGNED,))[0], tags.get(_BITS, (1,))[0]
    if kind == _SIGNED and samples.dtype == np.uint8 and bits == 8:
        return samples.view(np.int8)
    if kind == _UNSIGNED and samples.dtype == np.int32 and bits == 32:
        return samples.view(np.uint32)
    return samples
