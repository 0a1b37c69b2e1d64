"""Coloured pixels -> their luma and the share that is visibly coloured, by Pillow; knows no file format.

Apart from `grey`, because Pillow takes as long to import as OpenCV, and most files hold no colour.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from hilum.image import grey

_GRID = 64  # the share is taken on at most this many rows and columns


def grey_from_colour(samples: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
    """(H, W, 3) RGB or (H, W, 4) RGBA, uint8 -> grey (H, W) float32 in [0, 1] and the share of coloured pixels.

    Grey is the luma of ITU-R BT.601 as Pillow rounds it; alpha is composited over black.
    """
    return grey.in_bands(samples, _luma), grey.colour_share(_grid(samples))


def _luma(samples: NDArray[np.uint8]) -> NDArray[np.float32]:
    luma = grey.unit_from_bytes(np.asarray(Pillow.fromarray(np.ascontiguousarray(samples[..., :3])).convert("L")))
    if samples.shape[-1] == 4:
        luma *= grey.unit_from_bytes(samples[..., 3])
    return luma


def _grid(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pixels that `share_of_picture` looks at."""
    rows, columns = (
        ((np.arange(count) + 0.5) * (side / count)).astype(int)
        for side, count in ((side, min(side, _GRID)) for side in samples.shape[:2])
    )
    grid: NDArray[np.uint8] = samples[rows[:, None], columns]
    return grid


def luma_of_picture(colour: Pillow.Image) -> tuple[NDArray[np.uint8], float]:
    """A Pillow image of mode RGB or RGBX -> its luma (H, W) uint8 and share of colour; RGB is never copied out."""
    return np.asarray(colour.convert("L")), share_of_picture(colour)


def share_of_picture(colour: Pillow.Image) -> float:
    """The share of colour of a Pillow image of a mode that has RGB, or becomes RGB or RGBA."""
    grid = colour.resize((min(colour.width, _GRID), min(colour.height, _GRID)), Pillow.Resampling.NEAREST)
    if grid.mode not in ("RGB", "RGBX", "RGBA"):
        grid = grid.convert("RGB" if grid.mode in ("CMYK", "YCbCr", "LAB", "HSV") else "RGBA")
    return grey.colour_share(np.asarray(grid))
