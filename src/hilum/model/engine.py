"""A sealed graph and prepared pixels -> logits, features and activation maps, through ONNX Runtime on a CPU."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from hilum.errors import PackageDamaged
from hilum.model.unfolded import ORT_ERRORS, Shelf

INPUT = "pixels"
OUTPUTS = ("logits", "features", "maps")


@dataclass(frozen=True, eq=False, slots=True)
class Outputs:
    """What one pass gives.

    logits: (N, C) float32. features: (N, F) float32, pooled at three depths. maps: (N, C, h, w) float32.
    """

    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    maps: NDArray[np.float32]


class Engine:
    """One loaded graph; safe to call from several threads."""

    def __init__(
        self, graph: bytes, *, size: int, threads: int = 1, shelf: Shelf | None = None, digest: str | None = None
    ) -> None:
        """Load `graph` (ONNX bytes) for inputs of side `size` with `threads` threads a pass.

        shelf: where its unfolded form is kept for the next process; None: it is unfolded anew.
        digest: sha256 of `graph`, hexadecimal, from who has checked it just now; None: it is computed where needed.

        Raises:
            PackageDamaged: the graph cannot be loaded or does not declare our inputs and outputs.
        """
        if shelf is None:
            self._session = load_session(graph, threads)
        else:
            self._session = _from_shelf(shelf, graph, digest or hashlib.sha256(graph).hexdigest(), threads, size)
        self._size = size
        inputs = {i.name: i.type for i in self._session.get_inputs()}
        outputs = {o.name for o in self._session.get_outputs()}
        if inputs != {INPUT: "tensor(uint8)"} or not outputs.issuperset(OUTPUTS):
            raise PackageDamaged(f"graph: declares {inputs} -> {sorted(outputs)}, not our inputs and outputs")

    def run(self, pixels: NDArray[np.uint8]) -> Outputs:
        """One pass over a batch.

        pixels: (N, 1, S, S) uint8 as image.prepare makes them.
        """
        expected = (1, self._size, self._size)
        if pixels.ndim != 4 or pixels.shape[1:] != expected or pixels.dtype != np.uint8:
            raise ValueError(f"pixels must be (N, 1, {self._size}, {self._size}) uint8, not {pixels.shape}")
        return Outputs(*self._session.run(OUTPUTS, {INPUT: pixels}))


def load_session(graph: bytes, threads: int) -> ort.InferenceSession:
    """An ONNX Runtime session on the CPU that never spins while idle.

    Raises:
        PackageDamaged: ONNX Runtime refuses the graph.
    """
    try:
        return ort.InferenceSession(graph, _options(threads), providers=["CPUExecutionProvider"])
    except ORT_ERRORS as error:
        raise PackageDamaged(f"graph: ONNX Runtime refuses it: {error}") from error


def _from_shelf(shelf: Shelf, graph: bytes, digest: str, threads: int, size: int) -> ort.InferenceSession:
    def alike(one: ort.InferenceSession, other: ort.InferenceSession) -> bool:
        shown = {INPUT: np.random.default_rng(0).integers(0, 256, (1, 1, size, size), dtype=np.uint8)}
        said = (session.run(OUTPUTS, shown) for session in (one, other))
        return all(np.array_equal(first, second) for first, second in zip(*said, strict=True))

    try:
        return shelf.session(graph, digest, lambda: _options(threads), alike)
    except ORT_ERRORS as error:
        raise PackageDamaged(f"graph: ONNX Runtime refuses it: {error}") from error


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # a plan for every size of batch keeps a third more memory, for no time
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
