"""Batches -> loss, gradient step, running average of the weights, score on the tune part; the inside of `train`."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hilum.errors import Diverged
from hilum.learn.augment import Augment
from hilum.learn.batches import Head, TrainingData
from hilum.learn.losses import heads_loss
from hilum.learn.settings import TrainSettings

Score = Callable[[NDArray[np.float32], NDArray[np.float32]], float]
SEED_STEP = 1_000_003  # keeps the random streams of neighbouring seeds and epochs apart


class Learner(lightning.LightningModule):
    """The network, its running average, and what happens to a batch."""

    def __init__(
        self, network: nn.Module, data: TrainingData, settings: TrainSettings, *, seed: int, steps: int, score: Score
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(network).requires_grad_(False)
        self.settings, self.seed, self.steps, self.score = settings, seed, steps, score
        self.heads: tuple[Head, ...] = data.heads
        self.class_weights = _class_weights(data, settings)
        self.best: dict[str, Tensor] = {}
        self.best_score, self.best_epoch, self.peak = -math.inf, -1, -math.inf
        self.witnesses = len(np.unique(data.groups[data.tune]))
        self.losses: list[Tensor] = []
        self.seen: list[tuple[Tensor, Tensor]] = []

    # -- one step ------------------------------------------------------------------------------------------------
    def on_train_epoch_start(self) -> None:
        self.network.train()
        self.average.eval()
        self.losses = []
        self._chance = torch.Generator(self.device).manual_seed((self.seed + 7) * SEED_STEP + self.current_epoch)

    def on_train_batch_start(self, *_: Any) -> None:
        """Dropout is the same after a resume: loaders draw from the same stream, and not at the same moments."""
        torch.manual_seed(self.seed * SEED_STEP + self.global_step)

    def on_after_batch_transfer(self, batch: Any, *_: Any) -> Any:
        """Augment on the device, outside the time of the step itself."""
        pixels, targets = batch
        if not self.trainer.training:
            return pixels, targets
        share = (self.current_epoch + 0.5) / self.settings.epochs
        size = next((size for until, size in self.settings.sizes if share <= until), self.settings.sizes[-1][1])
        with torch.no_grad():
            return Augment(self.settings.policy, self._chance)(pixels, size), targets

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        pixels, targets = batch
        loss = self._mixed(pixels, targets) if self._mixes() else self._loss(self.network(pixels), targets)
        self.losses.append(loss.detach())
        return loss

    def _mixes(self) -> bool:
        calm = self.current_epoch >= self.settings.epochs * (1.0 - self.settings.calm)
        if not self.settings.mixup or calm:
            return False
        return float(torch.rand((), generator=self._chance, device=self.device)) < self.settings.mixup_share

    def _mixed(self, pixels: Tensor, targets: Tensor) -> Tensor:
        """Mixup (arXiv 1710.09412): one weight per batch, losses mixed so that sets of classes stay sets."""
        random = np.random.default_rng(int(torch.randint(2**31, (), generator=self._chance, device=self.device)))
        share = float(random.beta(self.settings.mixup, self.settings.mixup))
        other = torch.randperm(len(pixels), generator=self._chance, device=self.device)
        logits = self.network(share * pixels + (1.0 - share) * pixels[other])
        return share * self._loss(logits, targets) + (1.0 - share) * self._loss(logits, targets[other])

    def _loss(self, logits: Tensor, targets: Tensor, smoothing: float | None = None) -> Tensor:
        smooth = self.settings.label_smoothing if smoothing is None else smoothing
        weights = None if self.class_weights is None else self.class_weights.to(logits.device)
        return heads_loss(logits.float(), targets, self.heads, smooth, weights)

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the average a little towards the weights (batch statistics included)."""
        count = self.global_step
        keep = min(self.settings.ema, (1.0 + count) / (10.0 + count)) if self.settings.ema else 0.0
        with torch.no_grad():
            for mean, now in zip(_tensors(self.average), _tensors(self.network), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(now.to(mean.dtype), 1.0 - keep)
                else:
                    mean.copy_(now)

    # -- the tune part -------------------------------------------------------------------------------------------
    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        pixels, targets = batch
        self.average.eval()
        self.seen.append((self.average(pixels).float().cpu(), targets.cpu()))

    def on_validation_epoch_end(self) -> None:
        logits = torch.cat([pair[0] for pair in self.seen])
        targets = torch.cat([pair[1] for pair in self.seen])
        self.seen = []
        if not bool(torch.isfinite(logits).all()):  # seen here before the loss of the epoch is
            raise Diverged(f"the answers are no numbers in epoch {self.current_epoch + 1}: lower the learning rate")
        score = self.score(logits.numpy(), targets.numpy())
        self.log("tune_score", score)
        self.log("tune_loss", float(heads_loss(logits, targets, self.heads)))
        self.peak = max(self.peak, score)
        if score >= self.peak - chance(self.peak, self.witnesses):
            self.best_score, self.best_epoch = score, self.current_epoch
            self.best = {name: value.detach().cpu().clone() for name, value in self.average.state_dict().items()}

    # -- optimiser and checkpoint ----------------------------------------------------------------------------------
    def configure_optimizers(self) -> Any:
        settings = self.settings
        decayed = [p for p in self.network.parameters() if p.requires_grad and p.ndim > 1]
        plain = [p for p in self.network.parameters() if p.requires_grad and p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        made = _optimiser(groups, settings)
        if settings.schedule == "plateau":
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                made, "max", settings.plateau_factor, settings.plateau_patience
            )
            return {"optimizer": made, "lr_scheduler": {"scheduler": plateau, "monitor": "tune_score"}}
        curve = torch.optim.lr_scheduler.LambdaLR(made, lambda step: _share(step, self.steps, settings))
        return {"optimizer": made, "lr_scheduler": {"scheduler": curve, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        found = {"state": self.best, "score": self.best_score, "epoch": self.best_epoch, "peak": self.peak}
        checkpoint["best"] = found

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        best = checkpoint["best"]
        self.best, self.best_score, self.best_epoch = best["state"], best["score"], best["epoch"]
        self.peak = best.get("peak", self.best_score)


def chance(score: float, groups: int) -> float:
    """One standard error of a score in [0, 1] seen on so many groups, as of a share.

    The share is moved a little to the middle (Agresti and Coull 1998), so that a perfect one has an error, too.
    """
    share = (float(np.clip(score, 0.0, 1.0)) * groups + 1.0) / (groups + 2.0)
    return math.sqrt(share * (1.0 - share) / max(1, groups))


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def _optimiser(groups: list[dict[str, Any]], settings: TrainSettings) -> torch.optim.Optimizer:
    if settings.optimiser == "sgd":
        return torch.optim.SGD(groups, settings.learning_rate, momentum=0.9, nesterov=True)
    kind = torch.optim.AdamW if settings.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, settings.learning_rate, betas=settings.betas)


def _share(step: int, steps: int, settings: TrainSettings) -> float:
    """Share of the peak learning rate at a step: linear warm-up, then a half cosine to 1%."""
    warm = max(1.0, settings.warmup * steps)
    if step < warm:
        return (step + 1) / warm
    if settings.schedule == "constant":
        return 1.0
    along = min(1.0, (step - warm) / max(1.0, steps - warm))
    return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * along))


def _class_weights(data: TrainingData, settings: TrainSettings) -> Tensor | None:
    if settings.class_weights != "balanced":
        return None
    mass = data.targets[data.train].sum(axis=0) + 1e-6
    weights, start = np.ones(len(mass), np.float32), 0
    for head in data.heads:
        stop = start + len(head.classes)
        weights[start:stop] = mass[start:stop].sum() / (len(head.classes) * mass[start:stop])
        start = stop
    return torch.from_numpy(weights)
