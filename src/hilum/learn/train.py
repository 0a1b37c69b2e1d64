"""A network, prepared images and settings -> the trained network; resumes after a kill with the same result.

The loop, checkpoints, precision and devices are Lightning's. Knows no task, no file format and no calibration.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader

from hilum.errors import TrainingError
from hilum.learn.batches import Batches, Head, TrainingData, order
from hilum.learn.learner import SEED_STEP, Learner, Score
from hilum.learn.settings import TrainSettings

__all__ = ["Progress", "TrainSettings", "TrainedNetwork", "logits", "train"]


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


@dataclass(frozen=True, eq=False, slots=True)
class TrainedNetwork:
    """What a run gave. computing: share in [0, 1] of the training time spent in forward, backward and step."""

    network: nn.Module
    history: tuple[dict[str, float], ...]
    best_epoch: int
    best_score: float
    seconds: float
    computing: float


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told: of every step, of every epoch (for a run tracker)."""

    progress: Callable[[Progress], None] | None = None
    on_epoch: Callable[[int, dict[str, float]], None] | None = None


def train(
    network: nn.Module,
    data: TrainingData,
    settings: TrainSettings,
    *,
    folder: Path,
    seed: int = 0,
    resume: bool = True,
    score: Score | None = None,
    progress: Callable[[Progress], None] | None = None,
    on_epoch: Callable[[int, dict[str, float]], None] | None = None,
) -> TrainedNetwork:
    """Train `network` in place and return it with the averaged weights of the best (or last) epoch.

    folder keeps `last.ckpt`; with `resume` a run found there goes on. score: (logits (n, K), targets (n, K)) -> float,
    higher is better; by default the mean balanced accuracy of the heads.

    Raises:
        TrainingError: the loss is no longer a number.
    """
    folder.mkdir(parents=True, exist_ok=True)
    epoch_length = len(_epoch_order(data, settings, seed, 0))
    per_epoch = max(1, epoch_length // settings.batch)
    steps = per_epoch * settings.epochs
    learner = Learner(
        network, data, settings, seed=seed, steps=steps, score=score or balanced_accuracy_of(data.heads)
    )
    watch = _Watch(learner, steps, Listeners(progress, on_epoch))
    trainer = _trainer(settings, folder, watch)
    batches = Batches(
        data, lambda: _epoch_order(data, settings, seed, trainer.current_epoch), settings.batch, whole=True
    )
    tune = Batches(data, lambda: data.tune, 2 * settings.batch, whole=False)
    last = folder / "last.ckpt"
    trainer.fit(
        learner,
        DataLoader(batches, batch_size=None),
        DataLoader(tune, batch_size=None) if len(data.tune) else None,
        ckpt_path=str(last) if resume and last.is_file() else None,
        weights_only=True,
    )
    return _result(learner, watch, settings)


def _trainer(settings: TrainSettings, folder: Path, watch: _Watch) -> lightning.Trainer:
    keeper = ModelCheckpoint(folder, save_last=True, save_top_k=0, every_n_epochs=1, save_on_train_epoch_end=True)
    callbacks: list[lightning.Callback] = [watch, keeper]
    if settings.patience is not None:
        callbacks.append(EarlyStopping("tune_score", mode="max", patience=settings.patience))
    return lightning.Trainer(
        accelerator="auto",
        devices=1,
        precision=_precision(settings.precision),
        max_epochs=settings.epochs,
        gradient_clip_val=settings.clip or None,
        deterministic=settings.deterministic,
        check_val_every_n_epoch=settings.check_every,
        num_sanity_val_steps=0,
        callbacks=callbacks,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def logits(network: nn.Module, pixels: NDArray[np.uint8], batch: int = 128) -> NDArray[np.float32]:
    """Logits (N, K) float32 for prepared images (N, 1, S, S) uint8, in full precision."""
    device = next(network.parameters()).device
    network.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(pixels), batch):
            rows = torch.from_numpy(np.ascontiguousarray(pixels[start : start + batch])).to(device)
            found.append(network(rows).float().cpu().numpy())
    return np.concatenate(found)


def balanced_accuracy_of(heads: tuple[Head, ...]) -> Score:
    """Mean over the heads of the mean recall over the classes, of the rows with one known class."""

    def score(values: NDArray[np.float32], targets: NDArray[np.float32]) -> float:
        found, start = [], 0
        for head in heads:
            stop = start + len(head.classes)
            truth, guess = targets[:, start:stop], values[:, start:stop].argmax(axis=1)
            single = np.isclose(truth.sum(axis=1), 1.0)
            label = truth.argmax(axis=1)
            recalls = [np.mean(guess[single & (label == c)] == c) for c in np.unique(label[single])]
            if recalls:
                found.append(float(np.mean(recalls)))
            start = stop
        return float(np.mean(found)) if found else 0.0

    return score


def _epoch_order(data: TrainingData, settings: TrainSettings, seed: int, epoch: int) -> NDArray[np.int64]:
    return order(
        data,
        sampling=settings.sampling,
        balance=settings.balance,
        draws=settings.draws,
        seed=seed * SEED_STEP + epoch,
    )


def _precision(wanted: str) -> Any:
    if wanted == "auto":
        if torch.cuda.is_available():
            wanted = "bf16" if torch.cuda.is_bf16_supported() else "16"
        else:
            wanted = "bf16" if torch.cpu._is_avx512_bf16_supported() else "32"
    return {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[wanted]


class _Watch(lightning.Callback):
    """Clock and history of a run; both survive a resume."""

    def __init__(self, learner: Learner, steps: int, listeners: Listeners) -> None:
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

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        self.began = time.perf_counter()

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self.first = trainer.global_step

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self.epoch_mark = time.perf_counter()

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.mark = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
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

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        loss = float(torch.stack(self.learner.losses).mean()) if self.learner.losses else float("nan")
        if not np.isfinite(loss):
            raise TrainingError(f"the loss is {loss} in epoch {trainer.current_epoch + 1}: lower the learning rate")
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


def _result(learner: Learner, watch: _Watch, settings: TrainSettings) -> TrainedNetwork:
    final = learner.average
    if settings.keep == "best" and learner.best:
        final.load_state_dict(learner.best)
    learner.network.load_state_dict(final.state_dict())
    network = learner.network.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return TrainedNetwork(
        network=network,
        history=tuple(watch.history),
        best_epoch=learner.best_epoch,
        best_score=learner.best_score,
        seconds=watch.history[-1]["seconds"] if watch.history else 0.0,
        computing=watch.computing / max(watch.training, 1e-9),
    )
