"""All choices of a training run in one value, each with its reason -> what preparation, network and loop are told.

A plan is written by `planning.make_plan` from facts, changed line by line with `override`, stored in the package.
Knows no image and no data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from hilum.errors import UsageError
from hilum.image.prepare import Preparation
from hilum.learn.networks import DESIGNS, NETWORKS, takes
from hilum.learn.policy import NONE, AugmentPolicy
from hilum.learn.settings import CHOICES, TrainSettings
from hilum.task import GEOMETRIES, Task

STRENGTHS: dict[str, AugmentPolicy] = {
    "none": NONE,
    "light": AugmentPolicy(
        rotate=10, scale=1.1, stretch=1.0, shift=0.04, gamma=0.2, contrast=0.1, curve=0, bias=0, soften=0, shrink=0,
        jpeg=0, noise=0, erase=0,
    ),
    "medium": AugmentPolicy(),
    "strong": AugmentPolicy(
        rotate=20, scale=1.25, stretch=1.18, shift=0.08, gamma=0.5, contrast=0.3, curve=0.4, match=0.3, equalise=0.1,
        bias=0.3, soften=0.5, shrink=0.4, jpeg=0.3, noise=8, frame=0.2, erase=0.3,
    ),
}  # fmt: skip
BY_YOU = "set by you"


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done. Fields named as in Preparation, TrainSettings and the networks' arguments mean the same.

    network: a name of `networks.NETWORKS`. weights: "auto", "none" or a path, where the design has published ones.
    dropout, hidden, width: None leaves the network's own. augmentation: a name of STRENGTHS.
    keep: of the field of view, as in Preparation; final: the "best" epoch by tune score (the latest
    of those that chance cannot tell from the best), or the "last".
    folds: 0 trains once on four parts; k >= 2 trains k networks, averaged and calibrated on out-of-fold scores.
    distill: one more network learns from what the folds say, and is packaged in their place.
    reasons: field -> why, in plain words. facts: what the plan was made from.
    """

    network: str = "residual-m"
    weights: str = "auto"
    width: int | None = None
    hidden: int | None = None
    dropout: float | None = None
    standardise: str = "image"
    size: int = 128
    geometry: str = "whole"
    keep: float = 1.0
    margin: float = 0.0
    squash: bool = True
    low: float = 0.5
    high: float = 99.5
    augmentation: str = "medium"
    flip_horizontal: bool = False
    flip_vertical: bool = False
    batch: int = 64
    epochs: int = 30
    patience: int | None = None
    final: str = "best"
    optimiser: str = "adamw"
    betas: tuple[float, float] = (0.9, 0.98)
    learning_rate: float = 3e-3
    schedule: str = "cosine"
    warmup: float = 0.05
    plateau_factor: float = 0.2
    plateau_patience: int = 3
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    mixup: float = 0.2
    ema: float = 0.998
    clip: float = 1.0
    class_weights: str = "none"
    balance: bool = True
    sampling: str = "group"
    precision: str = "auto"
    deterministic: bool = False
    folds: int = 0
    distill: bool = False
    seed: int = 0
    reasons: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}")
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name} must be {low} to {high}, not {value}")
        if not all(0.0 <= beta < 1.0 for beta in self.betas):
            raise ValueError(f"betas must be 0 or more and less than 1, not {_shown(self.betas)}")
        if self.folds == 1:
            raise ValueError("folds must be 0, or 2 and more")

    def lines(self) -> tuple[tuple[str, str, str], ...]:
        """(name, value, reason) of every line, in order; the reason is "" where the value is the usual one."""
        return tuple((name, _shown(getattr(self, name)), self.reasons.get(name, "")) for name in LINES)

    def preparation(self) -> Preparation:
        """How each image becomes the network's input."""
        return Preparation(self.size, self.geometry, self.keep, self.margin, self.squash, self.low, self.high)

    def policy(self) -> AugmentPolicy:
        """How training images are varied; flips as the task allows."""
        if self.augmentation == "none":
            return STRENGTHS["none"]
        sideways, upside_down = 0.5 * self.flip_horizontal, 0.5 * self.flip_vertical
        return replace(STRENGTHS[self.augmentation], flip=sideways, flip_vertical=upside_down)

    def settings(self) -> TrainSettings:
        """What the loop is told."""
        shared = {f.name for f in fields(TrainSettings)} & set(LINES) - {"keep"}
        return TrainSettings(policy=self.policy(), keep=self.final, **{name: getattr(self, name) for name in shared})

    def network_config(self, classes: int) -> dict[str, Any]:
        """What `networks.build` is told besides the name."""
        wanted = {
            name: getattr(self, name) for name in ("width", "hidden", "dropout", "standardise", "size", "weights")
        }
        known = {name: value for name, value in wanted.items() if value is not None and takes(self.network, name)}
        return {"classes": classes, **known}

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which `from_json` makes an equal plan."""
        raw = asdict(self)
        return {**raw, "betas": list(self.betas), "reasons": dict(self.reasons), "facts": dict(self.facts)}

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> Plan:
        """The plan behind `to_json`.

        Raises:
            UsageError: a line is unknown or does not fit.
        """
        try:
            return Plan(**{**raw, "betas": tuple(raw["betas"])})
        except (TypeError, ValueError, KeyError) as error:
            raise UsageError(f"not a plan of this version: {error}") from error


LINES = tuple(f.name for f in fields(Plan) if f.name not in ("reasons", "facts"))
_KINDS = {f.name: str(f.type) for f in fields(Plan)}
_CHOICES: dict[str, tuple[str, ...]] = {
    "network": NETWORKS,
    "geometry": GEOMETRIES,
    "augmentation": tuple(STRENGTHS),
    "standardise": ("image", "foreground"),
    **{"final" if name == "keep" else name: choices for name, choices in CHOICES.items()},
}
LARGEST_SEED = 2**31
RANGES: dict[str, tuple[float, float]] = {
    "size": (16, 1024), "keep": (0.1, 1.0), "margin": (0.0, 0.5), "low": (0.0, 49.0), "high": (51.0, 100.0),
    "batch": (2, 4096), "epochs": (1, 10_000), "patience": (1, 10_000), "learning_rate": (1e-7, 10.0),
    "warmup": (0.0, 0.9), "plateau_factor": (0.01, 0.99), "plateau_patience": (0, 1000), "weight_decay": (0.0, 10.0),
    "label_smoothing": (0.0, 0.5), "mixup": (0.0, 10.0), "ema": (0.0, 0.99999), "clip": (0.0, 1000.0),
    "dropout": (0.0, 0.95), "hidden": (1, 65_536), "width": (8, 1024), "folds": (0, 20), "seed": (0, LARGEST_SEED),
}  # fmt: skip


def override(plan: Plan, changes: Sequence[str]) -> Plan:
    """Change lines, each given as "name=value".

    A change of the network takes that design's published size and settings with it; lines given explicitly win.

    Raises:
        UsageError: a line is not "name=value", has an unknown name, or a value that does not fit.
    """
    given = dict(_split(change) for change in changes)
    if "network" in given:
        plan = with_network(plan, given.pop("network"))
    for name, text in given.items():
        try:
            plan = replace(plan, **{name: _parse(name, text)}, reasons={**plan.reasons, name: BY_YOU})
        except ValueError as error:
            raise UsageError(f"plan line {name}={text}: {error}") from error
    if plan.size < (least := DESIGNS[plan.network].least):
        raise UsageError(f"plan line size={plan.size}: {plan.network} needs images of {least} pixels or more")
    if plan.distill and not plan.folds:
        raise UsageError("plan line distill=yes: needs folds to learn from: folds=3 or more (--folds 3)")
    return plan


def check_taken(plan: Plan) -> None:
    """Every line of the network's own that the user gave must mean something to it.

    Raises:
        UsageError: one does not; left alone it would be shown as set and change nothing.
    """
    for name in ("weights", "width", "hidden", "dropout"):
        value = getattr(plan, name)
        asked = plan.reasons.get(name) == BY_YOU and value not in (None, "auto", "none")
        if asked and not takes(plan.network, name):
            raise UsageError(f"plan line {name}={value}: {plan.network} takes no {name}; name another --network")


def with_network(plan: Plan, name: str) -> Plan:
    """The plan with another network, and what was published with it.

    Raises:
        UsageError: no such network.
    """
    if name not in NETWORKS:
        raise UsageError(f"no network '{name}'; there are: {', '.join(NETWORKS)}")
    design = DESIGNS[name]
    why = f"comes with {name}"
    changed: dict[str, Any] = dict(design.training)
    if design.size is not None:
        changed["size"] = design.size
    reasons = {**plan.reasons, **dict.fromkeys(changed, why), "network": BY_YOU}
    return replace(plan, network=name, **changed, reasons=reasons)


def for_task(plan: Plan, task: Task) -> Plan:
    """The plan with the field of view and the flips that the task file allows."""
    views: dict[str, dict[str, Any]] = {
        "whole": {"keep": 1.0, "margin": 0.0, "low": 0.5, "high": 99.5},
        "central": {"keep": 0.86, "margin": 0.0, "low": 1.0, "high": 99.0},
        "foreground": {"keep": 0.55, "margin": 0.04, "low": 0.5, "high": 99.5, "standardise": "foreground"},
    }
    why = {
        "whole": "the task file asks for the whole frame",
        "central": "the task file asks for the middle: markers, arms and collimation lie at the border",
        "foreground": "the task file asks for what is brighter than the background, at most zoomed to 55% of the frame",
    }
    changed: dict[str, Any] = {"geometry": task.geometry, **views[task.geometry]}
    changed |= {"flip_horizontal": task.flip_horizontal, "flip_vertical": task.flip_vertical}
    allowed = dict.fromkeys(("flip_horizontal", "flip_vertical"), "as the task file allows")
    return replace(plan, **changed, reasons={**plan.reasons, "geometry": why[task.geometry], **allowed})


def _split(change: str) -> tuple[str, str]:
    name, equals, value = change.partition("=")
    name = name.strip().replace("-", "_")
    if not equals:
        raise UsageError(f"plan line {change!r}: write name=value, for example epochs=20")
    if name not in LINES:
        raise UsageError(f"plan line {change!r}: no line of that name; there are: {', '.join(LINES)}")
    return name, value.strip()


def _parse(name: str, text: str) -> Any:
    """The text as the kind the line holds; raises ValueError with words for people."""
    kind = _KINDS[name]
    if "None" in kind and text.lower() in ("none", "off", ""):
        return None
    if kind == "bool":
        if text.lower() not in _YES | _NO:
            raise ValueError("say yes or no")
        return text.lower() in _YES
    if kind.startswith("tuple"):
        low, _, high = text.partition(",")
        return _number(low, float), _number(high, float)
    if kind.startswith("int"):
        return _number(text, int)
    return _number(text, float) if kind.startswith("float") else text


_YES, _NO = {"yes", "true", "on", "1"}, {"no", "false", "off", "0"}


def _number(text: str, kind: type[int | float]) -> float:
    try:
        return kind(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no {'whole number' if kind is int else 'number'}") from error


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
