"""One graph, the same images: what `hilum serve` costs beside the bare graph and a minimal endpoint, in one run.

Usage: python benchmarks/serving.py [--graph G.onnx] [--images ../shared/data/brain-mri-4class] [--requests 1500]
G is any ONNX graph (N, 1, 128, 128) float32 -> (N, C) logits that ends in GlobalAveragePool, Flatten, Gemm; without it
the shipped network is taken. The package that serves it has the shipped gate: admission network, pixel rules and a
novelty reference of its own. Every image is kept and recorded; no two requests carry the same bytes, so nothing is
answered by the cache. Processor time is read from the server processes' own accounting.

Then, with the server on one core and the client on another: its capacity there, how late answers are at half of it,
and what is left of it when five times as many requests come (an open loop, load.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import aiohttp
import cv2
import numpy as np
import onnx
import onnxruntime as ort
import psutil
from load import load_of
from onnx import TensorProto, helper, numpy_helper

from hilum.image.decode import decode
from hilum.image.prepare import Preparation, prepare
from hilum.learn.novelty import Held, fit_novelty
from hilum.learn.seal import npz_bytes, write_package
from hilum.model.engine import Engine
from hilum.model.package import digest_of

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "models" / "brain-tumor-mri"
CONNECTIONS = 32
PREPARATION = Preparation(size=128)


@dataclass(frozen=True)
class Row:
    """What one server did."""

    name: str
    rate: float
    p50: float
    p99: float
    cpu: float
    memory: float


def main() -> None:
    """Measure and print the table."""
    options = _options()
    images = [path.read_bytes() for path in sorted(options.images.rglob("*.jpg"))[:200]]
    if not images:
        sys.exit(f"no JPEG under {options.images}: set --images")
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        graph = options.graph.read_bytes() if options.graph else None
        package = _package(graph, images, place) if graph else SHIPPED
        bare = _bare(graph or (SHIPPED / "model.onnx").read_bytes(), images)
        rows = [Row("bare loop", 1000 / bare, bare, bare, bare, 0)]
        if options.graph and find_spec("python_multipart") is None:
            print("no python-multipart is installed: the minimal FastAPI endpoint is left out", file=sys.stderr)
        elif options.graph:
            rows += [_minimal(options.graph, images, options.requests, place)]
        rows += _hilum(package, images, options, place)
        pressed = _pressed(package, images, options, place) if len(os.sched_getaffinity(0)) > 1 else []
    print(f"\n{'what':<36} {'req/s':>7} {'p50 ms':>7} {'p99 ms':>7} {'cpu ms':>7} {'/ bare':>7} {'PSS MB':>7}")
    for row in rows:
        waits = f"{row.rate:7.0f} {row.p50:7.1f} {row.p99:7.1f}"
        print(f"{row.name:<36} {waits} {row.cpu:7.2f} {row.cpu / bare:7.2f} {row.memory:7.0f}")
    print(f"\n{'on one core, 32 connections or an open loop':<50}")
    for line in pressed:
        print(f"  {line}")
    if options.json:
        options.json.write_text(json.dumps([vars(row) for row in rows], indent=1))


def _pressed(package: Path, images: list[bytes], options: argparse.Namespace, place: Path) -> list[str]:
    """Capacity, half of it and five times of it, with the server on the first core and this client on the second."""
    every = sorted(os.sched_getaffinity(0))
    command, env, port = _served(package, place, "pressed")
    with Serving(["taskset", "-c", str(every[0]), *command], env, port, place / "pressed.log") as process:
        os.sched_setaffinity(0, every[1:2])
        try:
            return _under_pressure(f"http://127.0.0.1:{port}/predict", images, process, options)
        finally:
            os.sched_setaffinity(0, every)


def _under_pressure(url: str, images: list[bytes], process: psutil.Process, options: argparse.Namespace) -> list[str]:
    load = partial(load_of, url, images)
    asyncio.run(load().closed(CONNECTIONS, 300))  # warm
    full = asyncio.run(load().closed(CONNECTIONS, options.requests)).goodput
    half = asyncio.run(load().run(full / 2, options.seconds))
    before = _pss(process)
    over = asyncio.run(load().run(5 * full, options.seconds))
    grown = _pss(process) / before - 1
    turned = sum(count for status, count in over.statuses.items() if status == 503)
    return [
        f"capacity {full:.0f} requests/s",
        f"half of it: p50 {half.late(0.5):.1f} ms, p99 {half.late(0.99):.1f} ms",
        f"five times it: {over.goodput:.0f}/s answered ({over.goodput / full:.0%} of capacity, aim 90%)",
        f"  {turned} of {sum(over.statuses.values())} told to come back, memory {grown:+.0%} (aim 10%)",
    ]


def _hilum(package: Path, images: list[bytes], options: argparse.Namespace, place: Path) -> list[Row]:
    """Answering threads, then a process for each core."""
    rows = []
    for workers, words in ((0, "threads"), (len(os.sched_getaffinity(0)), "processes")):
        command, env, port = _served(package, place, words)
        env["HILUM_SERVE_WORKERS"] = str(workers)
        with Serving(command, env, port, place / f"{words}.log") as process:
            ask = partial(_driven, process=process, url=f"http://127.0.0.1:{port}/predict", images=images)
            some, few = options.requests, options.requests // 4
            rows += [
                ask(f"hilum, {words}, recorded, 32 open", requests=some, open_=CONNECTIONS, fresh=True),
                ask(f"hilum, {words}, cached, 32 open", requests=some, open_=CONNECTIONS, fresh=False),
                ask(f"hilum, {words}, recorded, 1 open", requests=few, open_=1, fresh=True),
            ]
    return rows


def _served(package: Path, place: Path, name: str) -> tuple[list[str], dict[str, str], int]:
    """The command, environment and port of a server with a home of its own that serves the package."""
    home = place / name
    home.mkdir()
    digest = digest_of(package)
    (home / "pins.jsonl").write_text(json.dumps({"digest": digest, "why": "benchmark"}) + "\n")
    port = _free_port()
    models = place / "models"
    models.mkdir(exist_ok=True)
    if package.parent != models and not (models / package.name).exists():
        (models / package.name).symlink_to(package)
    env = {**os.environ, "HILUM_HOME": str(home), "HILUM_MODELS": str(models), "OMP_NUM_THREADS": "1"}
    return [sys.executable, "-m", "hilum", "serve", "--port", str(port)], env, port


def _minimal(graph: Path, images: list[bytes], requests: int, place: Path) -> Row:
    (place / "minimal.py").write_text(_MINIMAL.format(graph=str(graph.resolve())))
    port = _free_port()
    command = [sys.executable, "-m", "uvicorn", "minimal:app", "--port", str(port), "--log-level", "warning"]
    with Serving(command, dict(os.environ), port, place / "minimal.log", place) as process:
        url = f"http://127.0.0.1:{port}/predict"
        return _driven("a minimal FastAPI endpoint", process, url, images, requests, CONNECTIONS, fresh=False)


def _driven(
    name: str, process: psutil.Process, url: str, images: list[bytes], requests: int, open_: int, *, fresh: bool
) -> Row:
    asyncio.run(_drive(url, images, 200, open_, fresh=fresh, salt=1))
    before = _cpu(process)
    rate, waits = asyncio.run(_drive(url, images, requests, open_, fresh=fresh, salt=2))
    cpu = (_cpu(process) - before) / requests
    pss = _pss(process)
    return Row(name, rate, 1e3 * waits[len(waits) // 2], 1e3 * waits[int(0.99 * len(waits))], 1e3 * cpu, pss)


def _pss(process: psutil.Process) -> float:
    """Megabytes of the process tree, shared pages by their share."""
    return float(sum(one.memory_full_info().pss for one in _tree(process)) / 1e6)


async def _drive(
    url: str, images: list[bytes], count: int, open_: int, *, fresh: bool, salt: int
) -> tuple[float, list[float]]:
    waits: list[float] = []
    gate = asyncio.Semaphore(open_)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=open_)) as session:

        async def one(i: int) -> None:
            async with gate:
                data = images[i % len(images)]
                if fresh:  # bytes after the end of a JPEG: another file, the same picture
                    data += f"{salt}-{i}-{time.time_ns()}".encode()
                form = aiohttp.FormData()
                form.add_field("file", data, filename="a.jpg", content_type="image/jpeg")
                start = time.perf_counter()
                async with session.post(url, data=form) as answer:
                    said = await answer.read()
                    assert answer.status == 200, (answer.status, said[:200])
                waits.append(time.perf_counter() - start)

        start = time.perf_counter()
        await asyncio.gather(*[one(i) for i in range(count)])
        return count / (time.perf_counter() - start), sorted(waits)


def _bare(graph: bytes, images: list[bytes]) -> float:
    """Processor milliseconds an image of decode, resize and one pass on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(graph, options)
    (first,) = session.get_inputs()
    side = first.shape[-1]
    cv2.setNumThreads(0)

    def once(data: bytes) -> None:
        grey = cv2.resize(cv2.imdecode(np.frombuffer(data, np.uint8), 0), (side, side), interpolation=cv2.INTER_AREA)
        x = grey if "uint8" in first.type else (grey.astype(np.float32) / 255 - 0.5) * 2
        session.run(None, {first.name: x[None, None]})

    for data in images[:50]:
        once(data)
    took = []
    for _ in range(5):
        start = time.process_time()
        for data in images:
            once(data)
        took.append((time.process_time() - start) / len(images))
    return 1e3 * min(took)


