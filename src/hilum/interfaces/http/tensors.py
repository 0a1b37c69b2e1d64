"""The body of a v2 request -> named tensors, and named tensors -> the body of the answer; knows no model and no image.

JSON as the Open Inference Protocol has it, and Triton's extension for binary tensor data: the JSON comes first, as many
bytes as the header Inference-Header-Content-Length says, then the tensors one after another, little endian.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.interfaces.http.body import read_json
from hilum.interfaces.http.problems import Problem

HEADER_LENGTH = "Inference-Header-Content-Length"
ROWS = 256  # images in one request
TENSORS = 16  # inputs, or outputs asked for
PIECE = 256 * 1024  # bytes unpacked together
NUMBERS, LISTS = 2 * 1024**2, 1024**2 + 4096  # in JSON: 25 pictures of 160 x 160 x 3; binary: HILUM_UPLOAD_BYTES
Values = Sequence[float] | Sequence[str] | Sequence[bool]


@dataclass(frozen=True, eq=False, slots=True)
class Tensor:
    """One input: BYTES as a list of strings of bytes (JSON text where it came in JSON), UINT8 as an array."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[bytes] | list[str] | NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One output that was asked for; classification: so many best classes in its place, 0: the tensor itself."""

    name: str
    classification: int = 0
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; outputs None: all of them."""

    inputs: Mapping[str, Tensor]
    outputs: tuple[Wanted, ...] | None
    id: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Output:
    """One tensor of the answer, row by row."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Values
    binary: bool = False


def plain_body(data: bytes, encoding: str, most: int, held: Callable[[int], None] = lambda _: None) -> bytes:
    """The body as it was before Content-Encoding; `held` hears how many bytes more it becomes, and may refuse them.

    Raises:
        Problem: an unknown encoding (415), a broken or cut body or one with more behind it (400), or more than `most`
            bytes (413).
    """
    encoding = encoding.lower()
    if encoding in ("", "identity"):
        return data
    if encoding not in ("gzip", "deflate"):
        raise Problem(415, "unsupported_encoding", f"Content-Encoding {encoding[:32]!r}: gzip and deflate are read")
    reader = zlib.decompressobj(zlib.MAX_WBITS | (16 if encoding == "gzip" else 0))
    pieces, size, whole = [], 0, memoryview(data)
    for start in range(0, len(whole), PIECE):
        for piece in _unpacked(reader, whole[start : start + PIECE], encoding):
            size += len(piece)
            if size > most:
                raise Problem(413, "too_large", f"unpacked, the body has more than {most:,} bytes")
            held(len(piece))
            pieces.append(piece)
        if reader.eof and (reader.unused_data or start + PIECE < len(whole)):
            break
    else:
        if reader.eof:
            return b"".join(pieces)
    raise Problem(400, "bad_encoding", f"the body is not one whole stream of {encoding}")


def _unpacked(reader: Any, packed: memoryview, encoding: str) -> Iterator[bytes]:
    """What the next bytes of a stream become, in pieces."""
    left: bytes | memoryview = packed
    try:
        while not reader.eof and (piece := reader.decompress(left, PIECE)):
            yield piece
            left = reader.unconsumed_tail
    except zlib.error as error:
        raise Problem(400, "bad_encoding", f"the body is not {encoding}: {error}") from error


def read_request(data: bytes, header_length: str | None) -> Asked:
    """The request of a body.

    Raises:
        Problem: 400 where it is not what the protocol says.
    """
    end = len(data) if header_length is None else _header_end(header_length, len(data))
    said = _object(data[:end])
    parameters = _parameters(said)
    name = said.get("id")
    if name is not None and not isinstance(name, str):
        raise _bad("'id' must be a string")
    return Asked(_inputs(said.get("inputs"), memoryview(data)[end:]), _outputs(said, parameters), name, parameters)


def write_answer(head: Mapping[str, Any], outputs: Sequence[Output]) -> tuple[bytes, dict[str, str]]:
    """Body and headers of an answer; NaN is null in JSON, and itself in a binary tensor."""
    told, raw = [], []
    for output in outputs:
        one: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": list(output.shape)}
        if output.binary:
            raw.append(_packed(output))
            one["parameters"] = {"binary_data_size": len(raw[-1])}
        else:
            one["data"] = [None if isinstance(v, float) and math.isnan(v) else v for v in output.values]
        told.append(one)
    body = json.dumps({**head, "outputs": told}, separators=(",", ":"), allow_nan=False).encode()
    if not raw:
        return body, {"Content-Type": "application/json"}
    return b"".join([body, *raw]), {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(body))}


def _packed(output: Output) -> bytes:
    if output.datatype == "BYTES":
        words = [str(value).encode() for value in output.values]
        return b"".join(len(word).to_bytes(4, "little") + word for word in words)
    kinds = {"FP32": "<f4", "BOOL": "?"}
    return np.asarray(output.values, dtype=kinds[output.datatype]).tobytes()


def _header_end(text: str, size: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) > size:
        raise _bad(f"{HEADER_LENGTH} must be the length of the JSON before the tensors")
    return int(text)


