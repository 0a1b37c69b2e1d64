"""Decisions and truth -> accuracy, sensitivity, F-scores and their kin; knows no scores (those are in ranking.py).

`predicted` (N,) int: the index of the class, or -1 = refused. A refused case is a wrong answer of no class: it stays in
the denominator of accuracy, sensitivity and specificity, and in no class's precision.
`labels` (N,) int in [0, C); `classes` = C; `weights` (N,) or (D, N), default all 1: with (D, N) each figure is (D,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hilum.metrics.ranking import auroc, average_precision, divide, plain

__all__ = [
    "REFUSED", "accuracy", "auroc", "average_precision", "balanced_accuracy", "confusion", "detection", "f_score",
    "npv", "ppv", "precision", "recall", "specificity",
]  # fmt: skip

Floats = NDArray[np.float64]
Labels = NDArray[np.integer]

REFUSED = -1


def confusion(predicted: Labels, labels: Labels, classes: int, weights: Floats | None = None) -> Floats:
    """(..., C, C + 1) sums of weights: row = truth, column = answer, last column = refused.

    Raises:
        ValueError: an index out of range or lengths that differ.
    """
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    if predicted.shape != labels.shape or labels.ndim != 1:
        raise ValueError(f"predicted {predicted.shape} and labels {labels.shape} must be (N,) alike")
    if labels.size and not (labels.min() >= 0 and labels.max() < classes and predicted.min() >= REFUSED):
        raise ValueError(f"labels must be in [0, {classes}) and predictions in [-1, {classes})")
    if predicted.size and predicted.max() >= classes:
        raise ValueError(f"predictions must be in [-1, {classes})")
    cell = labels * (classes + 1) + np.where(predicted == REFUSED, classes, predicted)
    cells = classes * (classes + 1)
    if weights is None:
        return np.bincount(cell, minlength=cells).astype(np.float64).reshape(classes, classes + 1)
    given = np.asarray(weights, dtype=np.float64)
    draws = np.atleast_2d(given)
    place = cell + cells * np.arange(len(draws))[:, None]  # a product with a column a cell grows with their square
    table = np.asarray(np.bincount(place.ravel(), draws.ravel(), cells * len(draws)), np.float64)
    return table.reshape(*given.shape[:-1], classes, classes + 1)


def accuracy(predicted: Labels, labels: Labels, weights: Floats | None = None) -> float | Floats:
    """Share of right answers; refused = wrong."""
    right = np.asarray(predicted) == np.asarray(labels)
    share = np.ones(right.size) if weights is None else np.asarray(weights)
    return plain(divide(share @ right.astype(np.float64), share.sum(axis=-1)))


def balanced_accuracy(predicted: Labels, labels: Labels, classes: int, weights: Floats | None = None) -> float | Floats:
    """Mean over the classes that are present of the share of their cases answered right (Brodersen 2010)."""
    return plain(macro(recalls(confusion(predicted, labels, classes, weights))))


def recall(predicted: Labels, labels: Labels, classes: int, positive: int | None = None) -> float:
    """Share of a class found (`positive`), or the mean over the classes; the same as sensitivity."""
    return _one(recalls(confusion(predicted, labels, classes)), positive)


def precision(predicted: Labels, labels: Labels, classes: int, positive: int | None = None) -> float:
    """Share of right ones among the answers of a class (0 where it was never answered), or the mean."""
    return _one(precisions(confusion(predicted, labels, classes)), positive)


def specificity(predicted: Labels, labels: Labels, classes: int, positive: int | None = None) -> float:
    """Share of the cases of other classes that were answered as another class, or the mean over the classes."""
    return _one(specificities(confusion(predicted, labels, classes)), positive)


def f_score(predicted: Labels, labels: Labels, classes: int, beta: float = 1.0, positive: int | None = None) -> float:
    """F-beta of a class, or the mean over the classes; see `f_scores`."""
    return _one(f_scores(confusion(predicted, labels, classes), beta), positive)


# The same on a table (..., C, C + 1) of `confusion`; each gives (..., C), NaN for a class without a case.


def recalls(table: Floats) -> Floats:
    """(..., C) right answers / cases of the class."""
    return divide(_right(table), table.sum(axis=-1))


def precisions(table: Floats) -> Floats:
    """(..., C) right answers / answers of the class; 0 where the class was never answered, NaN where it has no case."""
    answered = table.sum(axis=-2)[..., :-1]
    found = np.where(answered > 0, divide(_right(table), answered), 0.0)
    return np.where(table.sum(axis=-1) > 0, found, np.nan)


def specificities(table: Floats) -> Floats:
    """(..., C) cases of other classes answered as another class / cases of other classes; refused = wrong."""
    cases = table.sum(axis=-1)
    others = cases.sum(axis=-1, keepdims=True) - cases
    answered = table[..., :-1]
    wrongly = answered.sum(axis=-2) - _right(table)
    refused = table[..., -1].sum(axis=-1, keepdims=True) - table[..., -1]
    return divide(others - wrongly - refused, others)


def f_scores(table: Floats, beta: float) -> Floats:
    """(..., C) (1 + b^2) TP / ((1 + b^2) TP + b^2 FN + FP) (van Rijsbergen 1979); a refused case is an FN."""
    right, cases, square = _right(table), table.sum(axis=-1), beta * beta
    answered = table.sum(axis=-2)[..., :-1]
    score = divide((1 + square) * right, square * cases + answered)
    return np.where(cases > 0, score, np.nan)


def macro(values: Floats) -> Floats:
    """(...) mean of (..., C) over the classes that have cases."""
    known = np.isfinite(values)
    return divide(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1).astype(np.float64))


def detection(table: Floats, negative: int) -> Floats:
    """(..., 2, 3) the table of "any other class" (1) against the `negative` class (0); columns 0, 1, refused.

    A case of one positive class answered as another positive class counts as detected.
    """
    classes = table.shape[-2]
    others = [i for i in range(classes) if i != negative]
    columns = np.stack([table[..., negative], table[..., others].sum(axis=-1), table[..., -1]], axis=-1)
    return np.stack([columns[..., negative, :], columns[..., others, :].sum(axis=-2)], axis=-2)


def ppv(table: Floats, prevalence: float) -> Floats:
    """(...) chance that a case answered positive is positive where the share of positives is `prevalence` (Bayes).

    `table` (..., 2, 3) as `detection` gives it. Refused cases are in neither answer.
    """
    true_share, false_share = _answer_shares(table, 1)
    return divide(true_share * prevalence, true_share * prevalence + false_share * (1 - prevalence))


def npv(table: Floats, prevalence: float) -> Floats:
    """(...) chance that a case answered negative is negative where the share of positives is `prevalence` (Bayes)."""
    missed, true_share = _answer_shares(table, 0)
    return divide(true_share * (1 - prevalence), true_share * (1 - prevalence) + missed * prevalence)


def _answer_shares(table: Floats, answer: int) -> tuple[Floats, Floats]:
    """Of the positives, and of the negatives, the share given this answer."""
    share = divide(table[..., answer], table.sum(axis=-1))
    return share[..., 1], share[..., 0]


def _right(table: Floats) -> Floats:
    return np.diagonal(table[..., :-1], axis1=-2, axis2=-1)


def _one(values: Floats, positive: int | None) -> float:
    return float(macro(values) if positive is None else values[positive])
