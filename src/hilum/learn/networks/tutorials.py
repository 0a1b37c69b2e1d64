"""The three small designs of the field's tutorials -> networks; kept as published, so that they can be compared.

Their sizes, kernels and heads are those that the tutorials on brain MRI folders share; where a tutorial leaves
something open the choice is named in the comment beside it.
"""

from __future__ import annotations

from torch import nn

from hilum.errors import UsageError
from hilum.learn.networks.published import FlatHead, Grey, PooledHead, Published


def cnn_3block(classes: int, *, dropout: float = 0.5, hidden: int = 64) -> Published:
    """1x224x224; convolutions 32 of 5x5, 64 of 5x5, 128 of 3x3, each BN, ReLU, max-pool; global pool; 128-64-C."""
    plan = [(1, 32, 5), (32, 64, 5), (64, 128, 3)]
    stages = [
        nn.Sequential(
            nn.Conv2d(before, after, kernel, padding=kernel // 2), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)
        )
        for before, after, kernel in plan
    ]
    head = PooledHead("mean", [nn.Dropout(dropout), nn.Linear(128, hidden), nn.ReLU(), nn.Linear(hidden, classes)])
    return Published(stages, head, Grey(), (32, 64, 128))


def cnn_2block(classes: int, *, size: int = 150, hidden: int = 128) -> Published:
    """150x150x3; convolutions 32 and 64 of 3x3 without padding, each ReLU and max-pool; flatten; dense 128-64; L2."""
    stages = [_plain(3, 32, 3, 2), _plain(32, 64, 3, 2)]
    side = ((size - 2) // 2 - 2) // 2
    rest = [nn.ReLU(), nn.Linear(hidden, 64), nn.ReLU(), nn.Linear(64, classes)]
    return Published(stages, FlatHead((64, side, side), hidden, rest), _RGB, (32, 64))


def cnn_4block(classes: int, *, size: int = 224, hidden: int = 512) -> Published:
    """224x224x3; convolutions 64-64 of 5x5 (pool 3), 128-128 of 4x4 (pool 2), without padding; flatten; dense 512."""
    plan = [(3, 64, 5, 3), (64, 64, 5, 3), (64, 128, 4, 2), (128, 128, 4, 2)]  # kernels and pools: as in the notebooks
    side = size
    for _, _, kernel, pool in plan:
        side = (side - kernel + 1) // pool
    if side < 1:
        raise UsageError(f"cnn-4block needs images of 133 pixels or more, not {size}")
    head = FlatHead((128, side, side), hidden, [nn.ReLU(), nn.Linear(hidden, classes)])
    return Published([_plain(*row) for row in plan], head, _RGB, (64, 64, 128, 128))


_RGB = Grey(3, (0.0,) * 3, (1.0,) * 3)


def _plain(before: int, after: int, kernel: int, pool: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, kernel), nn.ReLU(), nn.MaxPool2d(pool))
