"""A request on stdin (one JSON line, then encapsulated pixels) -> decoded frames on stdout; the child of `codecs`.

Run as a program, in a process of its own: GDCM ends the process it runs in when some broken frames make it throw.
Knows no file, no limit and no meaning of a sample.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any, BinaryIO

import numpy as np
from pydicom.pixels.decoders.base import get_decoder

from hilum.image.faults import DECODER_FAULTS


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until stdin ends.

    Request: {"syntax", "plugin", "frames", "options", "length"} and `length` bytes. Answer: a line {"shape", "dtype",
    "photometric", "length"} and `length` bytes for each frame, then {"end": true} or {"broken": true}.
    """
    while line := requests.readline():
        asked = json.loads(line)
        pixels = requests.read(asked["length"])
        try:
            _answer(asked, pixels, answers)
            _send(answers, {"end": True})
        except (*DECODER_FAULTS, MemoryError):
            _send(answers, {"broken": True})


def _answer(asked: dict[str, Any], pixels: bytes, answers: BinaryIO) -> None:
    decoder = get_decoder(asked["syntax"])
    frames = decoder.iter_array(pixels, raw=True, decoding_plugin=asked["plugin"], **asked["options"])
    for _, (samples, about) in zip(range(asked["frames"]), frames, strict=False):
        plain = np.ascontiguousarray(samples)
        head = {"shape": plain.shape, "dtype": plain.dtype.str, "photometric": str(about["photometric_interpretation"])}
        _send(answers, head | {"length": plain.nbytes}, plain.data)


def _send(answers: BinaryIO, head: dict[str, Any], body: memoryview | bytes = b"") -> None:
    answers.write(json.dumps(head).encode() + b"\n")
    answers.write(body)
    answers.flush()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve(sys.stdin.buffer, sys.stdout.buffer)
