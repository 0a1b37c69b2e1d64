"""Several images of one class -> one that shows none of the people in them: average shape, average grey, made texture.

Members are registered to one another by dense optical flow, averaged in the shape that is their own average, and given
fine noise with the spectrum of what the average lost. Knows no task and no file.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

SIDE = 224
Grey = NDArray[np.float32]  # (224, 224) in [0, 1]
_ROWS, _COLUMNS = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)


def likeness(images: list[Grey]) -> NDArray[np.float32]:
    """(n, 1024) unit rows; their products are correlations of 32 x 32 thumbnails."""
    rows = np.stack([cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA).ravel() for image in images])
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def members(rows: NDArray[np.float32], anchor: int, count: int, apart: float) -> list[int]:
    """The images most like the anchor, no two of them (nor it) correlated above `apart`; the anchor is left out.

    Slices or films of one person correlate above 0.9 as a rule, so that each member is another person.
    """
    alike = rows @ rows[anchor]
    found: list[int] = []
    for candidate in np.argsort(-alike):
        near = [float(rows[candidate] @ rows[other]) for other in (anchor, *found)]
        if max(near) < apart:
            found.append(int(candidate))
        if len(found) == count:
            break
    return found


def blend(images: list[Grey], generator: Generator, grain: float) -> Grey:
    """One image between the given ones; grain: strength of the made texture, 0 to 1."""
    shares = generator.dirichlet(np.full(len(images), 8.0)).astype(np.float32)
    middle = images[0]
    for _ in range(2):
        flows = [_flow(middle, image) for image in images]
        drift = sum(share * flow for share, flow in zip(shares, flows, strict=True))
        middle = _moved(_mean(images, flows, shares), -cv2.GaussianBlur(drift, (0, 0), 4))
    flows = [_flow(middle, image) for image in images]
    mean = _mean(images, flows, shares)
    lost = [_fine(_moved(image, flow) - mean, 3) for image, flow in zip(images, flows, strict=True)]
    return np.clip(mean + 0.3 * _fine(mean, 1.5) + grain * _texture(lost, generator), 0, 1)


def _flow(fixed: Grey, moving: Grey) -> NDArray[np.float32]:
    method = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    method.setFinestScale(1)
    method.setVariationalRefinementIterations(10)
    return np.asarray(cv2.GaussianBlur(method.calc(_plain(fixed), _plain(moving), None), (0, 0), 3), dtype=np.float32)


def _plain(image: Grey) -> NDArray[np.uint8]:
    soft = cv2.GaussianBlur(image, (0, 0), 1.5)
    low, high = np.percentile(soft, (1, 99))
    return np.asarray(np.clip((soft - low) / max(high - low, 1e-6), 0, 1) * 255, dtype=np.uint8)


def _moved(image: Grey, flow: NDArray[np.float32]) -> Grey:
    where = (_COLUMNS + flow[..., 0], _ROWS + flow[..., 1])
    return np.asarray(cv2.remap(image, *where, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), dtype=np.float32)


def _mean(images: list[Grey], flows: list[NDArray[np.float32]], shares: NDArray[np.float32]) -> Grey:
    moved = [share * _moved(image, flow) for image, flow, share in zip(images, flows, shares, strict=True)]
    return np.asarray(np.sum(moved, axis=0), dtype=np.float32)


def _fine(image: Grey, sigma: float) -> Grey:
    return np.asarray(image - cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.float32)


def _texture(lost: list[Grey], generator: Generator) -> Grey:
    """Noise with the mean spectrum of what was lost, as strong in each place as that was there."""
    spectrum = np.sqrt(np.mean([np.abs(np.fft.rfft2(part)) ** 2 for part in lost], axis=0))
    phases = np.exp(2j * np.pi * generator.random(spectrum.shape))
    noise = np.fft.irfft2(spectrum * phases, s=lost[0].shape)
    local = np.sqrt(cv2.GaussianBlur(np.mean([part**2 for part in lost], axis=0), (0, 0), 6))
    return np.asarray(local * noise / max(float(noise.std()), 1e-9), dtype=np.float32)
