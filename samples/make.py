"""The shared data -> samples/<task>/<class>-<n>.png, pictures of no real patient; `python samples/make.py [DATA]`.

Each is a blend of eight images of eight people (blend.py), the tumours painted into it (lesion.py) where blending has
washed them out. Deterministic: run twice, get the same bytes. Nothing of the data is copied: the script prints the
nearest training image and its correlation, and `hilum audit samples --against DATA` finds no copy.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from blend import SIDE, Grey, blend, likeness, members
from lesion import Lesion, paint

HERE = Path(__file__).parent
COUNT = 8  # people in one blend


@dataclass(frozen=True, slots=True)
class Recipe:
    """One sample: where it goes, whose images are blended (those most like the anchor, without it), what is painted."""

    out: str
    folder: str
    anchor: str
    apart: float  # greatest correlation between two members
    grain: float  # strength of the made texture
    lesion: Lesion | None = None


GLIOMA, MENINGIOMA, PITUITARY, NOTUMOR = (
    f"brain-mri-4class/{name}" for name in ("glioma", "meningioma", "pituitary", "notumor")
)
NORMAL, PNEUMONIA = "chest-xray/NORMAL", "chest-xray/PNEUMONIA"

RECIPES = (
    Recipe("brain-tumor-mri/glioma-1", GLIOMA, "Tr-gl_0138.jpg", 0.86, 0.25, Lesion(88, 90, 22, "ring")),
    Recipe("brain-tumor-mri/glioma-2", GLIOMA, "Tr-gl_0791.jpg", 0.86, 0.25, Lesion(78, 132, 20, "ring")),
    Recipe("brain-tumor-mri/meningioma-1", MENINGIOMA, "Tr-me_1247.jpg", 0.86, 0.25, Lesion(95, 148, 20, "solid")),
    Recipe("brain-tumor-mri/meningioma-2", MENINGIOMA, "Tr-me_0502.jpg", 0.86, 0.25, Lesion(58, 115, 20, "solid")),
    Recipe("brain-tumor-mri/pituitary-1", PITUITARY, "Tr-pi_0350.jpg", 0.88, 0.25),
    Recipe("brain-tumor-mri/pituitary-2", PITUITARY, "Tr-pi_0356.jpg", 0.88, 0.25),
    Recipe("brain-tumor-mri/notumor-1", NOTUMOR, "Tr-no_1154.jpg", 0.88, 0.12),
    Recipe("brain-tumor-mri/notumor-2", NOTUMOR, "Tr-no_0938.jpg", 0.88, 0.12),
    Recipe("brain-tumor-presence-mri/tumor-1", GLIOMA, "Tr-gl_0592.jpg", 0.86, 0.25, Lesion(90, 85, 22, "ring")),
    Recipe("brain-tumor-presence-mri/tumor-2", MENINGIOMA, "Tr-me_0934.jpg", 0.86, 0.25, Lesion(85, 78, 19, "solid")),
    Recipe("brain-tumor-presence-mri/healthy-1", NOTUMOR, "Tr-no_0223.jpg", 0.88, 0.12),
    Recipe("brain-tumor-presence-mri/healthy-2", NOTUMOR, "Tr-no_0470.jpg", 0.88, 0.12),
    Recipe("pneumonia-cxr/normal-1", NORMAL, "NORMAL2-IM-0929-0001.jpeg", 0.93, 0.25),
    Recipe("pneumonia-cxr/normal-2", NORMAL, "NORMAL2-IM-1017-0001.jpeg", 0.93, 0.25),
    Recipe("pneumonia-cxr/pneumonia-1", PNEUMONIA, "person520_bacteria_2204.jpeg", 0.93, 0.25),
    Recipe("pneumonia-cxr/pneumonia-2", PNEUMONIA, "person502_bacteria_2122.jpeg", 0.93, 0.25),
)


def main(data: Path) -> None:
    """Make every sample."""
    cv2.setNumThreads(1)
    for folder in dict.fromkeys(recipe.folder for recipe in RECIPES):
        paths = sorted(path for path in (data / folder).iterdir() if path.suffix in {".jpg", ".jpeg"})
        images = [_read(path) for path in paths]
        rows = likeness(images)
        for number, recipe in enumerate(RECIPES):
            if recipe.folder == folder:
                _make(recipe, number, paths, images, rows)


def _make(recipe: Recipe, number: int, paths: list[Path], images: list[Grey], rows: np.ndarray) -> None:
    generator = np.random.default_rng(number)
    anchor = [path.name for path in paths].index(recipe.anchor)
    people = members(rows, anchor, COUNT, recipe.apart)
    made = blend([images[person] for person in people], generator, recipe.grain)
    if recipe.lesion:
        made = paint(made, recipe.lesion, generator)
    alike = rows @ likeness([made])[0]
    out = HERE / f"{recipe.out}.png"
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), np.rint(made * 255).astype(np.uint8))
    print(f"{recipe.out}: nearest training image correlates {alike.max():.3f} ({paths[int(alike.argmax())].name})")


def _read(path: Path) -> Grey:
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
    return np.asarray(cv2.resize(pixels, (SIDE, SIDE)), dtype=np.float32)


if __name__ == "__main__":
    default = os.environ.get("HILUM_DATA", str(HERE.parents[1] / "shared" / "data"))
    main(Path(sys.argv[1] if len(sys.argv) > 1 else default))