def _package(graph: bytes, images: list[bytes], place: Path) -> Path:
    """The graph sealed with our outputs and the shipped gate."""
    sealed = _with_outputs(graph)
    engine = Engine(sealed, size=128)
    pixels = np.stack([prepare(decode(data, name="a")[0], PREPARATION) for data in images])
    outputs = engine.run(pixels)
    features, labels = outputs.features, np.arange(len(images)) % 4
    novelty = fit_novelty(features, labels, (features.shape[1],), Held(features, np.zeros(len(images), np.int64)))
    manifest = json.loads((SHIPPED / "manifest.json").read_bytes())
    files = {name: (SHIPPED / name).read_bytes() for name in manifest["files"] if name != "weights.safetensors"}
    files |= {"model.onnx": sealed, "preparation.json": json.dumps(asdict(PREPARATION)).encode()}
    files["novelty.npz"] = npz_bytes(novelty.to_arrays())
    about = {key: value for key, value in manifest.items() if key not in ("format", "files", "task")}
    folder = place / "models" / "brain-tumor-mri"
    write_package(files, {**about, "version": "bench"}, folder)
    return folder


def _with_outputs(graph: bytes) -> bytes:
    """uint8 pixels in; logits, pooled features and class maps out; the same arithmetic between."""
    model = onnx.load_from_string(graph)
    nodes = list(model.graph.node)
    pool, flat, gemm = nodes[-3:]
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    kernel = weights[gemm.input[1]]
    constants = [
        ("hilum_half", np.float32(127.5)),
        ("hilum_one", np.float32(1)),
        ("hilum_head", kernel[:, :, None, None]),
    ]
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in constants
    )
    before = [
        helper.make_node("Cast", ["pixels"], ["hilum_float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["hilum_float", "hilum_half"], ["hilum_scaled"]),
        helper.make_node("Sub", ["hilum_scaled", "hilum_one"], [model.graph.input[0].name]),
    ]
    after = [
        helper.make_node("Conv", [pool.input[0], "hilum_head", gemm.input[2]], ["maps"]),
        helper.make_node("Identity", [flat.output[0]], ["features"]),
        helper.make_node("Identity", [gemm.output[0]], ["logits"]),
    ]
    del model.graph.node[:], model.graph.input[:], model.graph.output[:], model.graph.value_info[:]
    model.graph.node.extend([*before, *nodes, *after])
    model.graph.input.append(helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 1, 128, 128]))
    classes, width = kernel.shape
    shapes = {"logits": ["n", classes], "features": ["n", width], "maps": ["n", classes, 4, 4]}
    model.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()
    )
    return bytes(model.SerializeToString())


