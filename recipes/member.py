"""What one member of a shipped mixture is: a network by name, its input side and how it is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from hilum.learn.networks import origin, takes
from hilum.learn.settings import TrainSettings
from hilum.learn.train import TrainedNetwork


@dataclass(frozen=True, slots=True)
class Member:
    """One member.

    folder: where it is kept while the others are made. name, config: as networks.build takes them, without classes.
    side: of its input in pixels. refining: a few calm epochs afterwards, where there are any.
    """

    folder: str
    name: str
    config: Mapping[str, Any]
    side: int
    settings: TrainSettings
    refining: TrainSettings | None = None
    seed: int = 0

    def served(self) -> dict[str, Any]:
        """The configuration of a trained one: it looks for no published weights."""
        return {**self.config, "weights": "none"} if takes(self.name, "weights") else dict(self.config)


def notes_of(member: Member, results: Sequence[TrainedNetwork], network: nn.Module) -> dict[str, Any]:
    """What the card says about its training."""
    later = member.refining.epochs if member.refining else 0
    return {
        "start": origin(network),
        "epochs": member.settings.epochs + later,
        "seconds": round(sum(result.seconds for result in results)),
        "computing": round(results[0].computing, 3),
        "seed": member.seed,
    }
