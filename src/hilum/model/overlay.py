"""A heatmap on its image -> a picture to look at: RGB with a scale, as PNG bytes; knows no network."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.errors import UsageError
from hilum.image.image import Image
from hilum.model.explain import Heatmap

STRENGTH = 0.6  # greatest cover of the image by colour, so that the anatomy stays to be seen
LEAST_SIDE = 256  # pixels; smaller images are enlarged for the eye
Picture = NDArray[np.uint8]  # (H, W, 3), red green blue


def overlay(image: Image, heat: Heatmap) -> Picture:
    """(H', W', 3) uint8: the grey image under the heat in viridis, whose lightness rises evenly, and its scale 0 to 1.

    The colour covers more where the heat is stronger; where it is 0 the image is untouched.
    """
    grey, values = _enlarged(image.pixels), _enlarged(heat.values)
    cover = (STRENGTH * np.sqrt(np.clip(values, 0, 1)))[..., None]
    mixed = _as_rgb(grey) * (1 - cover) + coloured(values) * cover
    return np.hstack([np.rint(mixed).astype(np.uint8), _scale(grey.shape[0])])


def outlined(image: Image, edges: NDArray[np.bool_]) -> Picture:
    """(H', W', 3) uint8: the grey image with boundaries drawn in yellow; edges: (H, W), true on a boundary."""
    grey = _enlarged(image.pixels)
    line = cv2.resize(edges.astype(np.uint8), (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_NEAREST)
    picture = _as_rgb(grey).astype(np.uint8)
    picture[line > 0] = (253, 231, 37)
    return picture


def coloured(values: NDArray[np.floating]) -> Picture:
    """Values (H, W) in [0, 1] -> viridis, (H, W, 3) uint8."""
    levels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    blue_first = cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)
    return np.ascontiguousarray(blue_first[..., ::-1], dtype=np.uint8)


def png(picture: Picture) -> bytes:
    """PNG bytes of an RGB picture.

    Raises:
        UsageError: the picture is not (H, W, 3) uint8.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise UsageError(f"a picture must be (H, W, 3) uint8, not {picture.shape} {picture.dtype}")
    _, encoded = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
    return encoded.tobytes()


def grey_png(values: NDArray[np.floating]) -> bytes:
    """Values (H, W) in [0, 1] -> an 8-bit grey PNG, 1 white."""
    _, encoded = cv2.imencode(".png", np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8))
    return encoded.tobytes()


def _enlarged(values: NDArray[np.float32]) -> NDArray[np.float32]:
    factor = LEAST_SIDE / min(values.shape)
    if factor <= 1:
        return values
    size = (round(values.shape[1] * factor), round(values.shape[0] * factor))
    return np.clip(cv2.resize(values, size, interpolation=cv2.INTER_CUBIC), 0, 1).astype(np.float32)


def _as_rgb(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.repeat(np.rint(np.clip(grey, 0, 1) * 255)[..., None], 3, axis=2).astype(np.float32)


def _scale(height: int) -> Picture:
    """A bar of the colours with 0 below and 1 above, (height, w, 3) uint8 on black."""
    width, inset = 40, max(12, height // 16)
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    ramp = np.linspace(1, 0, height - 2 * inset, dtype=np.float32)
    picture[inset : height - inset, 8:20] = coloured(np.repeat(ramp[:, None], 12, axis=1))
    for text, row in (("1", inset + 8), ("0", height - inset)):
        cv2.putText(picture, text, (25, row), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return picture