class Serving:
    """A server process, there from its first answer to the end of the block."""

    def __init__(self, command: list[str], env: dict[str, str], port: int, log: Path, cwd: Path | None = None) -> None:
        self._log, self._port = log, port
        self._process = subprocess.Popen(command, env=env, cwd=cwd, stdout=log.open("w"), stderr=subprocess.STDOUT)

    def __enter__(self) -> psutil.Process:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return psutil.Process(self._process.pid)
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        sys.exit(f"the server did not start:\n{self._log.read_text()}")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)


def _tree(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _cpu(process: psutil.Process) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in _tree(process))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_MINIMAL = """
import cv2, numpy as np, onnxruntime as ort
from fastapi import FastAPI, UploadFile
cv2.setNumThreads(0)
o = ort.SessionOptions(); o.intra_op_num_threads = 1
s = ort.InferenceSession({graph!r}, o)
name = s.get_inputs()[0].name
app = FastAPI()
@app.post("/predict")
async def p(file: UploadFile):
    grey = cv2.imdecode(np.frombuffer(await file.read(), np.uint8), 0)
    grey = cv2.resize(grey, (128, 128), interpolation=cv2.INTER_AREA)
    return {{"y": s.run(None, {{name: ((grey.astype(np.float32) / 255 - .5) * 2)[None, None]}})[0][0].tolist()}}
"""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", type=Path)
    data = Path(os.environ.get("HILUM_DATA", "../shared/data"))
    parser.add_argument("--images", type=Path, default=data / "brain-mri-4class")
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--seconds", type=float, default=10, help="of each open loop")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
