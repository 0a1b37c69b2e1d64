"""Real images -> what copy detection finds of planted copies, what it calls copies that are none, and how it scales.

Usage: python benchmarks/copies.py planted [--data ../shared/data] [--each 100] [--json F]
       python benchmarks/copies.py folders [--data ../shared/data] [--json F]
`planted` changes EACH images of every folder in every way and looks for them among all images. `folders` searches all
images for copies; films of two different children, and a chest film and a brain, are no copies whatever they look like.
How the search grows with the number of images: copies_scaling.py.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from hilum.data.copies import find_copies
from hilum.data.fingerprint import THRESHOLD, Fingerprint, Fingerprints, fingerprint
from hilum.image.decode import from_array, read_image_file

FOLDERS = ("brain-mri-4class", "brain-mri-binary", "brain-mri-csv", "chest-xray")
Pixels = NDArray[np.uint8]
Change = Callable[[Pixels, np.random.Generator], Pixels]


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Through JPEG and back."""
    return cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)


def scale(pixels: Pixels, factor: float) -> Pixels:
    """Another size."""
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=how)


def contrast(pixels: Pixels, change: float, about: float | None = None) -> Pixels:
    """Grey values stretched about their mean, or about `about`."""
    values = pixels.astype(np.float32)
    centre = values.mean() if about is None else about
    return np.clip((values - centre) * (1 + change) + centre, 0, 255).astype(np.uint8)


def brighter(pixels: Pixels, change: float) -> Pixels:
    """Grey values shifted by a share of the range."""
    return np.clip(pixels.astype(np.float32) + 255 * change, 0, 255).astype(np.uint8)


def gamma(pixels: Pixels, exponent: float) -> Pixels:
    """Grey values on a curve."""
    return (255 * (pixels / 255) ** exponent).astype(np.uint8)


def crop(pixels: Pixels, top: float, bottom: float, left: float, right: float) -> Pixels:
    """Less of the frame, in shares of its sides."""
    height, width = pixels.shape
    return pixels[int(top * height) : height - int(bottom * height), int(left * width) : width - int(right * width)]


def turn(pixels: Pixels, degrees: float, border: int = cv2.BORDER_CONSTANT) -> Pixels:
    """Turned about the middle in the same frame."""
    height, width = pixels.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    return cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=border)


