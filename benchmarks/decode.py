"""The shared images -> microseconds to decode one of each folder, beside Pillow's own open, convert and asarray.

Usage: python benchmarks/decode.py [--data ../shared/data] [--images 300]
The best of eight rounds of processor time, the two in turn, so that a busy machine is busy for both.
"""

from __future__ import annotations

import argparse
import io
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from hilum.image.decode import decode

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("chest-xray", "brain-mri-4class", "brain-mri-binary")


def main() -> None:
    """Print one row a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("HILUM_DATA", ROOT.parent / "shared" / "data"))
    )
    parser.add_argument("--images", type=int, default=300)
    options = parser.parse_args()
    print(f"{'folder':<20} {'images':>6} {'decode us':>10} {'Pillow uint8':>13} {'Pillow float32':>15} {'ratios':>12}")
    for folder in FOLDERS:
        paths = sorted(path for path in (options.data / folder).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
        files = [path.read_bytes() for path in paths[:: max(len(paths) // options.images, 1)]]
        if files:
            ours, bare, floats = _best(files, (_ours, _bare, _floats))
            print(
                f"{folder:<20} {len(files):>6} {ours:>10.0f} {bare:>13.0f} {floats:>15.0f}"
                f" {ours / bare:>6.2f}{ours / floats:>6.2f}"
            )


def _ours(data: bytes) -> object:
    return decode(data, name="bench")


def _bare(data: bytes) -> object:
    return np.asarray(Pillow.open(io.BytesIO(data)).convert("L"))


def _floats(data: bytes) -> object:
    return np.asarray(Pillow.open(io.BytesIO(data)).convert("L"), np.float32)


def _best(files: list[bytes], works: tuple[Callable[[bytes], object], ...]) -> list[float]:
    """Microseconds a file of each work."""
    best = [float("inf")] * len(works)
    for _ in range(8):
        for place, work in enumerate(works):
            start = time.process_time()
            for data in files:
                work(data)
            best[place] = min(best[place], (time.process_time() - start) / len(files) * 1e6)
    return best


if __name__ == "__main__":
    main()
