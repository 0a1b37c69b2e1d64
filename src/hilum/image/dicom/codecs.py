"""Encapsulated frames -> samples, by native decoders in a child process; knows no header and no meaning of a sample.

Fuzzing showed that a broken JPEG frame can end the process GDCM runs in. So each thread that meets compressed DICOM
keeps one child (`codec_process`); a frame that kills it, or holds it for too long, is a broken file and no more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.errors import UnreadableImage

MOST_SECONDS = 120.0  # for all frames of one file, the start of the child included
# -P: nothing is imported from the folder that the command was given in, which may be a stranger's data set.
_COMMAND = (sys.executable, "-P", "-m", "hilum.image.dicom.codec_process")


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be decoded: a transfer syntax, pydicom's name of the plugin, its options, the number of frames."""

    syntax: str
    plugin: str
    options: dict[str, Any]
    frames: int


def decode_apart(job: Job, pixels: bytes, name: str) -> Iterator[tuple[NDArray[Any], str]]:
    """Decode encapsulated `pixels`; each frame's samples and photometric interpretation, at most job.frames of them.

    Raises UnreadableImage where the decoder refuses, dies or takes more than MOST_SECONDS.
    """
    child = _CHILDREN.child = _own_child()
    done = False
    try:
        yield from child.frames(job, pixels)
        done = True
    except _Broken:
        done = True
        raise UnreadableImage(name, "its compressed pixels are broken: export or send the file again") from None
    except (OSError, ValueError) as error:  # the pipe broke: the child is gone
        reason = "its compressed pixels kill or stall the decoder: export or send the file again"
        raise UnreadableImage(name, reason) from error
    finally:
        if not done:  # also where the caller took fewer frames than there are
            child.close()
            _CHILDREN.child = None


def _own_child() -> _Child:
    """This thread's child, or a new one: where it has ended, or is the child of the process that forked this one."""
    child: _Child | None = getattr(_CHILDREN, "child", None)
    return child if child is not None and child.owner == os.getpid() and child.process.poll() is None else _Child()


class _Broken(Exception):
    """The decoder said no."""


class _Child:
    """One child process and the two pipes to it."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.process = subprocess.Popen(  # noqa: S603  (a constant command)
            _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def frames(self, job: Job, pixels: bytes) -> Iterator[tuple[NDArray[Any], str]]:
        alarm = threading.Timer(MOST_SECONDS, self.process.kill)
        alarm.daemon = True
        alarm.start()
        try:
            self._ask(job, pixels)
            while "end" not in (head := self._told()):
                if "broken" in head:
                    raise _Broken
                samples = np.frombuffer(self._read(head["length"]), head["dtype"]).reshape(head["shape"])
                yield samples, head["photometric"]
        finally:
            alarm.cancel()

    def _ask(self, job: Job, pixels: bytes) -> None:
        assert self.process.stdin is not None
        asked = {"syntax": job.syntax, "plugin": job.plugin, "frames": job.frames, "options": job.options}
        self.process.stdin.write(json.dumps(asked | {"length": len(pixels)}).encode() + b"\n")
        self.process.stdin.write(pixels)
        self.process.stdin.flush()

    def _told(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        head: dict[str, Any] = json.loads(self.process.stdout.readline())  # ValueError where the child is gone
        return head

    def _read(self, length: int) -> bytes:
        assert self.process.stdout is not None
        body = self.process.stdout.read(length)
        if len(body) < length:
            raise BrokenPipeError("the decoder ended within a frame")
        return body

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was not yet written has no reader any more
                    continue

    def __del__(self) -> None:
        if self.owner == os.getpid():
            self.close()


_CHILDREN = threading.local()