def everything(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Mirrored, turned, cropped, halved, re-contrasted and saved badly, all at once."""
    changed = crop(turn(pixels[:, ::-1].copy(), rng.uniform(-5, 5)), *rng.uniform(0, 0.04, 4))
    return jpeg(contrast(scale(changed, 0.5), rng.uniform(-0.35, 0.35)), 50)


CHANGES: dict[str, Change] = {
    "exact (pixels, as PNG)": lambda p, _: p.copy(),
    "JPEG quality 50": lambda p, _: jpeg(p, 50),
    "scale 0.5": lambda p, _: scale(p, 0.5),
    "scale 0.5 to 1.5": lambda p, r: scale(p, r.uniform(0.5, 1.5)),
    "scale 1.5": lambda p, _: scale(p, 1.5),
    "contrast +35% about the mean": lambda p, _: contrast(p, 0.35),
    "contrast -35% about the mean": lambda p, _: contrast(p, -0.35),
    "contrast +35% about black": lambda p, _: contrast(p, 0.35, 0),
    "contrast -35% about black": lambda p, _: contrast(p, -0.35, 0),
    "brightness +15%": lambda p, _: brighter(p, 0.15),
    "brightness -15%": lambda p, _: brighter(p, -0.15),
    "gamma 0.7": lambda p, _: gamma(p, 0.7),
    "gamma 1.4": lambda p, _: gamma(p, 1.4),
    "mirrored": lambda p, _: p[:, ::-1].copy(),
    "crop 0 to 4% each side": lambda p, r: crop(p, *r.uniform(0, 0.04, 4)),
    "crop 4% every side": lambda p, _: crop(p, 0.04, 0.04, 0.04, 0.04),
    "crop 4% of some sides": lambda p, r: crop(p, *(0.04 * (r.random(4) < 0.5))),
    "turned up to 5 degrees": lambda p, r: turn(p, r.uniform(-5, 5)),
    "turned by 5 degrees": lambda p, r: turn(p, 5 * r.choice([-1, 1])),
    "turned by 5 degrees, border repeated": lambda p, r: turn(p, 5 * r.choice([-1, 1]), cv2.BORDER_REPLICATE),
    "upside down": lambda p, _: p[::-1].copy(),
    "quarter turn": lambda p, _: np.rot90(p).copy(),
    "half turn": lambda p, _: p[::-1, ::-1].copy(),
    "contrast, crop, JPEG 60": lambda p, r: jpeg(crop(contrast(p, r.uniform(-0.35, 0.35)), *r.uniform(0, 0.04, 4)), 60),
    "mirror, turn, crop, half size, contrast, JPEG 50": everything,
}


def main() -> None:
    """Run one of the two measurements."""
    options = _options()
    cv2.setNumThreads(1)
    measure = {"planted": planted, "folders": folders}[options.what]
    result = measure(options)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


def planted(options: argparse.Namespace) -> dict[str, object]:
    """Recall by kind of change and folder."""
    names, prints, _ = read_folders(options.data)
    place = {name: position for position, name in enumerate(names)}
    rng = np.random.default_rng(options.seed)
    chosen = [rng.choice([n for n in names if n.startswith(folder)], options.each, replace=False) for folder in FOLDERS]
    sources = [place[str(name)] for name in np.concatenate(chosen)]
    originals = [_grey(options.data / names[position]) for position in sources]
    plants = [_print(change(pixels, rng)) for change in CHANGES.values() for pixels in originals]
    start = time.process_time()
    found = np.zeros(len(plants), bool)
    for match in prints.match(Fingerprints.of(plants)):
        found[match.second] |= match.first == sources[match.second % len(sources)]
    seconds = time.process_time() - start
    table = found.reshape(len(CHANGES), len(FOLDERS), options.each)
    print(f"{len(plants)} planted among {len(names)}: {seconds:.1f} s of processor time")
    print(f"{'share found':50s} all    " + "  ".join(FOLDERS))
    for kind, row in zip(CHANGES, table, strict=True):
        print(f"{kind:50s} {row.mean():.4f} " + "  ".join(f"{share:.3f}" for share in row.mean(axis=1)))
        for at in np.flatnonzero(~row.ravel()):
            print("    missed", names[sources[at]])
    return {"threshold": THRESHOLD, "found": {k: float(r.mean()) for k, r in zip(CHANGES, table, strict=True)}}


def folders(options: argparse.Namespace) -> dict[str, object]:
    """Copies in the shared folders as they are, within and across, and pairs that cannot be copies."""
    names, prints, digests = read_folders(options.data)
    start = time.process_time()
    copies = find_copies(prints, digests)
    seconds = time.process_time() - start
    folder = np.array([name.split("/")[0] for name in names])
    kinds = {kind: sum(copy.kind == kind for copy in copies) for kind in ("exact", "near", "mirrored")}
    strangers = [c for c in copies if (folder[c.a] == "chest-xray") != (folder[c.b] == "chest-xray")]
    films = [c for c in copies if folder[c.a] == folder[c.b] == "chest-xray"]
    children = [(names[c.a], names[c.b], c.similarity) for c in films if _child(names[c.a]) != _child(names[c.b])]
    print(f"{len(names)} images, {seconds:.1f} s of processor time, pairs {kinds}")
    print(f"chest film with brain: {len(strangers)}; of {len(films)} pairs of films {len(children)} of two children")
    ties = coo_matrix((np.ones(len(copies)), ([c.a for c in copies], [c.b for c in copies])), shape=[len(names)] * 2)
    shares = _shares(folder, connected_components(ties, directed=False)[1].astype(np.int64))
    return {"kinds": kinds, "seconds": seconds, "strangers": len(strangers), "children": children, "shares": shares}


def _shares(folder: NDArray[np.str_], groups: NDArray[np.int64]) -> dict[str, dict[str, float]]:
    shares: dict[str, dict[str, float]] = {}
    size = np.bincount(groups)
    for name in FOLDERS:
        own = np.bincount(groups[folder == name], minlength=len(size))
        mine = groups[folder == name]
        shares[name] = {"groups": int((own > 0).sum()), "in a group of its folder": float((own[mine] > 1).mean())}
        for other in FOLDERS:
            theirs = np.bincount(groups[folder == other], minlength=len(size))
            if other != name:
                shares[name][f"also in {other}"] = float((theirs[mine] > 0).mean())
                shares[name][f"groups shared with {other}"] = int(((own > 0) & (theirs > 0)).sum())
        print(name, {key: round(value, 3) for key, value in shares[name].items()})
    return shares


def read_folders(data: Path) -> tuple[list[str], Fingerprints, list[str]]:
    """Names, fingerprints and digests of every image of the four folders."""
    names, prints, digests = [], [], []
    for path in _paths(data):
        names.append(str(path.relative_to(data)))
        prints.append(fingerprint(read_image_file(path)[0]))
        digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
    return names, Fingerprints.of(prints), digests


def _paths(data: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        suffixes = {".jpg", ".jpeg", ".png", ".tif"}
        yield from sorted(path for path in (data / folder).rglob("*") if path.suffix.lower() in suffixes)


def _grey(path: Path) -> Pixels:
    return np.rint(read_image_file(path)[0].pixels * 255).astype(np.uint8)


def _print(pixels: Pixels) -> Fingerprint:
    return fingerprint(from_array(np.ascontiguousarray(pixels), "planted"))


def _child(name: str) -> str:
    """The child that a film's name stands for: person123, IM-0115, NORMAL2-IM-0927."""
    found = re.search(r"(person\d+|(?:NORMAL2-)?IM-\d+)", name)
    return found.group(1) if found else name


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["planted", "folders"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--each", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
