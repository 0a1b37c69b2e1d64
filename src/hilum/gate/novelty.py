"""One row of the main network's features -> how unlike the training images it is; knows no image and no label.

For each of the pooled depths: Mahalanobis distance to the nearest class mean in a principal subspace, plus the energy
outside it (the likelihood of probabilistic PCA, Tipping and Bishop 1999; Mahalanobis on several depths for medical
images: Calli et al. 2019, arXiv 1907.01253). A distance becomes the share of calibration images that lie nearer; the
worst depth counts. Fitted by learn/novelty.py; everything stored here is a plain array.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hilum.errors import PackageDamaged
from hilum.gate.reason import Reason, Reasons
from hilum.task import Task

FORMAT = 1
BULK = 0.9  # share of the calibration distances described by knots; beyond it an exponential tail


@functools.cache
def _shares(count: int) -> NDArray[np.float64]:
    return np.linspace(0.0, BULK, count)


@dataclass(frozen=True, eq=False, slots=True)
class Scale:
    """Distances -> percentiles, without a ceiling.

    knots: (K,) float32 rising; quantiles of the calibration distances at evenly spaced shares from 0 to BULK.
    tail: mean excess of the calibration distances beyond the last knot, > 0.
    """

    knots: NDArray[np.float32]
    tail: float

    @property
    def shares(self) -> NDArray[np.float64]:
        """(K,) the shares that the knots stand for."""
        return _shares(self.knots.size)

    def surprise(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """-log10 of the share of calibration images that lie farther, >= 0; 3 = one in a thousand."""
        inside = np.interp(distance, self.knots, self.shares)
        excess = np.maximum(distance - float(self.knots[-1]), 0.0) / self.tail
        return np.asarray(-np.log10(1.0 - inside) + excess / np.log(10.0), dtype=np.float64)


@dataclass(frozen=True, eq=False, slots=True)
class Depth:
    """One depth of the network: f features, k kept directions, C class means.

    start: first column in the feature row. centre, scale: (f,) float32, for standardising.
    axes: (f, k) float16, orthonormal columns. whiten: (k, k) float32, makes the shared covariance the identity.
    means: (C, k) float32, whitened class means. rest: variance of one feature outside the axes, > 0.
    calibration: distances -> percentiles.
    """

    start: int
    centre: NDArray[np.float32]
    scale: NDArray[np.float32]
    axes: NDArray[np.float16]
    whiten: NDArray[np.float32]
    means: NDArray[np.float32]
    rest: float
    calibration: Scale

    def distance(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Features (N, F) -> (N,) root of the squared distance per feature; about 1 for training images."""
        width = self.centre.size
        z = (features[:, self.start : self.start + width] - self.centre) / self.scale
        inner = z @ self.axes.astype(np.float32)
        outside = np.maximum((z * z).sum(axis=1) - (inner * inner).sum(axis=1), 0.0) / self.rest
        white = inner @ self.whiten
        apart = ((white[:, None, :] - self.means[None]) ** 2).sum(axis=2).min(axis=1)
        return np.asarray(np.sqrt((apart + outside) / width), dtype=np.float64)


@dataclass(frozen=True, eq=False, slots=True)
class Novelty:
    """The reference of one package.

    depths: in the order of the feature row. overall: the worst depth's surprise -> percentile again.
    limit: greatest admitted surprise of the whole, > 0.
    """

    depths: tuple[Depth, ...]
    overall: Scale
    limit: float

    def surprise(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Features (N, F) -> (N,) -log10 of the share farther off at the worst depth; uncapped, to rank."""
        worst = np.max([depth.calibration.surprise(depth.distance(features)) for depth in self.depths], axis=0)
        return self.overall.surprise(worst)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Flat arrays for `novelty.npz`."""
        arrays: dict[str, NDArray[np.generic]] = {
            "format": np.array(FORMAT, dtype=np.int32),
            "limit": np.array(self.limit),
            "overall_knots": self.overall.knots,
            "overall_tail": np.array(self.overall.tail),
        }
        for index, depth in enumerate(self.depths):
            named = {field.name: getattr(depth, field.name) for field in fields(depth) if field.name != "calibration"}
            named |= {"knots": depth.calibration.knots, "tail": depth.calibration.tail}
            arrays |= {f"{index}_{name}": np.asarray(value) for name, value in named.items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Novelty:
        """The inverse of `to_arrays`.

        Raises:
            PackageDamaged: an array is missing, of the wrong shape, or of another format.
        """
        try:
            if int(arrays["format"]) != FORMAT:
                raise ValueError(f"it is of format {int(arrays['format'])}, and {FORMAT} is known here")
            count = sum(name.endswith("_axes") for name in arrays)
            depths = tuple(_depth(arrays, index) for index in range(count))
            overall = Scale(np.asarray(arrays["overall_knots"], np.float32), float(arrays["overall_tail"]))
            return cls(depths, overall, float(arrays["limit"]))
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise PackageDamaged(f"the novelty reference does not fit: {error}; get the package again") from error


def _depth(arrays: dict[str, NDArray[np.generic]], index: int) -> Depth:
    part = {name: arrays[f"{index}_{name}"] for name in ("start", "centre", "scale", "axes", "whiten", "means", "rest")}
    width, kept = part["axes"].shape
    if part["centre"].shape != (width,) or part["whiten"].shape != (kept, kept) or part["means"].shape[1] != kept:
        raise ValueError(f"arrays of depth {index} disagree")
    return Depth(
        start=int(part["start"]),
        centre=np.asarray(part["centre"], np.float32),
        scale=np.asarray(part["scale"], np.float32),
        axes=np.asarray(part["axes"], np.float16),
        whiten=np.asarray(part["whiten"], np.float32),
        means=np.asarray(part["means"], np.float32),
        rest=float(part["rest"]),
        calibration=Scale(np.asarray(arrays[f"{index}_knots"], np.float32), float(arrays[f"{index}_tail"])),
    )


def check_features(features: NDArray[np.float32], novelty: Novelty, task: Task) -> tuple[tuple[float, Reasons], ...]:
    """Rows (N, F) -> for each the share of calibration images that are less novel, in [0, 1]; the reason, if beyond."""
    return tuple(
        (1.0 - 10.0**-surprise, () if surprise <= novelty.limit else (_beyond(task),))
        for surprise in novelty.surprise(features).tolist()
    )


def _beyond(task: Task) -> Reason:
    text = f"The image is unlike every image the model learned from, although it may be {task.image_words}."
    return Reason("out_of_distribution", text)
