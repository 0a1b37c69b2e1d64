"""A run under way -> its clock, its history and word to whoever listens; knows no network."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import lightning
import numpy as np
import torch

from hilum.errors import Diverged
from hilum.learn.learner import Learner


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands; seconds_left is what is likely to remain."""

    epoch: int
    epochs: int
    step: int
    steps: int
    seconds: float
    seconds_left: float
    loss: float
    score: float


@dataclass(frozen=True, slots=True)
class Ears:
    """Who is told while a network learns: of every step, of every epoch (give that of a tracked run).

    over: of every epoch once it is over, with its own loss and score. resumed: once, where a run goes on, of the epochs
    that were over before.
    """

    progress: Callable[[Progress], None] | None = None
    on_epoch: Callable[[int, dict[str, float]], None] | None = None
    over: Callable[[Progress], None] | None = None
    resumed: Callable[[Sequence[Progress]], None] | None = None


SILENT = Ears()


def one_of(ears: Ears, number: int, count: int, name: str = "") -> Ears:
    """For one of several trainings: steps and epochs are counted among those of all, figures bear `name` in front."""
    told, noted, ended, before = ears.progress, ears.on_epoch, ears.over, ears.resumed

    def among(now: Progress) -> Progress:
        epoch, step = now.epoch + number * now.epochs, now.step + number * now.steps
        return replace(now, epoch=epoch, epochs=count * now.epochs, step=step, steps=count * now.steps)

    def progress(now: Progress) -> None:
        if told:
            told(among(now))

    def on_epoch(epoch: int, row: dict[str, float]) -> None:
        if noted:
            noted(epoch, {f"{name}{figure}": value for figure, value in row.items()})

    def over(now: Progress) -> None:
        if ended:
            ended(among(now))

    def resumed(epochs: Sequence[Progress]) -> None:
        if before:
            before([among(now) for now in epochs])

    return Ears(progress, on_epoch, over, resumed)


class Watch(lightning.Callback):
    """Clock and history of a run; both survive a resume."""

    def __init__(self, learner: Learner, steps: int, listeners: Ears) -> None:
        self.learner, self.steps, self.listeners = learner, steps, listeners
        self.history: list[dict[str, float]] = []
        self.computing, self.training, self.began, self.before, self.first = 0.0, 0.0, 0.0, 0.0, 0
        self.mark = self.epoch_mark = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Kept in the checkpoint."""
        return {
            "history": self.history,
            "computing": self.computing,
            "training": self.training,
            "before": self.before + time.perf_counter() - self.began,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Back from the checkpoint."""
        self.history, self.before = list(state_dict["history"]), state_dict["before"]
        self.computing, self.training = state_dict["computing"], state_dict["training"]

    def on_fit_start(self, trainer: Any, *_: Any) -> None:
        self.began = time.perf_counter()
        if self.history and self.listeners.resumed:
            self.listeners.resumed([self._over(trainer, row) for row in self.history])

    def on_train_start(self, trainer: Any, *_: Any) -> None:
        self.first = trainer.global_step

    def on_train_epoch_start(self, *_: Any) -> None:
        self.epoch_mark = time.perf_counter()

    def on_train_batch_start(self, *_: Any) -> None:
        self.mark = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        now = time.perf_counter()
        self.computing += now - self.mark
        self.training += now - self.epoch_mark
        self.epoch_mark = now
        if self.listeners.progress:
            self.listeners.progress(self._progress(trainer, now))

    def _progress(self, trainer: Any, now: float) -> Progress:
        done = max(1, trainer.global_step - self.first)
        left = (now - self.began) / done * (self.steps - trainer.global_step)
        score = self.history[-1].get("tune_score", float("nan")) if self.history else float("nan")
        place = (trainer.current_epoch, trainer.max_epochs, trainer.global_step, self.steps)
        return Progress(*place, now - self.began + self.before, left, float(self.learner.losses[-1]), score)

    def on_train_epoch_end(self, trainer: Any, *_: Any) -> None:
        loss = float(torch.stack(self.learner.losses).mean()) if self.learner.losses else float("nan")
        if not np.isfinite(loss):
            raise Diverged(f"the loss is {loss} in epoch {trainer.current_epoch + 1}: lower the learning rate")
        row = {
            "epoch": float(trainer.current_epoch),
            "train_loss": loss,
            "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"]),
            "seconds": self.before + time.perf_counter() - self.began,
            "computing": self.computing / max(self.training, 1e-9),
        }
        row |= {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("tune_")}
        self.history.append(row)
        if self.listeners.on_epoch:
            self.listeners.on_epoch(trainer.current_epoch, row)
        if self.listeners.over:
            self.listeners.over(self._over(trainer, row))

    def _over(self, trainer: Any, row: dict[str, float]) -> Progress:
        """Where the run stood when an epoch of its history was over."""
        epoch, epochs, seconds = int(row["epoch"]), int(trainer.max_epochs), row["seconds"]
        step = (epoch + 1) * (self.steps // epochs)
        left = seconds / (epoch + 1) * (epochs - epoch - 1)
        score = row.get("tune_score", float("nan"))
        return Progress(epoch, epochs, step, self.steps, seconds, left, row["train_loss"], score)
