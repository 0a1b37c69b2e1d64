"""Hilum: from a folder of labelled medical images to an audited, calibrated, packaged classifier."""

import os
from importlib import import_module
from typing import TYPE_CHECKING

from hilum.errors import MissingExtra

if TYPE_CHECKING:  # for editors and type checkers only: `import hilum` stays cheap
    from hilum.client.asynchronous import AsyncClient
    from hilum.client.client import Client

__version__ = "0.1.0"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when ONNX Runtime is imported, which else reports to its maker
__all__ = ["AsyncClient", "Client", "__version__"]
_LAZY = {"AsyncClient": "hilum.client.asynchronous", "Client": "hilum.client.client"}


def __getattr__(name: str) -> type:
    """The clients, opened when they are first named.

    Raises:
        MissingExtra: httpx is not installed.
    """
    if name not in _LAZY:
        raise AttributeError(f"module 'hilum' has no attribute {name!r}")
    try:
        found: type = getattr(import_module(_LAZY[name]), name)
    except ModuleNotFoundError as error:
        if error.name != "httpx":
            raise
        raise MissingExtra(f"hilum.{name}", "client") from error
    globals()[name] = found
    return found
