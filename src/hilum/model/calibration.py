"""A network's logits -> calibrated probabilities, a class at a named operating point, a conformal set.

Applies what `learn.calibrate` fitted; numpy only. Knows no image, no network and no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilum.errors import PackageDamaged, UsageError

FORMAT = 1
COVERAGE = 0.95
LEAST_SHARE = 1e-100  # of a class: with less, the way back from a corrected probability leaves the range of floats
Prevalence = float | Sequence[float]


def read_prevalence(text: str | None) -> Prevalence | None:
    """One share, or several with commas, as people write them; None: not given.

    Raises:
        UsageError: no number.
    """
    if text is None:
        return None
    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"prevalence {text!r}: give a number between 0 and 1, or one a class with commas") from error
    return shares[0] if len(shares) == 1 else shares


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Where a score becomes an answer, and what that did on the calibration cases.

    threshold: in [0, 1], on the summed probability of all classes but the negative one, at the package's own
        prevalence; None takes the most probable class.
    sensitivity, specificity: achieved on the calibration cases, in [0, 1]; None where the task has no negative class.
    positives, negatives: calibration groups (patients, copies) behind the two figures.
    note: what a reader must know, for example that a target was out of reach; else empty.
    rule: how the threshold was chosen, in words; empty in packages that were sealed before it was stored.
    """

    name: str
    threshold: float | None
    sensitivity: float | None = None
    specificity: float | None = None
    positives: int = 0
    negatives: int = 0
    note: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class ConformalClass:
    """The class belongs to the set when its probability is at least `least`.

    groups: calibration groups behind `least` (all classes' when pooled).
    pooled: True where the class had too few groups of its own, so that 95% holds over all classes only.
    coverage: 95% interval of the coverage that this many groups promise (Beta distribution, Vovk 2012).
    """

    least: float
    groups: int
    pooled: bool
    coverage: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Calibration:
    """All that turns logits into an answer.

    classes: names in the order of the logits. negative: index of the class that means no disease, or None.
    temperature: > 0. bias: (C,) added after division by the temperature; zeros unless held-out scores ask for it.
    points: operating points by name. conformal: one entry a class. counts: calibration groups of each class.
    prevalence: (C,) class shares the probabilities are calibrated for, sum 1.
    origin: "calibration part" or "out of fold", with what was pooled.
    """

    classes: tuple[str, ...]
    negative: int | None
    temperature: float
    bias: tuple[float, ...]
    points: Mapping[str, OperatingPoint]
    conformal: tuple[ConformalClass, ...]
    counts: tuple[int, ...]
    prevalence: tuple[float, ...]
    origin: str = "calibration part"

    def __post_init__(self) -> None:
        size = len(self.classes)
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, not {self.temperature}")
        for name in ("bias", "conformal", "counts", "prevalence"):
            if len(getattr(self, name)) != size:
                raise ValueError(f"{name} must have one entry for each of the {size} classes")
        if abs(sum(self.prevalence) - 1) > 1e-6 or min(self.prevalence) <= 0:
            raise ValueError("prevalence must be above 0 for each class and sum to 1")
        if "balanced" not in self.points:
            raise ValueError("there must be an operating point named 'balanced'")

    def probabilities(self, logits: ArrayLike, prevalence: Prevalence | None = None) -> NDArray[np.float64]:
        """(N, C) logits -> (N, C) float64 probabilities, rows sum to 1, at `prevalence` or else the package's own.

        Raises:
            UsageError: the prevalence does not fit, see `site_prevalence`.
        """
        scores = np.asarray(logits, dtype=np.float64) / self.temperature + np.asarray(self.bias)
        calibrated = _softmax(scores)
        if prevalence is None:
            return calibrated
        return _reweigh(calibrated, self.prevalence, self.site_prevalence(prevalence))

    def decide(
        self, probabilities: ArrayLike, point: str = "balanced", prevalence: Prevalence | None = None
    ) -> NDArray[np.int64]:
        """(N, C) probabilities -> (N,) class indices at an operating point.

        Give the `prevalence` the probabilities were made for: the class, and with it the sensitivity that the point
        promises, is the same at any prevalence; only the probabilities move.

        Raises:
            UsageError: there is no such operating point.
        """
        rows = self._at_home(probabilities, prevalence)
        chosen = self.point(point)
        most: NDArray[np.int64] = rows.argmax(axis=1)
        if chosen.threshold is None or self.negative is None:
            return most
        positive = 1.0 - rows[:, self.negative]
        others = rows.copy()
        others[:, self.negative] = -1.0
        decided: NDArray[np.int64] = np.where(positive >= chosen.threshold, others.argmax(axis=1), self.negative)
        return decided

    def conformal_set(self, probabilities: ArrayLike, prevalence: Prevalence | None = None) -> tuple[int, ...]:
        """(C,) probabilities of one image -> the classes that 95% coverage asks for, most probable first; never empty.

        Class-conditional thresholds on the probability of the class (Sadinle, Lei, Wasserman 2019; Vovk 2012).
        """
        row = self._at_home(np.asarray(probabilities, dtype=np.float64)[None], prevalence)[0]
        order = np.argsort(-row, kind="stable")
        inside = tuple(int(i) for i in order if row[i] >= self.conformal[i].least)
        return inside or (int(order[0]),)

    def point(self, name: str) -> OperatingPoint:
        """The operating point of that name; raises UsageError listing those there are."""
        if name not in self.points:
            raise UsageError(f"no operating point '{name}'; this model has: {', '.join(self.points)}")
        return self.points[name]

    def threshold(self, point: str = "balanced", prevalence: Prevalence | None = None) -> float | None:
        """Where the point stands on the bar of probabilities drawn for `prevalence`; None = the most probable class.

        Exact where the mix of the positive classes is the package's own, as it is when prevalence is one number.
        """
        at = self.point(point).threshold
        if at is None or prevalence is None or self.negative is None:
            return at
        site = self.site_prevalence(prevalence)
        here, there = self.prevalence[self.negative], site[self.negative]
        positive, negative = at * (1 - there) / (1 - here), (1 - at) * there / here
        return positive / (positive + negative)

    def site_prevalence(self, prevalence: Prevalence) -> tuple[float, ...]:
        """One number (share of images with any positive class) or one a class -> (C,) shares that sum to 1.

        Raises:
            UsageError: a number outside (0, 1), a wrong count, a wrong sum, or one number for a task without a
                negative class.
        """
        if isinstance(prevalence, float | int):
            return self._spread(float(prevalence))
        shares = tuple(float(share) for share in prevalence)
        enough = len(shares) == len(self.classes) and all(share >= LEAST_SHARE for share in shares)
        if not enough or not abs(sum(shares) - 1) <= 1e-3:
            names = ", ".join(self.classes)
            raise UsageError(f"prevalence: give one share above 0 for each of {names}; together they make 1")
        return tuple(share / sum(shares) for share in shares)

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which `from_json` makes an equal value."""
        fields = asdict(self)
        fields["points"] = {name: asdict(point) for name, point in self.points.items()}
        return {"format": FORMAT, **fields}

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> Calibration:
        """The value behind `to_json`.

        Raises:
            PackageDamaged: a field is missing, of the wrong kind, or of another format version.
        """
        if raw.get("format") != FORMAT:
            raise PackageDamaged(f"calibration: format {raw.get('format')!r} is not the format {FORMAT} known here")
        try:
            return _read(raw)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PackageDamaged(f"calibration: does not fit: {error}") from error

    def _spread(self, positive: float) -> tuple[float, ...]:
        if self.negative is None:
            raise UsageError("prevalence: this task has no negative class, so give one share for each class")
        if not LEAST_SHARE <= positive < 1:
            raise UsageError(f"prevalence must lie between 0 and 1, and not below {LEAST_SHARE:g}: not {positive}")
        rest = 1 - self.prevalence[self.negative]
        shares = [positive * share / rest for share in self.prevalence]
        shares[self.negative] = 1 - positive
        return tuple(shares)

    def _at_home(self, probabilities: ArrayLike, prevalence: Prevalence | None) -> NDArray[np.float64]:
        rows = np.asarray(probabilities, dtype=np.float64)
        if prevalence is None:
            return rows
        return _reweigh(rows, self.site_prevalence(prevalence), self.prevalence)


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    rows: NDArray[np.float64] = raised / raised.sum(axis=-1, keepdims=True)
    return rows


def _reweigh(rows: NDArray[np.float64], have: Sequence[float], want: Sequence[float]) -> NDArray[np.float64]:
    """Prior correction: p(c|x) * want_c / have_c, normalised (Saerens, Latinne, Decaestecker 2002)."""
    moved = rows * (np.asarray(want) / np.asarray(have))
    shares: NDArray[np.float64] = moved / moved.sum(axis=-1, keepdims=True)
    return shares


def _read(raw: Mapping[str, Any]) -> Calibration:
    conformal = tuple(ConformalClass(**{**row, "coverage": _pair(row["coverage"])}) for row in raw["conformal"])
    return Calibration(
        classes=tuple(raw["classes"]),
        negative=raw["negative"],
        temperature=float(raw["temperature"]),
        bias=tuple(float(value) for value in raw["bias"]),
        points={name: OperatingPoint(**point) for name, point in raw["points"].items()},
        conformal=conformal,
        counts=tuple(int(value) for value in raw["counts"]),
        prevalence=tuple(float(value) for value in raw["prevalence"]),
        origin=str(raw["origin"]),
    )


def _pair(values: Sequence[float]) -> tuple[float, float]:
    low, high = values
    return float(low), float(high)
