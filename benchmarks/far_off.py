"""Pictures that no task of ours should answer about -> images by kind; none of them is ever used for training.

Photographs and pages are those that scikit-image, scikit-learn and matplotlib ship, whole and in random pieces, shown
in grey so that colour does not give them away; icons come from the desktop theme where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import skimage
import sklearn
from numpy.typing import NDArray

from hilum.errors import InputError
from hilum.image.decode import from_array, read_image_file
from hilum.image.image import Image

mpl.use("Agg")
from matplotlib import pyplot as plt

PAGES = ("page", "text", "chessboard", "logo", "color", "multipage", "no_time")
PHANTOM = "phantom"  # a drawn brain: told apart, since a brain gate may well admit it
ICONS = Path("/usr/share/icons/Adwaita/512x512")
LEAST = 64  # pixels of the short side; smaller ones are refused for their size, which proves nothing


def photographs(pieces: int = 7) -> Iterator[NDArray[np.float32]]:
    """Each photograph whole and in random pieces of 40 to 90 percent of its sides."""
    generator = np.random.default_rng(7)
    for path in _shipped():
        if any(word in path.name for word in (*PAGES, PHANTOM)):
            continue
        whole = _grey(path)
        if whole is None:
            continue
        yield whole
        for _ in range(pieces):
            sides = [int(side * generator.uniform(0.4, 0.9)) for side in whole.shape]
            corner = [
                int(generator.integers(0, side - part + 1)) for side, part in zip(whole.shape, sides, strict=True)
            ]
            if min(sides) >= LEAST:
                yield whole[corner[0] : corner[0] + sides[0], corner[1] : corner[1] + sides[1]]


def pages() -> Iterator[NDArray[np.float32]]:
    """Printed text, logos, plots and drawn icons."""
    shipped = [path for path in _shipped() if any(word in path.name for word in PAGES)]
    icons = sorted(ICONS.glob("*/*.png")) if ICONS.is_dir() else []
    for path in (*shipped, *icons):
        grey = _grey(path)
        if grey is not None:
            yield grey
    generator = np.random.default_rng(3)
    for number in range(40):
        yield _plot(number % 5, generator)


def made() -> Iterator[NDArray[np.float32]]:
    """Noise, blurred noise, boards, ramps, waves and blobs, made otherwise than those the gate was trained with."""
    generator = np.random.default_rng(11)
    for number in range(90):
        height, width = (int(side) for side in generator.integers(100, 400, 2))
        down, across = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
        kinds = (
            generator.random((height, width)),
            cv2.GaussianBlur(generator.random((height, width)), (0, 0), generator.uniform(1, 6)),
            (down // 20 + across // 20) % 2,
            down * generator.random() + across * generator.random(),
            cv2.resize(generator.random((6, 6)), (width, height), interpolation=cv2.INTER_CUBIC),
            np.abs(np.sin(down / generator.uniform(3, 40) + across / generator.uniform(3, 40))),
        )
        picture = kinds[number % len(kinds)].astype(np.float32)
        yield (picture - picture.min()) / max(float(np.ptp(picture)), 1e-6)


def dicom(folder: Path) -> Iterator[Image]:
    """The first frame of every readable DICOM file."""
    for path in sorted(folder.glob("*.dcm")):
        try:
            yield read_image_file(path)[0]
        except InputError:
            continue


def as_images(pictures: Iterator[NDArray[np.float32]]) -> list[Image]:
    """Grey pictures as images without tags."""
    return [from_array(picture, "made") for picture in pictures]


def _shipped() -> list[Path]:
    folders = (
        Path(skimage.__file__).parent / "data",
        Path(sklearn.__file__).parent / "datasets" / "images",
        Path(mpl.get_data_path()) / "sample_data",
    )
    kinds = {".png", ".jpg", ".jpeg", ".tif", ".gif"}
    return sorted(path for folder in folders for path in folder.iterdir() if path.suffix in kinds)


def _grey(path: Path) -> NDArray[np.float32] | None:
    try:
        pixels = read_image_file(path)[0].pixels
    except InputError:
        return None
    return pixels if min(pixels.shape) >= LEAST and float(pixels.std()) > 0.02 else None


def _plot(kind: int, generator: np.random.Generator) -> NDArray[np.float32]:
    figure = plt.figure(figsize=tuple(generator.uniform(2, 6, 2)))
    axes = figure.add_subplot()
    if kind == 0:
        axes.plot(generator.normal(0, 1, (50, 3)).cumsum(0))
    elif kind == 1:
        axes.imshow(generator.random((12, 12)))
    elif kind == 2:
        axes.bar(range(8), generator.random(8))
    elif kind == 3:
        axes.scatter(*generator.normal(0, 1, (2, 200)))
    else:
        axes.axis("off")
        lines = int(generator.integers(4, 14))
        axes.text(0, 0.2, "\n".join(["It was a bright cold day in April"] * lines), fontsize=generator.integers(7, 20))
    figure.canvas.draw()
    grey = np.asarray(figure.canvas.buffer_rgba())[..., :3].mean(axis=2) / 255
    plt.close(figure)
    return np.asarray(grey, dtype=np.float32)
