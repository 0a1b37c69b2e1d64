"""Real fingerprints, repeated and perturbed N times -> time, memory and recall of the copy search by number of images.

Usage: python benchmarks/copies_scaling.py --images 10000 30000 100000 [--data ../shared/data] [--json F]
Nine of ten images are blends of two real ones, turned, shifted and re-contrasted at random: no copies, but as alike as
real pictures are. One of ten is a planted copy of one of them, turned by up to 5 degrees and shifted by up to 4%.
Memory is told twice: what the process holds for itself, and with the mapped pages that the system takes back when it
needs them. Sizes run one after the other in processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from copies import read_folders
from numpy.typing import NDArray

from hilum.data.align import warp
from hilum.data.copies import find_copies
from hilum.data.fingerprint import Fingerprints
from hilum.data.shelf import shelf

CHUNK = 4096
PLANTED = 0.1  # share of the images


def main() -> None:
    """One size here, several in processes of their own."""
    options = _options()
    if len(options.images) > 1:
        rows = [_apart(size, options) for size in options.images]
    else:
        rows = [measured(options.images[0], options)]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    if len(rows) > 1:
        sizes, seconds = (np.log([row[key] for row in rows]) for key in ("images", "processor_s"))
        print(f"processor time grows as the number of images to the power {np.polyfit(sizes, seconds, 1)[0]:.2f}")


def _apart(size: int, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--images", str(size), "--data", str(options.data)]
    command += ["--cache", str(options.cache)] if options.cache else []
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(said, end="", flush=True)
    row: dict[str, float] = json.loads(said.splitlines()[-1])
    return row


def measured(size: int, options: argparse.Namespace) -> dict[str, float]:
    """Make the images, search them, and print what it took."""
    cv2.setNumThreads(1)
    prints, planted = _made(_real(options), size, np.random.default_rng(0))
    peak = Peak()
    before, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    copies = find_copies(prints, [str(number) for number in range(size)], progress=_told())
    after = resource.getrusage(resource.RUSAGE_SELF)
    ties = {(copy.a, copy.b) for copy in copies}
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    row = {
        "images": size,
        "processor_s": round(used, 1),
        "wall_s": round(time.perf_counter() - wall, 1),
        "ms_an_image": round(1000 * used / size, 3),
        "pairs": len(copies),
        "planted": len(planted),
        "planted_found": round(sum(pair in ties for pair in planted) / max(len(planted), 1), 4),
        "own_memory_gb": round(peak.stop(), 2),
        "memory_with_mapped_gb": round(after.ru_maxrss / 2**20, 2),
    }
    print(json.dumps(row), flush=True)
    return row


def _told() -> Callable[[int, int], None]:
    """Tells on stderr how far it is, ten times."""
    told = 0

    def progress(done: int, pairs: int) -> None:
        nonlocal told
        if done * 10 >= told * pairs:
            told += 1
            print(
                f"{done} of {pairs} pairs, {time.process_time():.0f} s of processor time", file=sys.stderr, flush=True
            )

    return progress


class Peak:
    """The most memory that the process held for itself while this watched (Linux; else 0)."""

    def __init__(self) -> None:
        self._most, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """In GB."""
        self._over.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        status = Path("/proc/self/status")
        while not self._over.wait(0.5):
            lines = status.read_text().splitlines() if status.exists() else []
            now = [int(line.split()[1]) / 2**20 for line in lines if line.startswith("RssAnon")]
            self._most = max([self._most, *now])


def _real(options: argparse.Namespace) -> Fingerprints:
    """Of the shared folders, read once and kept beside the results of this user."""
    if options.cache and options.cache.is_file():
        with np.load(options.cache) as kept:
            return Fingerprints(kept["thumbs"], kept["frames"], kept["boxes"])
    _, real, _ = read_folders(options.data)
    if options.cache:
        np.savez(options.cache, thumbs=real.thumbs, frames=real.frames, boxes=real.boxes)
    return real


def _made(real: Fingerprints, size: int, rng: np.random.Generator) -> tuple[Fingerprints, list[tuple[int, int]]]:
    """Fingerprints, and the pairs (original, copy) that were planted among them."""
    thumbs, frames = shelf((size, 64, 64), np.uint8), shelf((size, 16, 16), np.uint8)
    boxes, planted = np.empty((size, 8), np.float32), []
    for start in range(0, size, CHUNK):
        n = min(CHUNK, size - start)
        fresh = n - int(PLANTED * n)
        one, other = rng.integers(len(real), size=(2, fresh))
        share = rng.uniform(0.4, 0.8, fresh).astype(np.float32)[:, None, None]
        new = slice(start, start + fresh)
        thumbs[new] = _moved(real.thumbs[one] * share + real.thumbs[other] * (1 - share), rng)
        frames[new] = real.frames[one] * share + real.frames[other] * (1 - share)
        boxes[new] = real.boxes[one]
        source = start + rng.choice(fresh, n - fresh, replace=False)
        copy = slice(start + fresh, start + n)
        thumbs[copy] = _moved(thumbs[source].astype(np.float32), rng)
        frames[copy], boxes[copy] = frames[source], boxes[source]
        planted += zip(source.tolist(), range(copy.start, copy.stop), strict=True)
    return Fingerprints(thumbs, frames, boxes), planted


def _moved(images: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Turned by up to 5 degrees, shifted by up to 4% of the half side, on another curve of greys."""
    n = len(images)
    maps = np.zeros((n, 2, 3), np.float32)
    angle = np.deg2rad(rng.uniform(-5, 5, n))
    maps[:, 0, 0] = maps[:, 1, 1] = np.cos(angle)
    maps[:, 0, 1], maps[:, 1, 0] = -np.sin(angle), np.sin(angle)
    maps[:, :, 2] = rng.uniform(-0.04, 0.04, (n, 2))
    values = warp(np.asarray(images, np.float32), maps)[0].reshape(n, 64, 64)
    gamma = np.exp(rng.uniform(-0.2, 0.2, (n, 1, 1))).astype(np.float32)
    return np.asarray(255 * (np.clip(values, 0, 255) / 255) ** gamma, np.float32)


def _options() -> argparse.Namespace:
    data = Path(os.environ.get("HILUM_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--cache", type=Path, help="keep the real fingerprints in this file (.npz)")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
