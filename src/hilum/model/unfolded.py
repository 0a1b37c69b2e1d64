"""A sealed graph -> a session of it, mapped from a file that holds it unfolded; made once, shared by every process.

ONNX Runtime unfolds and rearranges a graph for the processor each time it is loaded: a tenth of a second and eight
times its file in memory, in every process. The result is kept in its own format, from which a session takes the
weights where they lie. It belongs to one processor and one version of ONNX Runtime, so both stand in its name.
"""

from __future__ import annotations

import functools
import hashlib
import mmap
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

ORT_ERRORS = (
    ort_state.Fail,
    ort_state.InvalidArgument,
    ort_state.InvalidGraph,
    ort_state.InvalidProtobuf,
    ort_state.NotImplemented,
    ort_state.RuntimeException,
    RuntimeError,
    ValueError,
)
MOST = 16  # files; the oldest go first
DRAFTED = 3600  # seconds; who has not finished a file by then never will
OTHERS_MAY_WRITE = 0o022

Alike = Callable[[ort.InferenceSession, ort.InferenceSession], bool]


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where unfolded graphs are kept: a folder that only its owner may write, made when it is first needed."""

    folder: Path

    def session(
        self, graph: bytes, digest: str, options: Callable[[], ort.SessionOptions], alike: Alike
    ) -> ort.InferenceSession:
        """A session of the graph, from its unfolded file where there is a sound one; else made, and kept for the next.

        digest: sha256 of the graph, hexadecimal.
        A file is used if its content has the hash in its name and nobody but its owner, who asks, may write it. It is
        kept only if a session of it answers as the graph itself (`alike`: whether two sessions do).

        Raises:
            ORT_ERRORS: ONNX Runtime refuses the graph itself.
        """
        machine = _machine()
        if machine is None:
            return _made(graph, options())
        name = f"{digest[:32]}-{machine}"
        for file in self._sound(name):
            try:
                return _mapped(file, options())
            except ORT_ERRORS:
                file.unlink(missing_ok=True)
        return self._kept(name, graph, options, alike)

    def _sound(self, name: str) -> list[Path]:
        """The files of this name that may be used; those that are damaged are removed."""
        sound = []
        with suppress(OSError):
            for file in self.folder.glob(f"{name}-*.ort"):
                if not (_is_ours(self.folder) and _is_ours(file)):
                    continue
                if file.stem.rpartition("-")[2] == _hash(file):
                    sound.append(file)
                else:
                    file.unlink(missing_ok=True)
        return sound

    def _kept(
        self, name: str, graph: bytes, options: Callable[[], ort.SessionOptions], alike: Alike
    ) -> ort.InferenceSession:
        """A session of the graph; its unfolded form is kept where the folder takes it."""
        draft = self.folder / f".{name}-{os.urandom(4).hex()}.tmp"
        saving = options()
        saving.optimized_model_filepath = str(draft)
        saving.add_session_config_entry("session.save_model_format", "ORT")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_ours(self.folder):
                return _made(graph, options())
            draft.touch(mode=0o600)
            made = _made(graph, saving)
            mapped = _mapped(draft, options())
            if not alike(made, mapped):
                draft.unlink()
                return made
            draft.replace(self.folder / f"{name}-{_hash(draft)}.ort")
            self._prune()
            del made
            _give_back()
        except (OSError, *ORT_ERRORS):  # no place for it: the graph is opened as ever
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            return _made(graph, options())
        return mapped

    def _prune(self) -> None:
        """Remove the oldest beyond what is kept, of packages, processors or versions that are gone, and dead drafts."""
        ages = {file: file.stat().st_mtime for file in self.folder.iterdir()}
        files = sorted((file for file in ages if file.suffix == ".ort"), key=ages.__getitem__)
        dead = [file for file in ages if file.suffix == ".tmp" and ages[file] < time.time() - DRAFTED]
        for file in (*files[:-MOST], *dead):
            file.unlink(missing_ok=True)


def _made(graph: bytes, options: ort.SessionOptions) -> ort.InferenceSession:
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _mapped(file: Path, options: ort.SessionOptions) -> ort.InferenceSession:
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # it was done before
    options.add_session_config_entry("session.load_model_format", "ORT")
    options.add_session_config_entry("session.use_memory_mapped_ort_model", "1")
    options.add_session_config_entry("session.use_ort_model_bytes_for_initializers", "1")
    return ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def _give_back() -> None:
    """What unfolding took goes back to the system, which glibc does not do by itself; elsewhere nothing happens."""
    import ctypes

    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _hash(file: Path) -> str:
    """sha256 of its content, hexadecimal, the first half; nothing for an empty file."""
    with file.open("rb") as stream:
        if not os.fstat(stream.fileno()).st_size:
            return ""
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return hashlib.sha256(content).hexdigest()[:32]


def _is_ours(path: Path) -> bool:
    found = path.stat()
    return found.st_uid == os.geteuid() and not found.st_mode & OTHERS_MAY_WRITE


@functools.cache
def _machine() -> str | None:
    """What an unfolded graph depends on: processor and ONNX Runtime; None where the processor does not say."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as said:
            able = next(line for line in said if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return None
    return hashlib.sha256(f"{os.uname().machine} {ort.__version__} {able}".encode()).hexdigest()[:16]
