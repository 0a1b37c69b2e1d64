"""Planted copies are found and named, strangers are not, and the answer does not change from run to run."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from hilum.data.copies import Copy, find_copies, group_copies
from hilum.data.fingerprint import Fingerprints, fingerprint
from hilum.image.image import Image, Metadata

Pixels = NDArray[np.float32]


def picture(seed: int, side: int = 160) -> Pixels:
    """A bright textured disc on black: no two seeds share any structure but the disc."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    disc = (x / 0.7) ** 2 + (y / 0.85) ** 2 < 1
    texture = sum(cv2.GaussianBlur(rng.standard_normal((side, side)), (0, 0), s) * s for s in (3, 6, 12))
    texture = (texture - texture.min()) / np.ptp(texture)
    return np.where(disc, 0.25 + 0.6 * texture, 0.02).astype(np.float32)


def as_image(pixels: Pixels) -> Image:
    height, width = pixels.shape
    return Image(np.ascontiguousarray(pixels, np.float32), Metadata("ARRAY", "F", 32, width, height))


def jpeg(pixels: Pixels) -> Pixels:
    coded = cv2.imencode(".jpg", np.uint8(pixels * 255), [cv2.IMWRITE_JPEG_QUALITY, 50])[1]
    return cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255


def turned(pixels: Pixels) -> Pixels:
    side = pixels.shape[0]
    return cv2.warpAffine(pixels, cv2.getRotationMatrix2D((side / 2, side / 2), 4, 1), (side, side))


CHANGES = {
    "jpeg": jpeg,
    "smaller": lambda p: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "larger": lambda p: cv2.resize(p, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC),
    "more contrast": lambda p: np.clip((p - p.mean()) * 1.35 + p.mean(), 0, 1),
    "less contrast": lambda p: (p - p.mean()) * 0.65 + p.mean(),
    "cropped": lambda p: p[6:, 3:-5],
    "rotated": turned,
    "mirrored": lambda p: p[:, ::-1],
}


def found(pixels: list[Pixels]) -> tuple[Copy, ...]:
    prints = Fingerprints.of(fingerprint(as_image(p)) for p in pixels)
    return find_copies(prints, [hashlib.sha256(np.ascontiguousarray(p)).hexdigest() for p in pixels])


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_among_strangers(change: str) -> None:
    strangers = [picture(seed) for seed in range(20)]
    copies = found([*strangers, CHANGES[change](strangers[7])])
    assert [(c.a, c.b) for c in copies] == [(7, 20)]
    assert copies[0].kind == ("mirrored" if change == "mirrored" else "near")


def test_equal_digests_are_exact_copies_of_the_first() -> None:
    pictures = [picture(0), picture(1), picture(0), picture(0)]
    assert [(c.a, c.b, c.kind, c.similarity) for c in found(pictures)] == [(0, 2, "exact", 1.0), (0, 3, "exact", 1.0)]


def test_groups_tie_what_is_tied_through_others() -> None:
    copies = (Copy(0, 3, "exact", 1.0), Copy(3, 4, "near", 0.95), Copy(1, 2, "near", 0.91))
    assert group_copies(6, copies).tolist() == [0, 1, 1, 0, 0, 2]
    assert group_copies(6, copies, threshold=0.93).tolist() == [0, 1, 2, 0, 0, 3]


def test_the_same_input_gives_the_same_pairs() -> None:
    pictures = [picture(seed) for seed in range(8)] + [turned(picture(seed)) for seed in range(8)]
    assert found(pictures) == found(pictures)


def test_a_foreign_set_is_matched(tmp_path) -> None:
    ours = Fingerprints.of(fingerprint(as_image(picture(seed))) for seed in range(10))
    ours.save(tmp_path / "fingerprints.npz")
    theirs = Fingerprints.of(fingerprint(as_image(p)) for p in (picture(50), jpeg(picture(3)), picture(51)))
    (match,) = Fingerprints.load(tmp_path / "fingerprints.npz").match(theirs)
    assert (match.first, match.second, match.mirrored) == (3, 1, False)


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_to_compare_gives_no_pairs(n: int) -> None:
    assert found([picture(seed) for seed in range(n)]) == ()
