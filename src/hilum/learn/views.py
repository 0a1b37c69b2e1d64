"""A frame (a good image made small) -> the same image as another machine, film or screenshot would show it.

Used to teach the admission network which differences do not matter, and as the stress under which its thresholds are
set; knows no network and no label. Frames are (S, S) uint8; views are prepared by the very function that serves.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hilum.image.image import Image, Metadata
from hilum.image.prepare import Preparation, prepare

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a view may go from its frame.

    turn: degrees. zoom: greatest enlargement. shrink: greatest shrinking, the rest filled. shift: of a side.
    aspect: greatest ratio of the two zooms. gamma: greatest |ln gamma|. blur: greatest sigma in pixels of 128.
    noise: greatest standard deviation of a range of 1. marks: chance of letters, a banner or a frame on the picture.
    peel: chance that the rim of the foreground is cut away, as skull-stripping does.
    """

    turn: float = 12.0
    zoom: float = 1.3
    shrink: float = 1.7
    shift: float = 0.08
    aspect: float = 1.25
    gamma: float = 0.7
    blur: float = 2.0
    noise: float = 0.08
    marks: float = 0.25
    peel: float = 0.12


WIDE = Reach()
MILD = Reach(
    turn=5.0, zoom=1.15, shrink=1.2, shift=0.05, aspect=1.12, gamma=0.4, blur=1.5, noise=0.04, marks=0.15, peel=0.0
)


def plain(frame: Picture, preparation: Preparation) -> Picture:
    """(P, P) uint8, the view that serving would see: prepared, nothing else. P: the preparation's size."""
    return _prepared(frame.astype(np.float32), preparation)


def view(frame: Picture, preparation: Preparation, generator: Generator, reach: Reach = WIDE) -> Picture:
    """(P, P) uint8, one view at random."""
    if generator.random() < reach.peel:
        frame = _peeled(frame, generator)
    values = _placed(frame, generator, reach)
    if generator.random() < 0.8:
        values = _toned(values, generator, reach)
    if generator.random() < reach.marks:
        _mark(values, generator)
    return _prepared(values, preparation)


def _prepared(values: NDArray[np.float32], preparation: Preparation) -> Picture:
    pixels = np.clip(values / 255, 0, 1).astype(np.float32)
    prepared: Picture = prepare(Image(pixels, Metadata("ARRAY", "L", 8, *pixels.shape)), preparation)[0]
    return prepared


def _placed(frame: Picture, generator: Generator, reach: Reach) -> NDArray[np.float32]:
    side = frame.shape[0]
    zoom = np.exp(generator.uniform(-np.log(reach.shrink), np.log(reach.zoom)))
    aspect = np.exp(generator.uniform(-0.5, 0.5) * np.log(reach.aspect))
    turn = np.deg2rad(generator.uniform(-reach.turn, reach.turn))
    cosine, sine = np.cos(turn), np.sin(turn)
    matrix = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([zoom * aspect, zoom / aspect])
    middle = np.array([side / 2, side / 2]) + generator.uniform(-reach.shift, reach.shift, 2) * side
    offset = middle - matrix @ np.array([side / 2, side / 2])
    border = cv2.BORDER_REPLICATE if generator.random() < 0.3 else cv2.BORDER_CONSTANT
    moved = cv2.warpAffine(frame, np.column_stack([matrix, offset]), (side, side), borderMode=border)
    if generator.random() < 0.4:
        moved = cv2.GaussianBlur(moved, (0, 0), generator.uniform(0.3, reach.blur))
    return np.asarray(moved, dtype=np.float32)


def _peeled(frame: Picture, generator: Generator) -> Picture:
    """The frame without the outer 4 to 14 percent of its foreground, on black."""
    soft = cv2.GaussianBlur(frame, (0, 0), 2.0)
    mask = cv2.threshold(soft, 0.15 * float(soft.max()), 1, cv2.THRESH_BINARY)[1]
    round_off = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (17, 17))
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, round_off)
    depth = int(frame.shape[0] * generator.uniform(0.04, 0.14))
    inner = cv2.erode(closed, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * depth + 1, 2 * depth + 1)))
    return np.asarray(frame * inner, dtype=np.uint8)


def _toned(values: NDArray[np.float32], generator: Generator, reach: Reach) -> NDArray[np.float32]:
    low, high = float(values.min()), float(values.max())
    unit = (values - low) / max(high - low, 1e-6)
    toned = unit ** np.exp(generator.uniform(-reach.gamma, reach.gamma))
    kind = generator.random()
    if kind < 0.25:
        toned = toned + generator.uniform(0, 1.5) * (toned - cv2.GaussianBlur(toned, (0, 0), 1.5))
    elif kind < 0.5:
        toned = toned + generator.normal(0, generator.uniform(0, reach.noise), toned.shape).astype(np.float32)
    elif kind < 0.65:
        ramp = np.linspace(-1, 1, len(values), dtype=np.float32) * generator.uniform(0, 0.3)
        toned = toned * (1 + (ramp[None] if generator.random() < 0.5 else ramp[:, None]))
    elif kind < 0.75:
        share = generator.uniform(0, 0.1)
        toned = np.clip(toned, *np.quantile(toned, (share, 1 - share)))
    return np.asarray(toned * 255, dtype=np.float32)


def _mark(values: NDArray[np.float32], generator: Generator) -> None:
    """Letters in a corner, a banner along an edge, or a frame: annotations that make a good image no worse."""
    top, side, kind = float(values.max()), len(values), generator.integers(3)
    ink = top if generator.random() < 0.8 else 0.0
    if kind == 0:
        letters = np.zeros(values.shape, dtype=np.uint8)
        for _ in range(generator.integers(1, 4)):
            corner = (int(generator.choice([4, side - 22])), int(generator.choice([16, side - 6])))
            cv2.putText(letters, str(generator.choice(list("ABLRP12"))), corner, 0, generator.uniform(0.3, 0.8), 255, 1)
        values += letters.astype(np.float32) / 255 * (ink - values)
    elif kind == 1:
        depth = int(side * generator.uniform(0.03, 0.11))
        rows = slice(0, depth) if generator.random() < 0.5 else slice(side - depth, side)
        values[rows] = ink * generator.random()
    else:
        depth = int(generator.integers(1, side // 14))
        cv2.rectangle(values, (0, 0), (side - 1, side - 1), ink * generator.random(), depth)
