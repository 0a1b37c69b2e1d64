"""A network, prepared images and settings -> the trained network; resumes after a kill with the same result.

The loop, checkpoints, precision and devices are Lightning's. Knows no task, no file format and no calibration.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
from hilum.learn.checkpoint import WholeCheckpoint, begun
from hilum.learn.learner import SEED_STEP, Learner, Score
from hilum.learn.settings import TrainSettings
from hilum.learn.watch import SILENT, Ears, Progress, Watch

__all__ = ["Attempt", "Progress", "TrainSettings", "TrainedNetwork", "logits", "train"]
_LOUD = ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run: the folder of its `last.ckpt`, its seed, and whether a run found there goes on."""

    folder: Path
    seed: int = 0
    resume: bool = True


@dataclass(frozen=True, eq=False, slots=True)
class TrainedNetwork:
    """What a run gave. computing: share in [0, 1] of the training time spent in forward, backward and step."""

    network: nn.Module
    history: tuple[dict[str, float], ...]
    best_epoch: int
    best_score: float
    seconds: float
    computing: float


def train(
    network: nn.Module,
    data: TrainingData,
    settings: TrainSettings,
    attempt: Attempt,
    *,
    score: Score | None = None,
    ears: Ears = SILENT,
) -> TrainedNetwork:
    """Train `network` in place and return it with the averaged weights of the best (or last) epoch.

    The best epoch is the latest that chance cannot tell from the one with the highest score of the tune part: one
    standard error. A few hundred images soon score alike, and the calmer weights of later epochs hold better elsewhere.

    score: (logits (n, K), targets (n, K)) -> float,
    higher is better; by default the mean balanced accuracy of the heads.

    Raises:
        Diverged: the loss is no longer a number. TrainingError: a checkpoint cannot be written.
    """
    folder, seed = attempt.folder, attempt.seed
    settings = settings if len(data.tune) else _unwatched(settings)
    folder.mkdir(parents=True, exist_ok=True)
    epoch_length = len(_epoch_order(data, settings, seed, 0))
    per_epoch = max(1, epoch_length // settings.batch)
    steps = per_epoch * settings.epochs
    learner = Learner(
        network.train(), data, settings, seed=seed, steps=steps, score=score or balanced_accuracy_of(data.heads)
    )
    watch = Watch(learner, steps, ears)
    with _quietly():
        trainer = _trainer(settings, folder, watch)

    def drawn() -> NDArray[np.int64]:
        # by steps: right after a resume Lightning makes the first iterator while it still believes in epoch 0
        return _epoch_order(data, settings, seed, trainer.global_step // per_epoch)

    batches = Batches(data, drawn, settings.batch, whole=True)
    tune = Batches(data, lambda: data.tune, 2 * settings.batch, whole=False)
    last = folder / "last.ckpt"
    with _quietly(), _told(folder):
        trainer.fit(
            learner,
            DataLoader(batches, batch_size=None),
            DataLoader(tune, batch_size=None) if len(data.tune) else None,
            ckpt_path=begun(last) if attempt.resume else None,
            weights_only=True,
        )
    return _result(learner, watch, settings)


def _unwatched(settings: TrainSettings) -> TrainSettings:
    """Of so few images that none is left to tune on no score can stop the run or lower its rate: it goes to its end."""
    schedule = "constant" if settings.schedule == "plateau" else settings.schedule
    return replace(settings, patience=None, schedule=schedule)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """What Lightning and PyTorch make of Ctrl+C and of a full disk, as what it is."""
    try:
        yield
    except SystemExit as leaving:  # Lightning has caught the KeyboardInterrupt and wants to end the process
        raise KeyboardInterrupt from leaving
    except RuntimeError as error:
        if "file write failed" in str(error) or "PytorchStreamWriter" in str(error):
            raise TrainingError(f"{folder}: the checkpoint cannot be written; is the disk full?") from error
        raise


@contextmanager
def _quietly() -> Iterator[None]:
    """Without Lightning's tips and its own outdated calls into PyTorch; its warnings about the run stay."""
    loud = [logging.getLogger(name) for name in _LOUD]
    levels = [logger.level for logger in loud]
    try:
        for logger in loud:
            logger.setLevel(logging.WARNING)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            warnings.filterwarnings("ignore", message=".*have no `val_dataloader`.*")
            warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
            yield
    finally:
        for logger, level in zip(loud, levels, strict=True):
            logger.setLevel(level)


class _Patience(EarlyStopping):
    """A run that had stopped has stopped when it is taken up again; Lightning would train one more epoch each time."""

    def on_train_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        trainer.should_stop = self.wait_count >= self.patience


def _trainer(settings: TrainSettings, folder: Path, watch: Watch) -> lightning.Trainer:
    keeper = ModelCheckpoint(
        folder,
        filename="last",
        monitor=None,  # the latest, not the best: the best weights lie inside it
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    callbacks: list[lightning.Callback] = [watch, keeper]
    if settings.patience is not None:
        callbacks.append(_Patience("tune_score", mode="max", patience=settings.patience))
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
        plugins=[WholeCheckpoint()],
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
            wanted = "bf16" if torch.cpu._is_avx512_bf16_supported() else "32"  # noqa: SLF001 - no public name for it
    return {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[wanted]


def _result(learner: Learner, watch: Watch, settings: TrainSettings) -> TrainedNetwork:
    final = learner.average
    if settings.keep == "best" and learner.best:
        final.load_state_dict(learner.best)
    learner.network.load_state_dict(final.state_dict())
    network = learner.network.eval().to(memory_format=torch.contiguous_format)
    return TrainedNetwork(
        network=network,
        history=tuple(watch.history),
        best_epoch=learner.best_epoch,
        best_score=learner.best_score,
        seconds=watch.history[-1]["seconds"] if watch.history else 0.0,
        computing=watch.computing / max(watch.training, 1e-9),
    )
