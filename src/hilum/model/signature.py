"""A package folder and a public key -> whether a signature of that key covers the folder (model_signing, plain key)."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from hilum.errors import MissingExtra, PackageNotTrusted, UsageError

SIGNATURE = "model.sig"


def is_signed(folder: Path, key: Path | None) -> bool:
    """Whether `folder` carries a valid signature of `key` (PEM, elliptic curve).

    Raises:
        PackageNotTrusted: there is a signature and it does not fit the folder or the key.
        MissingExtra: there is a signature to check and model_signing is not installed.
    """
    if key is None or not (folder / SIGNATURE).is_file():
        return False
    verifying, hashed = _library("verifying", "checking a signature", folder)
    try:
        config = verifying.Config().use_elliptic_key_verifier(public_key=key)
        config.set_hashing_config(hashed)
        config.verify(folder, folder / SIGNATURE)
    except (ValueError, OSError) as error:
        raise PackageNotTrusted(f"{folder}: its signature does not hold: {error}") from error
    return True


def sign(folder: Path, private_key: Path) -> None:
    """Sign a package folder with a private key (PEM, elliptic curve); writes model.sig into it.

    Raises:
        MissingExtra: model_signing is not installed.
        UsageError: the key cannot be read.
    """
    signing, hashed = _library("signing", "signing", folder)
    try:
        config = signing.Config().use_elliptic_key_signer(private_key=private_key)
        config.set_hashing_config(hashed)
        config.sign(folder, folder / SIGNATURE)
    except (ValueError, OSError) as error:
        raise UsageError(f"{private_key}: cannot sign with it: {error}") from error


def _library(module: str, what: str, folder: Path) -> tuple[Any, Any]:
    """A module of model_signing, and which files of a package count: all but the signature itself."""
    try:
        found = importlib.import_module(f"model_signing.{module}")
        hashing = importlib.import_module("model_signing.hashing")
    except ModuleNotFoundError as error:
        raise MissingExtra(what, "signing") from error
    return found, hashing.Config().set_ignored_paths(paths=[folder / SIGNATURE])
