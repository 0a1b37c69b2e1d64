"""A package folder and a public key -> whether a signature of that key covers the folder (model_signing, plain key)."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from hilum.errors import MissingExtra, PackageNotTrusted, UsageError

SIGNATURE = "model.sig"
# A stranger wrote the file, and the library looks at its shape no further than it needs
STUMBLES = (AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError)


def is_signed(folder: Path, key: Path | None) -> bool:
    """Whether `folder` carries a valid signature of `key` (PEM, elliptic curve).

    Raises:
        PackageNotTrusted: there is a signature and it does not fit the folder or the key.
        MissingExtra: there is a signature to check and model_signing is not installed.
    """
    if key is None or not (folder / SIGNATURE).is_file():
        return False
    verifying, hashed = _library("verifying", "checking a signature")
    whole = folder.resolve()  # the folder may be reached by a link, what it holds may not
    try:
        config = verifying.Config().use_elliptic_key_verifier(public_key=key)
        config.set_hashing_config(hashed)
        config.verify(whole, whole / SIGNATURE)
    except (*STUMBLES, importlib.import_module("cryptography.exceptions").InvalidSignature) as error:
        why = str(error) or type(error).__name__
        raise PackageNotTrusted(f"{folder}: its signature does not hold: {why}") from error
    return True


def sign(folder: Path, private_key: Path) -> None:
    """Sign a package folder with a private key (PEM, elliptic curve); writes model.sig into it.

    Raises:
        MissingExtra: model_signing is not installed.
        UsageError: the key cannot be read, is hidden behind a passphrase, or is of another kind.
    """
    signing, hashed = _library("signing", "signing")
    whole = folder.resolve()
    try:
        config = signing.Config().use_elliptic_key_signer(private_key=private_key)
        config.set_hashing_config(hashed)
        config.sign(whole, whole / SIGNATURE)
    except (AttributeError, OSError, TypeError, ValueError) as error:  # an RSA key has no curve, a hidden one no bytes
        needed = "a private key without a passphrase, on P-256, P-384 or P-521, is needed"
        raise UsageError(f"{private_key}: cannot sign with it: {error} ({needed})") from error


def _library(module: str, what: str) -> tuple[Any, Any]:
    """A module of model_signing, and which files of a package count: all but the signature itself."""
    try:
        found = importlib.import_module(f"model_signing.{module}")
        hashing = importlib.import_module("model_signing.hashing")
    except ModuleNotFoundError as error:
        raise MissingExtra(what, "signing") from error
    return found, hashing.Config().set_ignored_paths(paths=[SIGNATURE])  # as seen from the folder
