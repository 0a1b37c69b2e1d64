"""How strongly training images are varied, as one frozen value; knows no image and not what varies them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AugmentPolicy:
    """How strongly to vary; a chance or an amount of 0 turns a change off.

    rotate: degrees; scale, stretch: largest factor (and its inverse) of zoom and of width against height;
    shift: share of the side; flip, flip_vertical: chance; fill: what lies outside, "zeros" or "border".
    gamma: largest |log| of the exponent; curve: chance of a random monotone tone curve; match: chance of taking over
    the histogram of another image of the batch; equalise: chance of CLAHE; contrast: largest |log| of a gain.
    bias: chance of a smooth brightness field; spectrum: chance of another image's lowest spatial frequencies.
    soften: chance of blurring or sharpening; shrink: chance of losing resolution; jpeg: chance of compression;
    noise: largest deviation, of 255; frame: chance of filling the borders; erase: chance of filling a rectangle.
    """

    rotate: float = 15.0
    scale: float = 1.2
    stretch: float = 1.1
    shift: float = 0.06
    flip: float = 0.5
    flip_vertical: float = 0.0
    fill: str = "zeros"
    gamma: float = 0.4
    contrast: float = 0.2
    curve: float = 0.3
    match: float = 0.0
    equalise: float = 0.0
    bias: float = 0.2
    spectrum: float = 0.0
    soften: float = 0.3
    shrink: float = 0.2
    jpeg: float = 0.2
    noise: float = 6.0
    frame: float = 0.0
    erase: float = 0.2


NONE = AugmentPolicy(
    rotate=0, scale=1, stretch=1, shift=0, flip=0, gamma=0, contrast=0, curve=0, bias=0, soften=0, shrink=0, jpeg=0,
    noise=0, erase=0,
)  # fmt: skip
