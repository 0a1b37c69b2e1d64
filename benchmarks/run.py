"""`make bench`: speed and memory as ratios within one run; what is slow on this machine is slow on both sides.

Usage: python benchmarks/run.py [--data ../shared/data] [--images 400] [--many 2000]
Prints one row a promise: measured ratio, the bound, and how it was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort

from hilum.image.decode import decode
from hilum.image.prepare import prepare
from hilum.model.engine import Engine
from hilum.model.package import GRAPH, Trust, digest_of, open_package

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
HILUM = [PYTHON, "-m", "hilum"]


def main() -> None:
    """Measure every promise that this machine's data allow."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # the libraries that we are measured against keep theirs
    options = _options()
    images = sorted(str(path) for path in (options.data / "brain-mri-4class").rglob("*.jpg"))[: options.images]
    if not images:
        sys.exit(f"no images under {options.data}/brain-mri-4class: set HILUM_DATA or --data")
    model = ROOT / "models" / "brain-tumor-mri"
    rows = [
        ("hilum --help / bare python", *_start_up(), 3.0),
        ("hilum predict ONE / import numpy, onnxruntime", *_one_image(images[0]), 2.0),
        ("one pass of the engine / the bare graph", *_one_pass(model), 1.2),
        ("folder prediction / decode + infer ceiling (>=)", *_folder(images, model, options.many), 0.8),
        ("memory of 10x as many images / of 1x", *_memory(images, options.many), 1.1),
        ("audit / decoding alone", *_audit(options.data / "brain-mri-4class"), 2.0),
    ]
    print(f"\n{'what':<50} {'ratio':>7} {'bound':>6}   how")
    for what, ratio, how, bound in rows:
        print(f"{what:<50} {ratio:>7.2f} {bound:>6.1f}   {how}")


def _timed(work: Callable[[], object], times: int = 7) -> float:
    """Median seconds of a call."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def _run(command: list[str], *, quiet: bool = True) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL if quiet else None, stderr=subprocess.DEVNULL)


def _start_up() -> tuple[float, str]:
    ours = _timed(lambda: _run([*HILUM, "--help"]), 15)
    bare = _timed(lambda: _run([PYTHON, "-c", "pass"]), 15)
    return ours / bare, f"{1000 * ours:.0f} ms / {1000 * bare:.0f} ms, median of 15 processes"


def _one_image(image: str) -> tuple[float, str]:
    _run([*HILUM, "predict", image])
    ours = _timed(lambda: _run([*HILUM, "predict", image]), 9)
    bare = _timed(lambda: _run([PYTHON, "-c", "import numpy, onnxruntime"]), 9)
    return ours / bare, f"{1000 * ours:.0f} ms / {1000 * bare:.0f} ms, median of 9 processes"


def _one_pass(model: Path) -> tuple[float, str]:
    package = open_package(model, Trust({digest_of(model)}))
    engine = Engine(package.read(GRAPH), size=package.preparation.size, threads=1)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    bare = ort.InferenceSession(package.read(GRAPH), options, providers=["CPUExecutionProvider"])
    side = package.preparation.size
    pixels = np.random.default_rng(0).integers(0, 255, (1, 1, side, side), dtype=np.uint8)
    for _ in range(20):
        engine.run(pixels)
        bare.run(None, {"pixels": pixels})
    ours = _timed(lambda: engine.run(pixels), 100)
    other = _timed(lambda: bare.run(None, {"pixels": pixels}), 100)
    return ours / other, f"{1000 * ours:.2f} ms / {1000 * other:.2f} ms, {package.name}, one thread, median of 100"


def _folder(images: list[str], model: Path, many: int) -> tuple[float, str]:
    """Images a second of `hilum predict` on a list, start included, against decode + prepare + infer on every core."""
    listed = (images * (many // len(images) + 1))[:many]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
        file.write("\n".join(listed))
    task = json.loads((model / "manifest.json").read_bytes())["task"]
    command = [*HILUM, "predict", "-", "--task", task, "--json"]
    start = time.perf_counter()
    with Path(file.name).open("rb") as paths:
        subprocess.run(command, stdin=paths, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    ours = many / (time.perf_counter() - start)
    package = open_package(model, Trust({digest_of(model)}))
    engine = Engine(package.read(GRAPH), size=package.preparation.size, threads=1)
    start = time.process_time()
    for path in images:
        image = decode(Path(path).read_bytes(), name=path)[0]
        engine.run(prepare(image, package.preparation)[None])
    ceiling = (os.cpu_count() or 1) * len(images) / (time.process_time() - start)
    Path(file.name).unlink()
    return (
        ours / ceiling,
        f"{ours:.0f} / {ceiling:.0f} images a second on {os.cpu_count()} cores, {many} images, gate on",
    )


def _memory(images: list[str], many: int) -> tuple[float, str]:
    small, large = (_peak(images, count) for count in (max(many // 10, 100), many))
    return large / small, f"{large / 1024:.0f} MB at {many} images / {small / 1024:.0f} MB at {max(many // 10, 100)}"


def _peak(images: list[str], count: int) -> float:
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'hilum', 'predict', '-', '--json'], stdout=subprocess.DEVNULL,"
        " stderr=subprocess.DEVNULL, check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    listed = "\n".join((images * (count // len(images) + 1))[:count])  # on stdin: one argument holds 128 kB
    said = subprocess.run([PYTHON, "-c", code], input=listed, capture_output=True, text=True, check=True).stdout
    return float(said)


def _audit(folder: Path) -> tuple[float, str]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [*HILUM, "audit", str(folder), "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    ours = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    start = time.process_time()
    paths = [path for path in folder.rglob("*") if path.is_file()]
    for path in paths:
        decode(path.read_bytes(), name=str(path))
    bare = time.process_time() - start
    return ours / bare, f"{ours:.1f} / {bare:.1f} processor seconds, {len(paths)} images, start included"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("HILUM_DATA", ROOT.parent / "shared" / "data"))
    )
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--many", type=int, default=2000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