def _object(data: bytes) -> dict[str, Any]:
    said = read_json(data, NUMBERS, LISTS, ": send the tensor as binary data")
    if not isinstance(said, dict):
        raise _bad("the body must be a JSON object with 'inputs'")
    return said


def _parameters(said: Mapping[str, Any]) -> dict[str, Any]:
    found = said.get("parameters")
    if found is not None and not isinstance(found, dict):
        raise _bad("'parameters' must be an object")
    if found and "shared_memory_region" in found:  # of an input or an output
        raise _bad("shared memory is not offered here: send the tensor itself, as binary data")
    return found or {}


def _outputs(said: Mapping[str, Any], parameters: Mapping[str, Any]) -> tuple[Wanted, ...] | None:
    rows, binary = said.get("outputs"), bool(parameters.get("binary_data_output", False))
    if rows is None:
        return (Wanted("*", binary=True),) if binary else None
    if not isinstance(rows, list) or len(rows) > TENSORS:
        raise _bad(f"'outputs' must be a list of at most {TENSORS}")
    return tuple(_wanted(row, binary=binary) for row in rows) or None


def _wanted(row: Any, *, binary: bool) -> Wanted:
    if not isinstance(row, dict) or not isinstance(row.get("name"), str):
        raise _bad("an output needs a 'name'")
    if row["name"] == "*":  # ours: what is asked for by `binary_data_output` alone
        raise _bad("no output '*'")
    said = _parameters(row)
    best = said.get("classification", 0)
    if isinstance(best, bool) or not isinstance(best, int) or not 0 <= best <= ROWS:
        raise _bad(f"classification must be a number of classes, not {best!r:.40}")
    return Wanted(row["name"], best, bool(said.get("binary_data", binary)))


def _inputs(rows: Any, raw: memoryview) -> dict[str, Tensor]:
    if not isinstance(rows, list) or not 0 < len(rows) <= TENSORS:
        raise _bad(f"'inputs' must be a list of 1 to {TENSORS} tensors")
    found: dict[str, Tensor] = {}
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("name"), str):
            raise _bad("an input needs a 'name'")
        if row["name"] in found:
            raise _bad(f"the input {row['name'][:40]!r} stands there twice")
        said = _parameters(row)
        size = said.get("binary_data_size")
        if size is None:
            found[row["name"]] = _tensor(row, None)
            continue
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(raw):
            raise _bad("binary_data_size is not the size of what follows the JSON")
        found[row["name"]], raw = _tensor(row, raw[:size]), raw[size:]
    if len(raw):
        raise _bad(f"{len(raw)} bytes follow that belong to no input")
    return found


def _tensor(row: Mapping[str, Any], raw: memoryview | None) -> Tensor:
    name, datatype, shape = row["name"], row.get("datatype"), row.get("shape")
    if datatype not in ("BYTES", "UINT8"):
        raise _bad(f"{name[:40]!r}: datatype {datatype!r:.40}; BYTES and UINT8 are read here")
    if (
        not isinstance(shape, list)
        or not 0 < len(shape) <= 8
        or not all(isinstance(side, int) and not isinstance(side, bool) and 0 < side < 2**31 for side in shape)
    ):
        raise _bad(f"{name[:40]!r}: 'shape' must be a list of numbers above 0")
    data: list[bytes] | list[str] | NDArray[np.uint8]
    if datatype == "BYTES":
        data = _strings(name, row.get("data")) if raw is None else _split(name, raw)
    else:
        data = _numbers(name, row.get("data")) if raw is None else np.frombuffer(raw, np.uint8)
    if len(data) != math.prod(shape):
        raise _bad(f"{name[:40]!r}: {len(data)} values do not fit the shape {shape}")
    return Tensor(name, datatype, tuple(shape), data)


def _strings(name: str, data: Any) -> list[str]:
    """Strings of a flat or nested list."""
    found: list[str] = []
    left = [data]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left.extend(reversed(one))
        elif isinstance(one, str):
            found.append(one)
        else:
            raise _bad(f"{name[:40]!r}: 'data' of BYTES must be strings")
    return found


def _split(name: str, raw: memoryview) -> list[bytes]:
    """Each string after its length, 4 bytes, little endian; a tensor of empty ones holds millions."""
    found: list[bytes] = []
    at = 0
    while at < len(raw):
        if len(found) == ROWS:
            raise Problem(413, "too_many_files", f"more than {ROWS} images in one request")
        size = int.from_bytes(raw[at : at + 4], "little")
        if at + 4 + size > len(raw):
            raise _bad(f"{name[:40]!r}: a length goes beyond the tensor")
        found.append(bytes(raw[at + 4 : at + 4 + size]))
        at += 4 + size
    return found


def _numbers(name: str, data: Any) -> NDArray[np.uint8]:
    try:
        flat = np.asarray(data, dtype=object).ravel()  # else one long text among numbers makes every cell as wide
        return np.frombuffer(bytes(flat.tolist()), np.uint8)
    except (TypeError, ValueError) as error:
        raise _bad(f"{name[:40]!r}: 'data' of UINT8 must be whole numbers from 0 to 255 in rows alike") from error


def _bad(detail: str) -> Problem:
    return Problem(400, "bad_request", detail)
