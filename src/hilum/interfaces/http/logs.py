"""Log records of every library -> JSON lines on stderr, without the words of errors, which may name a person."""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType
from typing import TextIO

import structlog

Fault = tuple[type[BaseException], BaseException, TracebackType | None]


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send what the process logs, from `level` up, to `stream` (stderr)."""
    shared = (
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.ExceptionRenderer(where),
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True


def where(exc_info: Fault) -> str:
    """The kinds of an error and its causes and the lines they came from; never their words, which may name a file."""
    kind, error, trace = exc_info
    lines = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = [] if cause is None else [where((type(cause), cause, cause.__traceback__)), "then"]
    return "\n".join([*before, kind.__qualname__, *lines])
