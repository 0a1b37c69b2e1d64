"""Planted copies are found and named, strangers are not, and the answer does not change from run to run."""

from __future__ import annotations

import hashlib
import struct
import zipfile
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from hilum.data import copies
from hilum.data.copies import Copy, find_copies
from hilum.data.fingerprint import Fingerprints, fingerprint
from hilum.data.matching import Match
from hilum.errors import PackageDamaged
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


def filled(seed: int, side: int = 200) -> Pixels:
    """Texture up to the border, as a film has it: no foreground to hold on to when the frame is cut."""
    rng = np.random.default_rng(seed)
    texture = sum(cv2.GaussianBlur(rng.standard_normal((side, side)), (0, 0), s) * s for s in (2, 4, 7))
    return ((texture - texture.min()) / np.ptp(texture)).astype(np.float32)


@pytest.mark.parametrize("original_is_ours", [True, False])
def test_a_filled_frame_cut_by_4_percent_on_every_side_is_found(original_is_ours: bool) -> None:
    pictures = [filled(seed) for seed in range(10)]
    cut = [picture[8:-8, 8:-8] for picture in pictures]
    assert {(c.a, c.b) for c in found(pictures + cut)} == {(n, n + 10) for n in range(10)}
    ours, theirs = (Fingerprints.of(fingerprint(as_image(p)) for p in each) for each in (pictures, cut))
    matched = ours.match(theirs) if original_is_ours else theirs.match(ours)
    assert [(m.first, m.second) for m in matched] == [(n, n) for n in range(10)]


def test_a_cut_that_takes_the_frame_s_border_away_is_compared_at_one_scale() -> None:
    pictures = [picture(seed, 300) for seed in range(10)]
    for bordered in pictures:
        bordered[:4] = bordered[-4:] = bordered[:, :4] = bordered[:, -4:] = 0.3
    copies = found(pictures + [bordered[12:-12, 12:-12] for bordered in pictures])
    assert {(c.a, c.b) for c in copies if c.similarity > 0.98} == {(n, n + 10) for n in range(10)}


@pytest.mark.parametrize(("turns", "mirrored"), [(1, False), (2, False), (0, True), (1, True), (2, True)])
def test_a_turned_or_mirrored_copy_says_how_it_lies(turns: int, mirrored: bool) -> None:
    pictures = [picture(seed) for seed in range(6)]
    laid = np.rot90(pictures[2][:, ::-1] if mirrored else pictures[2], turns)
    (copy,) = found([*pictures, laid])
    assert (copy.a, copy.b, copy.kind) == (2, 6, "mirrored" if mirrored else "near")
    back = np.rot90(laid[:, ::-1] if mirrored else laid, copy.quarter_turns)
    assert np.array_equal(back, pictures[2])


def test_a_wide_margin_and_another_shape_of_the_frame_do_not_hide_a_copy() -> None:
    pictures = [picture(seed) for seed in range(6)]
    framed = cv2.resize(np.pad(pictures[4], ((30, 10), (60, 20)), constant_values=0.02), (150, 224))
    assert [(c.a, c.b) for c in found([*pictures, framed])] == [(4, 6)]


def test_blank_images_are_no_near_copies_of_one_another() -> None:
    assert found([np.full((40, 40), grey, np.float32) for grey in (0.0, 0.2, 0.9)]) == ()


def test_equal_digests_are_exact_copies_and_share_their_near_ones() -> None:
    copies = found([picture(0), picture(1), picture(0), jpeg(picture(0)), picture(0)])
    assert [(c.a, c.b) for c in copies if c.kind == "exact"] == [(0, 2), (0, 4), (2, 4)]
    assert [(c.a, c.b) for c in copies if c.kind == "near"] == [(0, 3), (2, 3), (3, 4)]


def test_the_order_of_the_images_changes_no_pair_and_no_likeness() -> None:
    """Else a split would hang on the names of the files."""
    pictures = [picture(seed) for seed in range(6)]
    pictures += [change(one) for one in pictures[:3] for change in (turned, CHANGES["cropped"])]
    names = [str(number) for number in range(len(pictures))]
    said = []
    for order in (range(len(pictures)), np.random.default_rng(0).permutation(len(pictures))):
        copies = found([pictures[i] for i in order])
        said.append({(frozenset((names[order[c.a]], names[order[c.b]])), c.kind, c.similarity) for c in copies})
    assert said[0] == said[1] != set()


def test_a_large_group_of_exact_copies_is_tied_to_its_first() -> None:
    pairs = find_copies(Fingerprints.of([fingerprint(as_image(picture(0)))] * 40), ["same"] * 40)
    assert [(c.a, c.b) for c in pairs] == [(0, n) for n in range(1, 40)]


