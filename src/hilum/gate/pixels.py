"""The pixels of one image -> reasons that plain arithmetic can give; knows no network.

All rules together cost under half a millisecond at 224 pixels. They are set so loose that no good image of the three
training sets meets one (docs/explanation/gate.md); of what kind a picture is, is left to the admission network.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.gate.reason import Reason, Reasons, inverted, unlike
from hilum.image.image import Image
from hilum.task import Task


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits of the pixel rules.

    spread: least standard deviation of the grey values, of a range of 1.
    shape: greatest ratio of long to short side. colour: greatest share of coloured pixels.
    white, black: greatest share of pixels at the end of the range, of the whole and of the box around the foreground.
    neighbours: least correlation of neighbouring pixels (0 is white noise).
    foreground: least share of pixels brighter than the background, where the task is framed by its foreground.
    corner: grey of three corners above which, if the middle is darker by `step`, such an image is inverted.
    """

    spread: float = 4 / 255
    shape: float = 3.0
    colour: float = 0.15
    white: float = 0.5
    black: float = 0.85
    neighbours: float = 0.35
    foreground: float = 0.001
    corner: float = 0.7
    step: float = 0.1


RULES = Rules()


def check_frame(image: Image, task: Task, rules: Rules = RULES) -> Reasons:
    """What makes any further look useless: too small, blank, in colour, a strip, a bright background."""
    height, width = image.pixels.shape
    if min(height, width) < task.smallest_side:
        text = f"The image is {width} x {height} pixels; its short side must be {task.smallest_side} or more."
        return (Reason("too_small", text),)
    if float(cv2.meanStdDev(image.pixels)[1].item()) < rules.spread:
        return (Reason("blank", "The image is blank: all its pixels are nearly alike."),)
    if image.colour_share > rules.colour:
        return (unlike(task, f"{image.colour_share:.0%} of it is in colour"),)
    if max(height, width) > rules.shape * min(height, width):
        return (unlike(task, f"it is a strip of {width} x {height} pixels"),)
    if task.geometry == "foreground" and _bright_around(image.pixels, rules):
        return (inverted(task),)
    return ()


def check_quality(image: Image, task: Task, rules: Rules = RULES) -> Reasons:
    """What makes an image of the right kind unreadable: cut-off grey values, noise, nothing but background."""
    pixels = image.pixels
    if _neighbours(pixels) < rules.neighbours:
        return (Reason("low_quality", f"The image is mostly noise, too much to be read as {task.image_words}."),)
    white, black, foreground = _ends(pixels)
    if white > rules.white or black > rules.black:
        return (Reason("clipped", "Most of the image is pure white or pure black: its grey values were cut off."),)
    if task.geometry == "foreground" and foreground < rules.foreground:
        return (Reason("low_quality", "Almost all of the image is background; too little is left to look at."),)
    return ()


def _bright_around(pixels: NDArray[np.float32], rules: Rules) -> bool:
    """Whether three corners (a twelfth of the short side each) are bright and brighter than the middle half."""
    height, width = pixels.shape
    part = max(2, min(height, width) // 12)
    ends = (slice(None, part), slice(-part, None))
    parts = [pixels[rows, columns] for rows in ends for columns in ends]
    dark = 0
    for corner in parts:  # two dark ones are enough, as in almost every image: spares four medians
        dark += 2 * int(np.count_nonzero(corner > rules.corner)) < corner.size
        if dark == 2:
            return False
    corners = sorted(float(np.median(corner)) for corner in parts)
    if corners[1] <= rules.corner:
        return False
    middle = pixels[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4]
    return corners[1] > float(np.median(middle)) + rules.step


def _ends(pixels: NDArray[np.float32]) -> tuple[float, float, float]:
    """Shares of white pixels in the whole, of black ones inside the foreground's box, of foreground in the whole."""
    levels = cv2.convertScaleAbs(pixels, alpha=255.0)
    top, bottom = int(levels.max()), int(levels.min())
    mask = cv2.threshold(levels, max(0.08 * top, 10.0), 1, cv2.THRESH_BINARY)[1]
    left, upper, width, height = cv2.boundingRect(mask)
    box = levels[upper : upper + height, left : left + width] if width else levels
    white = np.count_nonzero(levels >= top - 2) / levels.size
    black = np.count_nonzero(box <= bottom + 2) / box.size
    return white, black, cv2.countNonZero(mask) / levels.size


def _neighbours(pixels: NDArray[np.float32]) -> float:
    """Correlation of each pixel with its right and lower neighbour, in [-1, 1]; 1 for a flat image."""
    centred = pixels - np.float32(cv2.mean(pixels)[0])
    height, width = centred.shape
    flat = centred.ravel()  # products along whole memory: strided ones cost five times as much
    power = float(flat @ flat) / flat.size
    wrapped = float(centred[:-1, -1] @ centred[1:, 0])  # a row's last pixel times the next row's first is no neighbour
    right = (float(flat[1:] @ flat[:-1]) - wrapped) / (height * (width - 1))
    lower = float(flat[width:] @ flat[:-width]) / ((height - 1) * width)
    return (right + lower) / 2 / power if power > 0 else 1.0
