"""Logits and targets of several heads -> one loss; a target may be hard, soft, a set of classes, or unknown."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hilum.learn.batches import Head


def heads_loss(
    logits: Tensor, targets: Tensor, heads: tuple[Head, ...], smoothing: float = 0.0, weights: Tensor | None = None
) -> Tensor:
    """Weighted sum over heads of the mean loss of the images whose label the head knows.

    logits, targets: (N, K); weights: (K,) class weights or None. Targets as in TrainingData.
    """
    total = logits.new_zeros(())
    start = 0
    for head in heads:
        stop = start + len(head.classes)
        part = None if weights is None else weights[start:stop]
        total = total + head.weight * head_loss(logits[:, start:stop], targets[:, start:stop], smoothing, part)
        start = stop
    return total


def head_loss(logits: Tensor, targets: Tensor, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
    """Mean loss of one head over the rows that are known; 0 where none is.

    A row that sums to 1: cross-entropy with label smoothing. A row that sums to more: -log of the summed probability.
    """
    mass = targets.sum(dim=1)
    known = (mass > 0.5).float()
    is_set = mass > 1.5
    log_p = functional.log_softmax(logits, dim=1)
    smooth = targets * (1.0 - smoothing) + smoothing / targets.shape[1]
    single = -(smooth * log_p).sum(dim=1)
    any_of = -torch.logsumexp(log_p + torch.log(targets.clamp(min=1e-12)), dim=1)
    each = torch.where(is_set, any_of, single)
    if weights is not None:
        known = known * (targets * weights).sum(dim=1) / mass.clamp(min=1e-6)
    return (each * known).sum() / known.sum().clamp(min=1e-6)
