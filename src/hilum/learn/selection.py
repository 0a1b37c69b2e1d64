"""A task's `select_by` -> the score that early stopping, tuning and comparing maximise; knows no network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from hilum.learn.learner import Score
from hilum.metrics.answers import Answers
from hilum.metrics.figures import figure
from hilum.task import Task


def selector(task: Task) -> Score:
    """(logits (n, C), targets (n, C) one row per image) -> the task's figure, higher is better; 0 where undefined.

    Rows without one known class are left out. The most probable class counts as the answer.
    """

    def score(values: NDArray[np.float32], targets: NDArray[np.float32]) -> float:
        known = np.isclose(targets.sum(axis=1), 1.0)
        if not known.any():
            return 0.0
        rows, labels = values[known], targets[known].argmax(axis=1)
        answers = Answers(
            softmax(rows.astype(np.float64), axis=1),
            rows.argmax(axis=1),
            labels,
            np.arange(len(labels)),
            task.negative,
        )
        found = figure(task.select_by, answers)
        return float(found) if np.isfinite(found) else 0.0

    return score
