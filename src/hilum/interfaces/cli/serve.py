"""Settings -> one process that answers over HTTP and in the browser until it is told to stop."""

from __future__ import annotations

import argparse
import sys

from hilum.errors import MissingExtra, UsageError
from hilum.settings import Settings

DESCRIPTION = "Serve the models: web application, HTTP API, Open Inference Protocol, the record of every answer."
EXAMPLES = """examples:
  hilum serve                                              http://127.0.0.1:8000, everything on this machine
  hilum serve --port 9000
  HILUM_AUTH=on hilum serve --host 0.0.0.0                 for others: with users and keys only
  HILUM_DATABASE_URL=postgresql://… HILUM_IMAGES_URL=s3://… HILUM_CACHE_URL=redis://… hilum serve"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=8000, help="port (default 8000; 0 takes a free one)")
    parser.add_argument("--log-level", default="warning", choices=("debug", "info", "warning", "error"))


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve until SIGTERM or Ctrl+C; answers who waits before it ends."""
    try:
        from hilum.interfaces.http.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("hilum"):
            raise
        raise MissingExtra("the server", "serve") from error
    if not 0 <= arguments.port <= 65535:
        raise UsageError(f"--port {arguments.port}: must be 0 to 65535")
    return serve(settings, arguments.host, arguments.port, arguments.log_level, said=sys.stderr)
