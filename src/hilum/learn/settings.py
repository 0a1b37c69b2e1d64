"""What a training run may be told, in one frozen value; knows no data and no network."""

from __future__ import annotations

from dataclasses import dataclass, field

from hilum.learn.policy import AugmentPolicy

CHOICES = {
    "optimiser": ("adamw", "adam", "sgd"),
    "schedule": ("cosine", "plateau", "constant"),
    "class_weights": ("none", "balanced"),
    "sampling": ("group", "image"),
    "keep": ("best", "last"),
    "precision": ("auto", "32", "bf16", "16"),
}


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Everything about a run but its data, network and seed.

    warmup, calm: share of the run at its start with a rising rate, at its end without mixup.
    ema: share of the old weights kept by the running average at each step; 0 evaluates the weights themselves.
    mixup: alpha of the Beta distribution, 0 = off; mixup_share: share of the batches that are mixed.
    sampling, balance, draws: see batches.order.
    patience: stop after this many epochs without a better tune score; None never stops early.
    keep: "best" epoch by tune score, or the "last".
    sizes: (until this share of the run, side in pixels or None for the prepared side), smaller first.
    precision: "auto" is bf16 where the processor computes in it, else 32.
    """

    epochs: int = 30
    batch: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    optimiser: str = "adamw"
    betas: tuple[float, float] = (0.9, 0.98)
    schedule: str = "cosine"
    warmup: float = 0.05
    plateau_factor: float = 0.2
    plateau_patience: int = 3
    label_smoothing: float = 0.05
    class_weights: str = "none"
    ema: float = 0.998
    mixup: float = 0.2
    mixup_share: float = 0.5
    calm: float = 0.15
    clip: float = 1.0
    policy: AugmentPolicy = field(default_factory=AugmentPolicy)
    sampling: str = "group"
    balance: bool = True
    draws: int | None = None
    patience: int | None = None
    keep: str = "best"
    check_every: int = 1
    sizes: tuple[tuple[float, int | None], ...] = ((1.0, None),)
    precision: str = "auto"
    deterministic: bool = False

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {choices}, not {getattr(self, name)!r}")
        if self.epochs < 1 or self.batch < 2:
            raise ValueError("a run needs one epoch and batches of two or more")
