"""The shipped synthetic samples -> data sets for the documentation's pictures: one with copies, one to train on."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import cv2
import numpy as np

SAMPLES = Path(__file__).resolve().parents[1] / "samples"


def with_copies(folder: Path) -> Path:
    """Chest films in a split, with what an audit is to find: exact, near and mirrored copies, a leak, a conflict."""
    for path in sorted((SAMPLES / "pneumonia-cxr").glob("*.png")):
        grey, name = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), path.stem.split("-")[0]
        assert grey is not None
        _write(folder / "train" / name / path.name, grey)
        _write(folder / "test" / name / f"{path.stem} shifted.png", _moved(grey))
        _write(folder / "train" / name / f"{path.stem} mirrored.png", grey[:, ::-1])
    other = cv2.imread(str(SAMPLES / "pneumonia-cxr/normal-1.png"), cv2.IMREAD_GRAYSCALE)
    assert other is not None
    _write(folder / "train" / "pneumonia" / "copy of normal-1.png", other)
    return folder


def to_train_on(folder: Path, count: int = 160, size: int = 64) -> Path:
    """Smooth noise, every second one with a bright patch, filed as normal and pneumonia: a question that is easy."""
    random = np.random.default_rng(0)
    for i in range(count):
        grey = cv2.GaussianBlur(random.normal(110, 60, (size, size)).astype(np.float32), (0, 0), 3)
        grey = (grey - grey.mean()) / grey.std() * 30 + 110
        if i % 2:
            x, y = random.integers(12, size - 12, 2)
            cv2.circle(grey, (int(x), int(y)), 7, float(grey.max()), -1)
        name = "pneumonia" if i % 2 else "normal"
        _write(folder / name / f"{i:03}.png", np.clip(cv2.GaussianBlur(grey, (0, 0), 1.2), 0, 255).astype(np.uint8))
    return folder


def zipped(names: tuple[str, ...]) -> bytes:
    """Samples in a zip, and one file that is no image."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.write(SAMPLES / name, Path(name).name)
        archive.writestr("report.png", b"no image")
    return out.getvalue()


def _moved(grey: np.ndarray) -> np.ndarray:
    height, width = grey.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 1.5, 1.02)
    turn[:, 2] += (3, 2)
    return cv2.warpAffine(grey, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _write(path: Path, grey: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), grey)
