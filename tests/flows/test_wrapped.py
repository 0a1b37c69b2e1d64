"""A picture wrapped as DICOM, in every way of the design, gets the same class and probability as the picture itself."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from hilum import bootstrap
from hilum.flows.predict import Desk, File, predict_all
from hilum.flows.prediction import Prediction
from hilum.image.decode import read_image_file
from hilum.settings import read_settings
from tests.conftest import ROOT
from tests.image.made import dicom_bytes, dicom_set, encoded

FOLDERS = {
    "brain-tumor-mri": "brain-mri-4class",
    "brain-tumor-presence-mri": "brain-mri-binary",
    "pneumonia-cxr": "chest-xray",
}
MODALITY = {"brain-tumor-mri": "MR", "brain-tumor-presence-mri": "MR", "pneumonia-cxr": "DX"}
APART = 0.02  # of probability, where it is steepest: a window rounds grey values once more


class Wrap(NamedTuple):
    """view: how the header says what is black and white: "silent", "window", "narrow" (part of the range) or "lut"."""

    bits: int
    inverted: bool
    signed: bool
    rescaled: bool
    view: str

    def of(self, plane: np.ndarray, modality: str) -> bytes:
        """(H, W) uint8 -> the bytes of a DICOM file that means the same picture."""
        full = 2**self.bits - 1
        low, high = (round(0.2 * full), round(0.7 * full)) if self.view == "narrow" and self.bits > 8 else (0, full)
        values = np.round(low + plane * ((high - low) / 255.0))
        ends = (low, high)
        if self.inverted:
            values, ends = full - values, (full - high, full - low)
        offset = 2 ** (self.bits - 1) if self.signed else 0
        slope, intercept = (2.5, -1000.0) if self.rescaled else (1.0, 0.0)
        said = dicom_set((values - offset).astype(f"{'int' if self.signed else 'uint'}{8 if self.bits == 8 else 16}"))
        said.Modality, said.BitsStored, said.HighBit = modality, self.bits, self.bits - 1
        if self.inverted:
            said.PhotometricInterpretation = "MONOCHROME1"
        if self.rescaled:
            said.RescaleSlope, said.RescaleIntercept = slope, intercept
        if self.view == "lut":
            said.VOILUTSequence = Sequence([_identity(-offset, self.bits, signed=self.signed)])
        elif self.view != "silent":
            black, white = ((edge - offset) * slope + intercept for edge in ends)
            said.WindowCenter, said.WindowWidth = (black + white) / 2, white - black
            said.VOILUTFunction = "LINEAR_EXACT"
        return dicom_bytes(said)


def _identity(first: int, bits: int, *, signed: bool) -> Dataset:
    """A VOI LUT that shows every sample as it is; the first mapped value is SS where samples are signed."""
    count = 2**bits
    table = Dataset()
    table.add_new("LUTDescriptor", "SS" if signed else "US", [0 if count == 65536 else count, first, bits])
    table.add_new("LUTData", "OW", np.arange(count, dtype="<u2").tobytes())
    return table


TWO = (False, True)
WRAPS = (
    *(Wrap(*each) for each in itertools.product((8, 12, 16), TWO, TWO, TWO, ("silent", "window", "narrow"))),
    *(Wrap(*each) for each in itertools.product((8, 12), TWO, TWO, (False,), ("lut",))),
)


@pytest.fixture(scope="module", params=FOLDERS)
def desk(request: pytest.FixtureRequest) -> Desk:
    return bootstrap.desk(read_settings({}), task=request.param)


def answers(files: list[File], desk: Desk) -> list[Prediction]:
    return [found[0].prediction for found in predict_all(files, desk) if isinstance(found, tuple)]


def assert_answered_alike(path: Path, wraps: tuple[Wrap, ...], desk: Desk) -> Prediction:
    (image,) = read_image_file(path)
    plane = np.round(image.pixels * 255).astype(np.uint8)
    task = desk.speakers[0].package.task.name
    files = [File(encoded(plane, "PNG"), path.name)]
    files += [File(wrap.of(plane, MODALITY[task]), f"{path.name} as {wrap}") for wrap in wraps]
    given, *others = answers(files, desk)
    assert len(others) == len(wraps)
    for other in others:
        assert (other.label, other.refused) == (given.label, given.refused), (
            other.file,
            given.probabilities,
            other.probabilities,
        )
        for name, probability in given.probabilities.items():
            assert other.probabilities[name] == pytest.approx(probability, abs=APART), other.file
    return given


def test_every_sample_is_answered_alike_however_it_is_wrapped(desk: Desk) -> None:
    samples = sorted((ROOT / "samples" / desk.speakers[0].package.task.name).glob("*.png"))
    assert samples
    for path in samples[:4]:
        assert not assert_answered_alike(path, WRAPS, desk).refused


def test_real_images_are_answered_alike_however_they_are_wrapped(desk: Desk, real_images: Path) -> None:
    folder = real_images / FOLDERS[desk.speakers[0].package.task.name]
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    for i, path in enumerate(files[:: len(files) // 24]):
        assert_answered_alike(path, WRAPS[i % 7 :: 7], desk)
