"""A data set -> what one pass over its files shows: fingerprints, thumbnails, measures, faults; draws no conclusion."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.data.dataset import Dataset, Progress, middle
from hilum.data.fingerprint import Fingerprint, Fingerprints, fingerprint, reduced
from hilum.data.layouts.rows import somebody
from hilum.data.manifest import sha256
from hilum.errors import InputError
from hilum.image.image import Image

THUMBNAIL = 32  # side in pixels
BINS = 64  # of the intensity histogram over [0, 1]
BORDER = 0.05  # share of the shorter side that counts as border
WORKERS = 2
_CHUNK = 16  # cases handed to a worker at once


@dataclass(frozen=True, eq=False, slots=True)
class Reading:
    """What one readable case shows.

    digest: SHA-256 of its bytes. bytes: their number. frames: how many images it holds; the middle one is measured.
    brightness, contrast: mean and standard deviation of the pixels; border_brightness, border_variation: the same of
    the outer 5%; all in [0, 1].
    histogram: (64,) float32, share of the pixels in each of 64 equal steps of [0, 1].
    thumbnail: (32, 32) uint8, the whole frame, stretched from its darkest to its brightest pixel.
    fingerprint: what copies are found by.
    """

    digest: str
    bytes: int
    frames: int
    format: str
    mode: str
    width: int
    height: int
    patient: str | None = field(repr=False)
    study: str | None = field(repr=False)
    brightness: float
    contrast: float
    border_brightness: float
    border_variation: float
    histogram: NDArray[np.float32]
    thumbnail: NDArray[np.uint8]
    fingerprint: Fingerprint


@dataclass(frozen=True, eq=False, slots=True)
class Survey:
    """Readings of all cases in their order; None where the file could not be read, and then a reason in `faults`.

    rows: the fingerprints of all cases, those of unreadable ones undefined.
    """

    readings: tuple[Reading | None, ...]
    faults: dict[int, str]
    rows: Fingerprints = field(repr=False)

    @property
    def readable(self) -> NDArray[np.int64]:
        """Indices of the readable cases, ascending."""
        return np.array([i for i, reading in enumerate(self.readings) if reading is not None], dtype=np.int64)

    @property
    def found(self) -> tuple[Reading, ...]:
        """The readings of the readable cases, in the order of `readable`."""
        return tuple(reading for reading in self.readings if reading is not None)

    @property
    def fingerprints(self) -> Fingerprints:
        """Of the readable cases, in the order of `readable`."""
        return self.rows.take(self.readable) if self.faults else self.rows


def survey(dataset: Dataset, progress: Progress | None = None) -> Survey:
    """Read every case once, in order, by two threads; a hundred images are in memory at once, and 2 KB of each case.

    progress: called with how many cases are done and how many there are.
    """
    readings: list[Reading | None] = []
    faults: dict[int, str] = {}
    rows = Fingerprints.room(len(dataset))
    for outcome in _in_order(dataset, rows):
        if isinstance(outcome, str):
            faults[len(readings)] = outcome
        readings.append(outcome if isinstance(outcome, Reading) else None)
        if progress and (len(readings) % 25 == 0 or len(readings) == len(dataset)):
            progress(len(readings), len(dataset))
    return Survey(tuple(readings), faults, rows)


def _in_order(dataset: Dataset, rows: Fingerprints) -> Iterator[Reading | str]:
    waiting: deque[Future[list[Reading | str]]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        for start in range(0, len(dataset), _CHUNK):
            waiting.append(pool.submit(_read_chunk, dataset, range(start, min(start + _CHUNK, len(dataset))), rows))
            if len(waiting) > 2 * WORKERS:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _read_chunk(dataset: Dataset, numbers: range, rows: Fingerprints) -> list[Reading | str]:
    return [_read(dataset, number, rows) for number in numbers]


def _read(dataset: Dataset, number: int, rows: Fingerprints) -> Reading | str:
    """The reading of one case, or why there is none."""
    case = dataset.cases[number]
    try:
        data = dataset.data(case)
        frames = dataset.images(case, data=data)
    except InputError as error:
        return error.reason
    return measure(middle(frames), data, len(frames), lambda one: rows.put(number, one))


def measure(
    image: Image, data: bytes, frames: int = 1, keep: Callable[[Fingerprint], Fingerprint] = lambda one: one
) -> Reading:
    """Measure one image; `data` are the bytes it was decoded from, `keep` says where its fingerprint lies."""
    pixels, header = image.pixels, image.metadata
    small = reduced(pixels)
    mean, spread, histogram = _spread(image)
    ring = _border(pixels)
    return Reading(
        digest=sha256(data),
        bytes=len(data),
        frames=frames,
        format=header.format,
        mode=header.mode,
        width=header.width,
        height=header.height,
        patient=somebody(header.patient),
        study=header.study,
        brightness=mean,
        contrast=spread,
        border_brightness=float(ring.mean()),
        border_variation=float(ring.std()),
        histogram=histogram,
        thumbnail=_thumbnail(pixels, small),
        fingerprint=keep(fingerprint(image, small)),
    )


def _border(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    wide = max(1, round(min(pixels.shape) * BORDER))
    inner = pixels[wide:-wide]
    sides = (pixels[:wide], pixels[-wide:], inner[:, :wide], inner[:, -wide:])
    return np.concatenate([side.ravel() for side in sides])


def _spread(image: Image) -> tuple[float, float, NDArray[np.float32]]:
    """Mean, standard deviation and histogram; of an image of at most 8 bits by its 256 levels, which is quicker."""
    if image.metadata.bits > 8:
        mean, deviation = cv2.meanStdDev(image.pixels)
        return float(np.ravel(mean)[0]), float(np.ravel(deviation)[0]), _histogram(image.pixels)
    levels = np.asarray(cv2.convertScaleAbs(image.pixels, alpha=255.0))
    shares = cv2.calcHist([levels], [0], None, [256], [0.0, 256.0]).ravel().astype(np.float64) / levels.size
    average, square = (shares @ _POWERS).tolist()
    return average, max(square - average**2, 0.0) ** 0.5, np.add.reduceat(shares, _FIRST_OF_BIN).astype(np.float32)


_LEVELS = np.arange(256) / 255
_POWERS = np.stack([_LEVELS, _LEVELS**2], axis=1)
_FIRST_OF_BIN = np.searchsorted(np.minimum((_LEVELS * BINS).astype(np.int64), BINS - 1), np.arange(BINS))


def _histogram(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    top = float(np.nextafter(np.float32(1), np.float32(2)))  # the upper end is open, and 1.0 belongs to the last bin
    counts = cv2.calcHist([pixels], [0], None, [BINS], [0.0, top])
    shares: NDArray[np.float32] = (counts.ravel() / pixels.size).astype(np.float32)
    return shares


def _thumbnail(pixels: NDArray[np.float32], twice: NDArray[np.float32]) -> NDArray[np.uint8]:
    """twice: the image at 64 x 64, whose means of four are the means of the whole where nothing was enlarged."""
    source = twice if min(pixels.shape) >= len(twice) else pixels
    small = cv2.resize(source, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    low, high = float(small.min()), float(small.max())
    stretched: NDArray[np.uint8] = np.rint((small - low) * (255 / max(high - low, 1e-6))).astype(np.uint8)
    return stretched
