"""A random generator -> pictures of no task's kind: noise, pages, shapes, made bodies; knows no network.

Each maker takes the good frames (N, S, S) uint8 (most look at their side only) and gives one (S, S) uint8. None has
seen a photograph or another task's image, so that those can be kept for the test.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Maker = Callable[[NDArray[np.uint8], Generator], Picture]
WORDS = (
    "the",
    "patient",
    "was",
    "seen",
    "on",
    "Monday",
    "Figure",
    "12",
    "3.45",
    "report",
    "file",
    "page",
    "name",
    "and",
)


def stretch(values: NDArray[np.floating]) -> Picture:
    """Any values -> uint8 over their full range."""
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) / max(high - low, 1e-6) * 255, dtype=np.uint8)


def smooth(values: NDArray[np.floating], sigma: float) -> NDArray[np.float32]:
    """Values under a Gaussian of `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), dtype=np.float32)


def fitted(page: Picture, good: NDArray[np.uint8], how: int = cv2.INTER_AREA) -> Picture:
    """A page of any size at the size of the frames."""
    return np.asarray(cv2.resize(page, good.shape[1:], interpolation=how), dtype=np.uint8)


def noise(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """White, blurred or rare-point noise."""
    side = good.shape[1]
    values = generator.normal(0, 1, (side, side)).astype(np.float32)
    if generator.random() < 0.3:
        values = (np.abs(values) > generator.uniform(1, 3)).astype(np.float32)
    if generator.random() < 0.7:
        values = smooth(values, generator.uniform(0.4, 8))
    return stretch(values)


def points(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """Soft discs of many sizes on black, as stars or a few lamps."""
    side = good.shape[1]
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    page = generator.uniform(0, 0.1) * np.abs(generator.normal(0, 1, (side, side)))
    for _ in range(generator.integers(1, 40)):
        row, column = generator.uniform(0, side, 2)
        radius = side * 0.01 / generator.random() ** 0.8
        page += generator.random() ** 2 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / radius**2)
    return stretch(np.minimum(page, generator.uniform(0.5, 2)))


def clouds(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """Random phases under a power law, the spectrum of natural pictures at exponent 1 (Field 1987)."""
    side = good.shape[1]
    rows, columns = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    radius = np.maximum(np.hypot(rows, columns * generator.uniform(0.5, 2)), 1 / side)
    phases = np.exp(2j * np.pi * generator.random(radius.shape))
    values = np.fft.irfft2(phases * radius ** -generator.uniform(0.6, 2.4), s=(side, side))
    return stretch(np.tanh(values / values.std() * generator.uniform(0.3, 2)))


def gradient(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """A linear, radial or waving ramp."""
    side = good.shape[1]
    rows, columns = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    angle, kind = generator.uniform(0, 2 * np.pi), generator.integers(3)
    ramp = rows * np.cos(angle) + columns * np.sin(angle)
    if kind == 1:
        ramp = np.hypot(rows - generator.uniform(-0.6, 0.6), columns - generator.uniform(-0.6, 0.6))
    if kind == 2:
        ramp = np.sin(ramp * generator.uniform(2, 30) + generator.uniform(0, 6))
    return stretch(ramp + generator.normal(0, generator.uniform(0, 0.2), ramp.shape))


def tiles(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """A checkerboard, stripes or a grid, turned a little."""
    side = good.shape[1]
    rows, columns = np.mgrid[0:side, 0:side]
    period, other = generator.integers(2, side // 2, size=2)
    board = ((rows // period) + (columns // other) * generator.integers(0, 2)) % 2
    if generator.random() < 0.3:
        board = ((rows % period) < 2) | ((columns % other) < 2)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), generator.uniform(-45, 45), generator.uniform(1, 2))
    levels = _two_levels(generator)
    painted = np.where(board, levels[0], levels[1]).astype(np.uint8)
    return np.asarray(cv2.warpAffine(painted, turn, (side, side), borderMode=cv2.BORDER_REFLECT), dtype=np.uint8)


def text(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """A page: lines of words, some boxes, light on dark or dark on light; drawn large and made small."""
    side = good.shape[1] * 3
    ink, paper = _two_levels(generator)
    page = np.full((side, side), paper, dtype=np.uint8)
    size = generator.uniform(0.3, 1.6)
    step, margin = int(26 * size) + int(generator.integers(2, 12)), int(generator.integers(2, side // 4))
    for line in range(step, side, max(step, 6)):
        if generator.random() < 0.85:
            words = " ".join(generator.choice(WORDS, generator.integers(2, 16)))
            face = int(generator.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX]))
            cv2.putText(page, words, (margin, line), face, size, ink, int(generator.integers(1, 3)))
    for _ in range(generator.integers(0, 6)):
        _rectangle(page, generator)
    return fitted(page, good)


def screen(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """A screenshot: panels, bars, words, now and then a small good image inside."""
    side = good.shape[1] * 2
    page = np.full((side, side), generator.integers(0, 256), dtype=np.uint8)
    for _ in range(generator.integers(3, 14)):
        _rectangle(page, generator)
    if generator.random() < 0.4:
        inner = int(side * generator.uniform(0.15, 0.4))
        row, column = generator.integers(0, side - inner, size=2)
        page[row : row + inner, column : column + inner] = cv2.resize(pick(good, generator), (inner, inner))
    for _ in range(generator.integers(2, 14)):
        where = tuple(int(v) for v in generator.integers(0, side, size=2))
        cv2.putText(page, str(generator.choice(WORDS)), where, 0, generator.uniform(0.3, 0.8), _level(generator), 1)
    return fitted(page, good)


def leaves(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """Occluding shaded shapes of all sizes: the dead-leaves model of a photograph (Lee, Mumford, Huang 2001)."""
    side = good.shape[1] * 2
    picture = np.asarray(cv2.resize(clouds(good, generator), (side, side)), dtype=np.uint8)
    for _ in range(generator.integers(5, 50)):
        radius = float(np.clip(side * 0.02 / generator.random() ** 0.6, 2, side * 0.6))
        where = tuple(int(v) for v in generator.integers(0, side, size=2))
        axes = (int(radius), max(1, int(radius * generator.uniform(0.2, 1))))
        shape = np.zeros((side, side), dtype=np.uint8)
        if generator.random() < 0.5:
            cv2.ellipse(shape, where, axes, generator.uniform(0, 180), 0, 360, 1, -1)
        else:
            cv2.fillPoly(shape, [_polygon(where, axes, generator)], 1)
        picture[shape > 0] = _shade(picture[shape > 0].size, generator)
    return fitted(picture, good)


def drawing(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """Lines, curves, circles and axes of a plot."""
    side = good.shape[1] * 2
    ink, paper = _two_levels(generator)
    page = np.full((side, side), paper, dtype=np.uint8)
    for _ in range(generator.integers(1, 14)):
        points = generator.integers(0, side, size=(int(generator.integers(2, 9)), 1, 2)).astype(np.int32)
        if generator.random() < 0.5:
            steps = np.cumsum(generator.normal(0, 5, (60, 1, 2)), axis=0)
            points = (points[:1] + steps).astype(np.int32)
        cv2.polylines(page, [points], bool(generator.random() < 0.3), ink, int(generator.integers(1, 5)))
        if generator.random() < 0.3:
            cv2.circle(page, tuple(int(v) for v in points[0, 0]), int(generator.integers(3, side // 3)), ink, 2)
    return fitted(page, good)


def body(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """A made anatomy: one to four rounded bodies on black or grey, each with organs, bones or bars inside."""
    side = good.shape[1] * 2
    page = np.full((side, side), generator.choice([0, 0, 20, 128]), dtype=np.float32)
    for _ in range(int(generator.choice([1, 1, 2, 4]))):
        middle = generator.uniform(0.25, 0.75, size=2) * side
        axes = generator.uniform(0.12, 0.5, size=2) * side
        _ellipse(page, middle, axes, generator.uniform(60, 200), generator)
        for _ in range(generator.integers(2, 16)):
            inside = middle + generator.uniform(-0.7, 0.7, size=2) * axes
            _ellipse(page, inside, axes * generator.uniform(0.04, 0.5, size=2), generator.uniform(0, 255), generator)
    texture = cv2.resize(noise(good, generator), (side, side)).astype(np.float32) - 128
    return fitted(stretch(page + texture * generator.uniform(0, 0.3)), good)


MADE: tuple[Maker, ...] = (noise, points, clouds, gradient, tiles, text, screen, leaves, leaves, drawing, body, body)


def pick(good: NDArray[np.uint8], generator: Generator) -> Picture:
    """One frame at random."""
    return np.asarray(good[generator.integers(good.shape[0])], dtype=np.uint8)


def _level(generator: Generator) -> int:
    return int(generator.integers(0, 256))


def _two_levels(generator: Generator) -> tuple[int, int]:
    dark, light = int(generator.integers(0, 100)), int(generator.integers(140, 256))
    return (dark, light) if generator.random() < 0.6 else (light, dark)


def _rectangle(page: Picture, generator: Generator) -> None:
    side = page.shape[0]
    corner = generator.integers(0, side, size=2)
    size = generator.integers(side // 20, side // 2, size=2)
    ends = [tuple(int(v) for v in corner), tuple(int(v) for v in corner + size)]
    cv2.rectangle(page, ends[0], ends[1], _level(generator), int(generator.choice([-1, -1, 1, 3])))


def _polygon(where: tuple[int, ...], axes: tuple[int, int], generator: Generator) -> NDArray[np.int32]:
    angles = np.sort(generator.uniform(0, 2 * np.pi, generator.integers(3, 8)))
    points = np.stack([np.cos(angles) * axes[0], np.sin(angles) * axes[1]], axis=1)
    return np.asarray(points + np.array(where), dtype=np.int32)


def _shade(count: int, generator: Generator) -> Picture:
    ramp = np.linspace(-1, 1, count) * generator.uniform(0, 60) + generator.normal(0, generator.uniform(0, 25), count)
    return np.asarray(np.clip(_level(generator) + ramp, 0, 255), dtype=np.uint8)


def _ellipse(
    page: NDArray[np.float32],
    middle: NDArray[np.float64],
    axes: NDArray[np.float64],
    level: float,
    generator: Generator,
) -> None:
    where = tuple(int(v) for v in middle)
    half = tuple(max(1, int(v)) for v in axes)
    thick = int(generator.choice([-1, -1, -1, 3, 8]))
    cv2.ellipse(page, where, half, generator.uniform(0, 180), 0, 360, float(level), thick)
