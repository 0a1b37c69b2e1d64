"""The audit's statistics -> the few numbers on which a plan rests; knows no file and no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hilum.data.statistics import Statistics

DARK_STEPS = 3  # of the 64 steps of the histogram: pixels below 3/64 of the range count as background


@dataclass(frozen=True, slots=True)
class Facts:
    """The fingerprint of a data set.

    images: readable and labelled. groups: of each class; copies and one patient's images are one group.
    total: groups of all classes together; one with images of two classes counts once.
    side: 5th, 50th and 95th percentile of the shorter side in pixels. aspect: ratio of the median width to height.
    sizes: how many different sizes occur. modes: pixel modes and how often. dark: share of background pixels.
    contrast: median deviation of the pixels of an image, in [0, 1].
    shortcut: highest AUROC of a class from file size, format, border or brightness alone; the cue's name beside it.
    """

    images: int
    groups: Mapping[str, int]
    total: int
    side: tuple[float, float, float]
    aspect: float
    sizes: int
    modes: Mapping[str, int]
    dark: float
    contrast: float
    shortcut: float = 0.5
    cue: str = ""

    def __post_init__(self) -> None:
        if self.images < 1 or not self.groups or min(self.groups.values()) < 1:
            raise ValueError("a plan needs images, and a group of each class")

    @property
    def imbalance(self) -> float:
        """Groups of the largest class for each group of the smallest."""
        return max(self.groups.values()) / min(self.groups.values())

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "side": list(self.side)}


def facts_of(statistics: Statistics, shortcuts: Mapping[str, float]) -> Facts:
    """The facts of audited images; `shortcuts` as the audit reports them: cue -> AUROC."""
    whole = statistics.whole
    cue = max(shortcuts, key=lambda name: shortcuts[name], default="")
    return Facts(
        images=whole.images,
        groups={each.name: each.groups for each in statistics.classes},
        total=whole.groups,
        side=(
            min(whole.width.low, whole.height.low),
            min(whole.width.median, whole.height.median),
            min(whole.width.high, whole.height.high),
        ),
        aspect=whole.width.median / whole.height.median,
        sizes=len(whole.sizes),
        modes=dict(whole.modes),
        dark=float(sum(whole.histogram[:DARK_STEPS])),
        contrast=whole.contrast.median,
        shortcut=shortcuts.get(cue, 0.5),
        cue=cue,
    )
