"""Features of training and held-out images -> the novelty reference of a package; knows no network and no image.

What is fitted is described in gate/novelty.py, which applies it. Held-out images set the percentiles and the limit;
stress copies among them keep the limit from refusing images of a new style.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf

from hilum.errors import DataError
from hilum.gate.novelty import BULK, Depth, Novelty, Scale

LEAST_HELD = 50  # groups of images of each source; with fewer no percentile near the end can be told


@dataclass(frozen=True, eq=False, slots=True)
class Held:
    """Images that the network did not learn from.

    features: (M, F) float32. sources: (M,) int; images of one source, or stress copies of one, share a number, and no
    number may lose more good images than the budget.
    groups: (M,) equal for images that belong together (of one patient, copies of one image); None: each stands alone.
    """

    features: NDArray[np.float32]
    sources: NDArray[np.int64]
    groups: NDArray[np.int64] | None = None

    @property
    def fewest(self) -> int:
        """Groups of images of the source that has the fewest."""
        groups = np.arange(len(self.features)) if self.groups is None else self.groups
        return min((np.unique(groups[self.sources == source]).size for source in np.unique(self.sources)), default=0)


@dataclass(frozen=True, slots=True)
class NoveltySettings:
    """How it is fitted.

    kept: directions a depth. budget: greatest share of good images refused on the worst source. least: smallest limit,
    -log10 of a share of the fitted tail: what is likelier than one in two thousand is admitted, since a few hundred
    held-out images place a limit of one in two hundred by one or two of them.
    """

    kept: int = 32
    budget: float = 0.005
    least: float = 3.3


def fit_novelty(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    widths: tuple[int, ...],
    held: Held,
    settings: NoveltySettings | None = None,
) -> Novelty:
    """Fit the reference.

    features: (N, F) float32 of training images. labels: (N,) int. widths: features of each depth, in order, sum F.

    Raises:
        DataError: fewer than 50 groups of held-out images of a source; copies of an image in other styles do not count.
        ValueError: the widths do not sum to F.
    """
    settings = settings or NoveltySettings()
    if sum(widths) != features.shape[1]:
        raise ValueError(f"widths {widths} do not sum to {features.shape[1]} features")
    if held.fewest < LEAST_HELD:
        raise DataError(
            f"{held.fewest} groups of held-out images are too few for a novelty reference ({LEAST_HELD} needed)"
        )
    starts = (0, *accumulate(widths))
    depths = tuple(
        _depth(features[:, start : start + width], labels, start, held, settings.kept)
        for start, width in zip(starts[:-1], widths, strict=True)
    )
    worst = np.max([depth.calibration.surprise(depth.distance(held.features)) for depth in depths], axis=0)
    overall = fit_scale(worst)
    limit = max(settings.least, _limit(overall.surprise(worst), held.sources, settings.budget))
    return Novelty(depths, overall, limit)


def fit_scale(distances: NDArray[np.float64], knots: int = 91) -> Scale:
    """Percentiles of the bulk as knots, the rest as an exponential tail with the mean excess as its only parameter."""
    shares = np.linspace(0.0, BULK, knots)
    levels = np.maximum.accumulate(np.quantile(distances, shares) + np.arange(knots) * 1e-9)
    beyond = distances[distances > levels[-1]] - levels[-1]
    tail = float(beyond.mean()) if beyond.size else float(np.std(distances))
    return Scale(levels.astype(np.float32), max(tail, 1e-6))


def _depth(features: NDArray[np.float32], labels: NDArray[np.int64], start: int, held: Held, kept: int) -> Depth:
    centre, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-3)
    z = (features - centre) / scale
    _, _, directions = np.linalg.svd(z - z.mean(axis=0), full_matrices=False)
    axes = directions[: min(kept, z.shape[1], len(z) // 4)].T.astype(np.float16)
    inner = z @ axes.astype(np.float32)
    classes = np.unique(labels)
    means = np.stack([inner[labels == label].mean(axis=0) for label in classes])
    centred = inner - means[np.searchsorted(classes, labels)]
    precision = LedoitWolf(assume_centered=True).fit(centred.astype(np.float64)).precision_
    whiten = np.linalg.cholesky(precision)
    outside = np.maximum((z * z).sum(axis=1) - (inner * inner).sum(axis=1), 0.0)
    rest = float(outside.mean()) / max(z.shape[1] - axes.shape[1], 1)
    found = Depth(
        start=start,
        centre=centre.astype(np.float32),
        scale=scale.astype(np.float32),
        axes=axes,
        whiten=whiten.astype(np.float32),
        means=(means @ whiten).astype(np.float32),
        rest=max(rest, 1e-2),
        calibration=Scale(np.array([0.0, 1.0], dtype=np.float32), 1.0),
    )
    return replace(found, calibration=fit_scale(found.distance(held.features)))


def _limit(surprise: NDArray[np.float64], sources: NDArray[np.int64], budget: float) -> float:
    """The least limit at which no source loses more than the budget."""
    parts = [surprise[sources == source] for source in np.unique(sources)]
    return float(max(np.quantile(part, 1.0 - budget, method="higher") for part in parts))
