"""A frame (a good image made small) -> the same image as another machine, film or screenshot would show it.

Used to teach the admission network which differences do not matter, and as the stress under which its thresholds are
set; knows no network and no label. Frames are (S, S) uint8, views (64, 64) uint8 as `gate.admission.PREPARATION` makes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hilum.gate.admission import PREPARATION, SIZE

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a view may go from its frame.

    turn: degrees. zoom: greatest enlargement; its inverse is the greatest shrinking, the rest filled. shift: of a side.
    aspect: greatest ratio of the two zooms. gamma: greatest |ln gamma|. blur: greatest sigma in pixels of 96.
    noise: greatest standard deviation of a range of 1. marks: chance of letters, a banner or a frame on the picture.
    """

    turn: float = 12.0
    zoom: float = 1.3
    shift: float = 0.08
    aspect: float = 1.25
    gamma: float = 0.7
    blur: float = 1.6
    noise: float = 0.06
    marks: float = 0.25


WIDE = Reach()
MILD = Reach(turn=5.0, zoom=1.15, shift=0.05, aspect=1.12, gamma=0.4, blur=1.2, noise=0.03, marks=0.15)


def plain(frame: Picture) -> Picture:
    """The view that serving would see: resized and stretched, nothing else."""
    return _prepared(cv2.resize(frame, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32))


def view(frame: Picture, generator: Generator, reach: Reach = WIDE) -> Picture:
    """One view at random."""
    values = _placed(frame, generator, reach)
    if generator.random() < 0.8:
        values = _toned(values, generator, reach)
    if generator.random() < reach.marks:
        _mark(values, generator)
    return _prepared(values)


def _prepared(values: NDArray[np.float32]) -> Picture:
    low, high = np.percentile(values, (PREPARATION.low, PREPARATION.high))
    unit = np.clip((values - low) / max(float(high - low), 1e-6), 0, 1)
    return np.asarray(np.rint(unit * 255), dtype=np.uint8)


def _placed(frame: Picture, generator: Generator, reach: Reach) -> NDArray[np.float32]:
    side = frame.shape[0]
    zoom = np.exp(generator.uniform(-1, 1) * np.log(reach.zoom))
    aspect = np.exp(generator.uniform(-0.5, 0.5) * np.log(reach.aspect))
    turn = np.deg2rad(generator.uniform(-reach.turn, reach.turn))
    cosine, sine = np.cos(turn), np.sin(turn)
    matrix = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([zoom * aspect, zoom / aspect]) * (SIZE / side)
    middle = np.array([SIZE / 2, SIZE / 2]) + generator.uniform(-reach.shift, reach.shift, 2) * SIZE
    offset = middle - matrix @ np.array([side / 2, side / 2])
    blur = max(0.5 * side / SIZE / zoom, generator.uniform(0, reach.blur)) if generator.random() < 0.6 else 0.5
    soft = cv2.GaussianBlur(frame, (0, 0), float(blur)).astype(np.float32)
    border = cv2.BORDER_REPLICATE if generator.random() < 0.5 else cv2.BORDER_CONSTANT
    moved = cv2.warpAffine(
        soft, np.column_stack([matrix, offset]), (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=border
    )
    return np.asarray(moved, dtype=np.float32)


def _toned(values: NDArray[np.float32], generator: Generator, reach: Reach) -> NDArray[np.float32]:
    low, high = float(values.min()), float(values.max())
    unit = (values - low) / max(high - low, 1e-6)
    toned = unit ** np.exp(generator.uniform(-reach.gamma, reach.gamma))
    kind = generator.random()
    if kind < 0.25:
        toned = toned + generator.uniform(0, 1.5) * (toned - cv2.GaussianBlur(toned, (0, 0), 1.0))
    elif kind < 0.5:
        toned = toned + generator.normal(0, generator.uniform(0, reach.noise), toned.shape).astype(np.float32)
    elif kind < 0.65:
        ramp = np.linspace(-1, 1, SIZE, dtype=np.float32) * generator.uniform(0, 0.3)
        toned = toned * (1 + (ramp[None] if generator.random() < 0.5 else ramp[:, None]))
    elif kind < 0.75:
        share = generator.uniform(0, 0.1)
        toned = np.clip(toned, *np.quantile(toned, (share, 1 - share)))
    return np.asarray(toned * 255, dtype=np.float32)


def _mark(values: NDArray[np.float32], generator: Generator) -> None:
    """Letters in a corner, a banner along an edge, or a frame: annotations that make a good image no worse."""
    top, kind = float(values.max()), generator.integers(3)
    ink = top if generator.random() < 0.8 else 0.0
    if kind == 0:
        letters = np.zeros(values.shape, dtype=np.uint8)
        for _ in range(generator.integers(1, 4)):
            corner = (int(generator.choice([2, SIZE - 12])), int(generator.choice([9, SIZE - 3])))
            cv2.putText(
                letters, str(generator.choice(list("ABLRP12"))), corner, 0, generator.uniform(0.2, 0.45), 255, 1
            )
        cover = letters.astype(np.float32) / 255
        values += cover * (ink - values)
    elif kind == 1:
        depth = int(generator.integers(2, 7))
        rows = slice(0, depth) if generator.random() < 0.5 else slice(SIZE - depth, SIZE)
        values[rows] = ink * generator.random()
    else:
        depth = int(generator.integers(1, 5))
        cv2.rectangle(values, (0, 0), (SIZE - 1, SIZE - 1), ink * generator.random(), depth)
