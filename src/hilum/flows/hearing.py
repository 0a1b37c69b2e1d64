"""What a training tells of its steps and epochs -> words for whoever waits for it; knows no network and no page.

An epoch that is over is kept however short it was, those from before a kill too: a page draws its curves from them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hilum.flows.progress import Listener
from hilum.learn.watch import Ears, Progress

TRAINING = "training"
BEFORE = "tune before"  # in front of a score that is not of the epoch under way


def heard_by(listener: Listener, on_epoch: Callable[[int, dict[str, float]], None] | None = None) -> Ears:
    """Ears of a training for a listener; on_epoch: hears the figures of each epoch beside it."""

    def progress(now: Progress) -> None:
        listener.done(now.step, now.steps, _words(now, BEFORE))

    def over(now: Progress) -> None:
        listener.reached(now.step, now.steps, _words(now, "tune"))

    def resumed(epochs: Sequence[Progress]) -> None:
        last = epochs[-1]
        listener.stage(f"going on after epoch {last.epoch + 1} of {last.epochs}")
        for now in epochs:
            over(now)
        listener.stage(TRAINING, done=last.step)

    return Ears(progress, on_epoch, over, resumed)


def _words(now: Progress, name: str) -> str:
    score = "" if np.isnan(now.score) else f", {name} {now.score:.4f}"
    return f"epoch {now.epoch + 1}/{now.epochs}, loss {now.loss:.3f}{score}"
