"""Images with and without disease -> the same images as another machine would have given them; knows no network.

On images like the training ones every sensible recipe is almost perfect, so they can rank no recipe and set no
threshold. These copies, first made for chest films, can. They are made on the original image, before `prepare`.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Film = NDArray[np.float32]  # (H, W) in [0, 1]
KINDS = (
    "other_histogram", "same_histogram", "low_frequencies", "crop", "grey_ring", "sharpness", "gamma", "resolution",
    "anisotropy",
)  # fmt: skip


def stress_copies(films: list[Film], positive: NDArray[np.bool_], seed: int = 0) -> dict[str, list[Film]]:
    """One stressed copy of each film for each kind: kind -> n films; all in memory. Otherwise as `stressed`."""
    copies: dict[str, list[Film]] = {kind: [] for kind in KINDS}
    for of_film in stressed(films, positive, seed):
        for kind, copy in of_film.items():
            copies[kind].append(copy)
    return copies


def stressed(films: list[Film], positive: NDArray[np.bool_], seed: int = 0) -> Iterator[dict[str, Film]]:
    """For each film in turn its stressed copies by kind; a crop, and a film that was narrowed, is smaller than it.

    films: n images (H, W) float32 in [0, 1]; positive: (n,) bool, disease.
    The same films in the same order and the same seed give the same copies.

    Raises:
        ValueError: one class has no film.
    """
    random = np.random.default_rng(seed)
    yes, no = np.flatnonzero(positive), np.flatnonzero(~positive)
    if not yes.size or not no.size:
        raise ValueError("stress copies need films of both classes")
    for film, sick in zip(films, positive, strict=True):
        same, other = (yes, no) if sick else (no, yes)
        donor = films[int(random.choice(other))]
        yield {
            "other_histogram": _match(film, donor),
            "same_histogram": _match(film, films[int(random.choice(same))]),
            "low_frequencies": _low_frequencies(film, donor),
            "crop": _crop(film, 0.8),
            "grey_ring": _ring(film, 0.09),
            "sharpness": _sharpen(film) if sick else _blur(film, 1.2),
            "gamma": (film ** float(random.choice((0.7, 1.4)))).astype(np.float32),
            "resolution": _resolution(film, 96),
            "anisotropy": _stretch(film, float(random.choice((0.8, 1.25)))),
        }


def _match(film: Film, donor: Film) -> Film:
    """Grey values of the donor in the order of the film."""
    values, place, count = np.unique(film.ravel(), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - 0.5 * count) / film.size
    sorted_donor = np.sort(donor.ravel())
    wanted = np.interp(ranks, (np.arange(donor.size) + 0.5) / donor.size, sorted_donor)
    matched: Film = wanted.astype(np.float32)[place].reshape(film.shape)
    return matched if values.size > 1 else film


def _low_frequencies(film: Film, donor: Film, reach: float = 0.015, blend: float = 0.5) -> Film:
    """Half the amplitude of the lowest frequencies from the donor (Yang & Soatto 2020, arXiv 2004.05498)."""
    other = cv2.resize(donor, film.shape[::-1], interpolation=cv2.INTER_AREA)
    waves, foreign = np.fft.rfft2(film), np.abs(np.fft.rfft2(other))
    band = max(1, round(reach * min(film.shape)))
    own = np.abs(waves)
    mixed = own.copy()
    for rows in (slice(0, band + 1), slice(-band, None)):
        mixed[rows, : band + 1] += blend * (foreign[rows, : band + 1] - own[rows, : band + 1])
    back = np.fft.irfft2(waves * (mixed / np.maximum(own, 1e-6)), s=film.shape)
    clipped: Film = np.clip(back, 0.0, 1.0).astype(np.float32)
    return clipped


def _crop(film: Film, keep: float) -> Film:
    height, width = film.shape
    top, left = round(height * (1 - keep) / 2), round(width * (1 - keep) / 2)
    return np.ascontiguousarray(film[top : height - top, left : width - left])


def _ring(film: Film, share: float) -> Film:
    height, width = film.shape
    rows, columns = round(height * share), round(width * share)
    grey = np.full_like(film, float(film.mean()))
    grey[rows : height - rows, columns : width - columns] = film[rows : height - rows, columns : width - columns]
    return grey


def _blur(film: Film, sigma: float) -> Film:
    return np.asarray(cv2.GaussianBlur(film, (0, 0), sigma * min(film.shape) / 224), np.float32)


def _sharpen(film: Film) -> Film:
    sharp: Film = np.clip(film + 1.2 * (film - _blur(film, 1.5)), 0.0, 1.0).astype(np.float32)
    return sharp


def _resolution(film: Film, side: int) -> Film:
    small = cv2.resize(film, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, film.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _stretch(film: Film, factor: float) -> Film:
    """Width against height changed by `factor`, the middle kept in the old frame (zoomed where it would be short)."""
    height, width = film.shape
    wide = cv2.resize(film, (max(1, round(width * factor)), height), interpolation=cv2.INTER_LINEAR)
    if factor >= 1.0:
        left = (wide.shape[1] - width) // 2
        return np.ascontiguousarray(wide[:, left : left + width])
    rows = round(height * factor)
    top = (height - rows) // 2
    return np.ascontiguousarray(wide[top : top + rows])
