"""Networks by name: a configuration in, a torch module out; the table of all that can be asked for.

Each module is opened only when a network of it is built, since some need libraries that others do not.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hilum.errors import MissingExtra, UsageError

if TYPE_CHECKING:  # a server looks at the table for a wrong line of a plan, and has no room for torch
    from torch import nn

TUTORIAL = {  # what a published recipe leaves out of ours
    "optimiser": "adam",
    "learning_rate": 1e-3,
    "betas": (0.9, 0.999),
    "weight_decay": 0.0,
    "schedule": "constant",
    "warmup": 0.0,
    "label_smoothing": 0.0,
    "ema": 0.0,
    "mixup": 0.0,
    "clip": 0.0,
    "balance": False,
    "batch": 32,
    "augmentation": "light",
    "width": None,
    "hidden": None,
    "dropout": None,
}


@dataclass(frozen=True, slots=True)
class Design:
    """One network that can be asked for.

    maker: module and function under hilum.learn.networks. config: arguments fixed by the name.
    size: side in pixels it was published with; None where the plan decides. least: the smallest that leaves something
    of the picture. training: lines of the plan that come with it. words: one line for people.
    """

    maker: tuple[str, str]
    words: str
    config: Mapping[str, Any] = field(default_factory=dict)
    size: int | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    least: int = 0


def _residual(width: int, blocks: tuple[int, ...], words: str) -> Design:
    return Design(("residual", "Residual"), words, {"width": width, "blocks": blocks})


DESIGNS: dict[str, Design] = {
    "residual-s": _residual(16, (1, 1, 1, 1), "small residual network, 0.2 M parameters"),
    "residual-m": _residual(32, (1, 2, 2, 1), "residual network, 1.3 M parameters"),
    "residual-l": _residual(48, (1, 2, 2, 1), "wide residual network, 2.9 M parameters"),
    "residual": Design(("residual", "Residual"), "residual network of any width"),
    "efficientnet-lite0": Design(
        ("efficient", "EfficientLite"),
        "EfficientNet-Lite0, 3.4 M parameters, from ImageNet where weights are at hand",
        training={"batch": 32, "learning_rate": 6e-4, "weight_decay": 0.02},
    ),
    "average": Design(("average", "Average"), "several networks of one design that answer together"),
    "mixture": Design(("mixture", "Mixture"), "networks of several designs that answer together"),
    "cnn-3block": Design(
        ("tutorials", "cnn_3block"), "three convolutions with batch norm, global pooling", {}, 224, TUTORIAL
    ),
    "cnn-2block": Design(
        ("tutorials", "cnn_2block"), "two convolutions, flatten, dense, L2", {}, 150, {**TUTORIAL, "weight_decay": 2e-3}
    ),
    "cnn-4block": Design(
        ("tutorials", "cnn_4block"),
        "four convolutions, flatten, dense",
        {},
        224,
        {**TUTORIAL, "betas": (0.85, 0.9925)},
        least=133,
    ),
    "resnet50-transfer": Design(
        ("transfer", "resnet50_transfer"),
        "ResNet-50, last layers trained where weights are at hand",
        {},
        224,
        {
            **TUTORIAL,
            "schedule": "plateau",
            "plateau_factor": 0.2,
            "plateau_patience": 3,
            "patience": 5,
            "class_weights": "balanced",
        },
    ),
    "xception-transfer": Design(
        ("transfer", "xception_transfer"), "Xception, exit flow trained where weights are at hand", {}, 299, TUTORIAL
    ),
}
NETWORKS = tuple(name for name in DESIGNS if name not in ("average", "mixture"))  # those that a plan may name


def find_design(name: str) -> Design:
    """A row of the table.

    Raises:
        UsageError: there is none of that name; the message lists those there are.
    """
    if name not in DESIGNS:
        raise UsageError(f"no network '{name}'; there are: {', '.join(NETWORKS)}")
    return DESIGNS[name]


def build(name: str, config: Mapping[str, Any]) -> nn.Module:
    """A network at its start. `config` holds "classes" and any argument of the maker; see `full_config`.

    Every network has forward(pixels (N, 1, S, S), 0 to 255) -> logits (N, classes) and
    outputs(pixels) -> (logits (N, C), features (N, F), maps (N, C, h, w)).

    Raises:
        UsageError: an unknown name or argument.
        MissingExtra: a library that this network needs is not installed.
    """
    made: nn.Module = _maker(find_design(name), name)(**full_config(name, config))
    return made


def full_config(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` with everything that the name and the maker leave implicit, so that a package needs no defaults.

    Raises:
        UsageError: an argument the network does not have, or "classes" missing.
    """
    design = find_design(name)
    known = inspect.signature(_maker(design, name)).parameters
    unknown = [key for key in config if key not in known]
    if unknown or "classes" not in config:
        raise UsageError(f"{name}: takes {', '.join(known)}; got {', '.join(config) or 'nothing'}")
    implicit = {key: value.default for key, value in known.items() if value.default is not inspect.Parameter.empty}
    return {**implicit, **design.config, **config}


def takes(name: str, argument: str) -> bool:
    """Whether the network has an argument of that name, for example "size" or "hidden"."""
    return argument in inspect.signature(_maker(find_design(name), name)).parameters


def feature_widths(network: nn.Module) -> tuple[int, ...]:
    """How many features of each depth lie side by side in the feature row; together its width."""
    return tuple(int(width) for width in network.feature_widths)  # type: ignore[union-attr]


def origin(network: nn.Module) -> str:
    """Where its weights started: "random start" or "pretrained: …"."""
    return str(getattr(network, "origin", "random start"))


def parameters(network: nn.Module) -> int:
    """Number of weights, trained or not."""
    return sum(weight.numel() for weight in network.parameters())


def _maker(design: Design, name: str) -> Callable[..., nn.Module]:
    module, function = design.maker
    try:
        maker: Callable[..., nn.Module] = getattr(importlib.import_module(f"{__name__}.{module}"), function)
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the network '{name}'", "learn") from error
    return maker
