"""Scores of held-out images -> a Calibration; knows no network, no image and no file.

Everything counts by group (patient, copies): the members of a group share the weight of one. All is chosen on the
calibration part or on out-of-fold scores, never on the locked test.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from scipy.stats import beta

from hilum.errors import DataError
from hilum.learn.operating import operating_points
from hilum.learn.scores import Scores, group_folds, pool
from hilum.model.calibration import COVERAGE, Calibration, ConformalClass
from hilum.task import Task

OWN_GROUPS = 19  # the fewest for which a 95% quantile with the finite-sample correction exists: 19 / 20 = 0.95
BIAS_GROUPS = 20  # of each class before an additive term a class is even tried
BIAS_FOLDS = 5


def fit(
    scores: Scores, task: Task, *, stress: Scores | None = None, origin: str = "calibration part", evenly: bool = True
) -> Calibration:
    """Fit temperature, operating points, conformal thresholds and prevalence.

    scores: of the calibration part, or out of fold; columns in the order of `task.classes`.
    stress: of disturbed copies of the same images (same group numbers). Pooled with equal total weight for everything
        but the prevalence, so that neither confidence nor threshold rests on undisturbed images alone. Where they are
        given a shift is expected, and the temperature is fitted alone: a bias would carry this place's odds elsewhere.
    origin: stored and shown: where the scores come from.
    evenly: the network learned from classes drawn evenly. Without a bias its probabilities stand for even shares.

    Raises:
        DataError: a class has no image in the calibration part.
    """
    size = len(task.classes)
    counts = _groups_by_class(scores, size)
    missing = [name for name, count in zip(task.classes, counts, strict=True) if count == 0]
    if missing:
        raise DataError(f"the calibration part holds no image of: {', '.join(missing)}")
    pooled = scores if stress is None else pool(scores, stress)
    temperature, bias = _scaling(pooled, min(counts)) if stress is None else _fit_scaling(pooled, with_bias=False)
    scaled = Scores(pooled.logits / temperature + bias, pooled.labels, pooled.groups, pooled.weights)
    shares = np.bincount(scores.labels, weights=scores.weights, minlength=size) / scores.weights.sum()
    if evenly and not bias.any():
        shares = np.full(size, 1 / size)
    return Calibration(
        classes=task.classes,
        negative=task.negative,
        temperature=temperature,
        bias=tuple(bias.tolist()),
        points={point.name: point for point in operating_points(scaled, task)},
        conformal=_conformal(scaled),
        counts=counts,
        prevalence=tuple(shares.tolist()),
        origin=origin if stress is None else f"{origin}, pooled with disturbed copies",
    )


def _groups_by_class(scores: Scores, size: int) -> tuple[int, ...]:
    return tuple(int(np.unique(scores.groups[scores.labels == c]).size) for c in range(size))


def _scaling(scores: Scores, fewest: int) -> tuple[float, NDArray[np.float64]]:
    """Temperature alone (Guo 2017), or with one bias a class (Alexandari 2020) where held-out groups ask for it.

    Training draws classes evenly and a site does not, so a bias is often right; it is kept only when it lowers the
    negative log likelihood of groups it was not fitted on by more than the standard error of that gain.
    """
    plain = _fit_scaling(scores, with_bias=False)
    if fewest < BIAS_GROUPS:
        return plain
    folds = group_folds(scores.groups, BIAS_FOLDS)
    gain = np.zeros(len(scores))
    for fold in range(BIAS_FOLDS):
        inside, outside = scores.rows(folds != fold), scores.rows(folds == fold)
        losses = [_losses(outside, *_fit_scaling(inside, with_bias=flag)) for flag in (False, True)]
        gain[folds == fold] = (losses[0] - losses[1]) * outside.weights
    by_group = np.bincount(np.unique(scores.groups, return_inverse=True)[1], weights=gain)
    error = by_group.std() / math.sqrt(by_group.size)
    return _fit_scaling(scores, with_bias=True) if by_group.mean() > error else plain


def _fit_scaling(scores: Scores, *, with_bias: bool) -> tuple[float, NDArray[np.float64]]:
    """Weighted maximum likelihood; a unit normal prior on log temperature and biases keeps a separable part finite."""
    size = scores.logits.shape[1]
    total = scores.weights.sum()

    def objective(parameters: NDArray[np.float64]) -> float:
        bias = np.concatenate([[0.0], parameters[1:]]) if with_bias else np.zeros(size)
        losses = _losses(scores, math.exp(parameters[0]), bias)
        return float(((losses * scores.weights).sum() + 0.5 * (parameters**2).sum()) / total)

    start = np.zeros(size if with_bias else 1)
    limits = [(math.log(0.05), math.log(50.0))] + [(-10.0, 10.0)] * (start.size - 1)
    found = minimize(objective, start, method="L-BFGS-B", bounds=limits)
    bias = np.concatenate([[0.0], found.x[1:]]) if with_bias else np.zeros(size)
    return math.exp(found.x[0]), bias - bias.mean()


def _losses(scores: Scores, temperature: float, bias: NDArray[np.float64]) -> NDArray[np.float64]:
    logs = log_softmax(scores.logits / temperature + bias, axis=1)
    losses: NDArray[np.float64] = -logs[np.arange(len(scores)), scores.labels]
    return losses


def _conformal(scores: Scores) -> tuple[ConformalClass, ...]:
    """Class-conditional split-conformal thresholds on the probability of the true class (Vovk 2012)."""
    true = np.exp(-_losses(scores, 1.0, np.zeros(scores.logits.shape[1])))
    pooled = _conformal_class(true, scores, pooled=True)
    rows = []
    for c in range(scores.logits.shape[1]):
        mine = scores.labels == c
        enough = np.unique(scores.groups[mine]).size >= OWN_GROUPS
        rows.append(_conformal_class(true[mine], scores.rows(mine), pooled=False) if enough else pooled)
    return tuple(rows)


def _conformal_class(true: NDArray[np.float64], scores: Scores, *, pooled: bool) -> ConformalClass:
    """The k-th lowest probability of the true class, k = floor((groups + 1) * 0.05); images weigh by group."""
    groups = int(np.unique(scores.groups).size)
    rank = math.floor((groups + 1) * (1 - COVERAGE) + 1e-9)
    if rank == 0:
        return ConformalClass(0.0, groups, pooled, (1.0, 1.0))
    order = np.argsort(true, kind="stable")
    reached = np.cumsum(scores.weights[order]) / scores.weights.sum() * groups
    least = float(true[order][np.searchsorted(reached, rank - 1e-9)])
    low, high = beta.ppf((0.025, 0.975), groups + 1 - rank, rank)
    return ConformalClass(least, groups, pooled, (float(low), float(high)))