def test_a_match_of_two_large_groups_does_not_pair_them_all() -> None:
    """As of two placeholders that differ by a letter: thousands on either side would be millions of pairs."""

    class Many(list[int]):
        def __iter__(self) -> NoReturn:
            raise AssertionError("all of them were gone through")

    match = Match(0, 1, mirrored=False, quarter_turns=0, similarity=0.97)
    ones, others = Many(range(0, 60, 2)), Many(range(1, 60, 2))
    assert list(copies._near(match, ones, others)) == [Copy(0, 1, "near", 0.97)]


def test_the_same_input_gives_the_same_pairs() -> None:
    pictures = [picture(seed) for seed in range(8)] + [turned(picture(seed)) for seed in range(8)]
    assert found(pictures) == found(pictures)


def test_a_foreign_set_is_matched(tmp_path: Path) -> None:
    ours = Fingerprints.of(fingerprint(as_image(picture(seed))) for seed in range(10))
    ours.save(tmp_path / "fingerprints.npz")
    theirs = Fingerprints.of(fingerprint(as_image(p)) for p in (picture(50), jpeg(picture(3)), picture(51)))
    (match,) = Fingerprints.load(tmp_path / "fingerprints.npz").match(theirs)
    assert (match.first, match.second, match.mirrored) == (3, 1, False)


def test_what_is_shipped_is_small_and_matches_as_before(tmp_path: Path) -> None:
    prints = Fingerprints.of(fingerprint(as_image(picture(seed))) for seed in range(60))
    prints.save(tmp_path / "fingerprints.npz")
    assert (tmp_path / "fingerprints.npz").stat().st_size < 60 * 300  # of which the archive itself is 1 KB
    shipped = Fingerprints.load(tmp_path / "fingerprints.npz")
    assert [(m.first, m.second) for m in shipped.match(prints)] == [(n, n) for n in range(60)]


def test_a_damaged_file_of_fingerprints_is_named(tmp_path: Path) -> None:
    path = tmp_path / "fingerprints.npz"
    path.write_bytes(b"PK no archive")
    with pytest.raises(PackageDamaged, match=r"fingerprints\.npz"):
        Fingerprints.load(path)


def test_damage_within_the_packed_numbers_is_named_too(tmp_path: Path) -> None:
    path = tmp_path / "fingerprints.npz"
    Fingerprints.of([fingerprint(as_image(picture(0)))]).save(path)
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("coefficients.npy").header_offset
    damaged = bytearray(path.read_bytes())
    damaged[place + 30 + sum(struct.unpack_from("<HH", damaged, place + 26))] = 0x07  # a block of a kind there is not
    path.write_bytes(damaged)
    with pytest.raises(PackageDamaged, match=r"fingerprints\.npz"):
        Fingerprints.load(path)


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_to_compare_gives_no_pairs(n: int) -> None:
    assert found([picture(seed) for seed in range(n)]) == ()


@pytest.mark.parametrize("digests", [("a", "b"), ("b", "a")])
def test_a_quarter_turn_is_told_for_the_later_of_two_whichever_was_laid_on_which(digests: tuple[str, str]) -> None:
    """Which is laid on which goes by their contents."""
    one = picture(2)
    other = np.rot90(one)
    (copy,) = find_copies(Fingerprints.of(fingerprint(as_image(p)) for p in (one, other)), digests)
    assert (copy.a, copy.b, copy.quarter_turns) == (0, 1, 3)
    assert np.array_equal(np.rot90(other, copy.quarter_turns), one)


def as_bright(pixels: Pixels, like: Pixels) -> Pixels:
    """The greys of the foreground stretched to the range of those of another picture."""
    body = like > 0.1
    (low, high), (black, white) = (np.quantile(one[body], (0.01, 0.99)) for one in (pixels, like))
    return np.where(body, (pixels - low) * (white - black) / (high - low) + black, like).astype(np.float32)


def test_what_lies_as_another_picture_lies_must_be_more_alike_to_be_its_copy() -> None:
    """So are neighbouring slices of one volume; what is as alike and was mirrored or made smaller was made from it."""
    pictures = [picture(seed) for seed in range(6)]
    alike = as_bright(0.62 * pictures[0] + 0.38 * pictures[1], pictures[0])
    for laid, pairs in ((alike, []), (alike[:, ::-1], [(0, 6)]), (CHANGES["smaller"](alike), [(0, 6)])):
        copies = found([*pictures, laid])
        assert [(c.a, c.b) for c in copies] == pairs
        assert all(0.955 < c.similarity < 0.98 for c in copies)
