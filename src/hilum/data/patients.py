"""Cases -> cases whose patients are keyed hashes: of a table's group column, else of the DICOM Patient ID.

An identifier never leaves this file as it was; the key stays on this machine. Decodes no pixel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from typing import Any

from hilum.data.dataset import Case, Progress
from hilum.data.places.tree import DICOM_SUFFIXES, Tree, suffix_of


def with_patients(cases: Iterable[Case], tree: Tree, progress: Progress | None = None) -> tuple[Case, ...]:
    """Cases with `patient` pseudonymous; reads the header of every DICOM file that has no group yet."""
    known = list(cases)
    files = {entry.path for entry in tree.entries if is_dicom(entry.path)}
    if not any(case.patient or case.path in files for case in known):
        return tuple(known)
    key = tree.cache.key()
    for i, case in enumerate(known):
        patient = case.patient or (_headers().identifiers(tree, case.path).patient if case.path in files else None)
        if patient:
            known[i] = replace(case, patient=pseudonym(patient, key))
        if progress and i % 1000 == 999:
            progress(i + 1, len(known))
    return tuple(known)


def pseudonym(identifier: str, key: bytes) -> str:
    """A keyed hash of 64 bits (BLAKE2b, RFC 7693): the same for the same key, of no use without it."""
    return hashlib.blake2b(identifier.strip().encode(), digest_size=8, key=key).hexdigest()


def is_dicom(path: str) -> bool:
    """Whether the name of an image file says DICOM: by suffix, or by having none."""
    suffix = suffix_of(path.rpartition("/")[2])
    return suffix in DICOM_SUFFIXES or not suffix


def _headers() -> Any:
    """A late import: pydicom costs as much as all the rest together, and most data sets need none of it."""
    return import_module("hilum.data.layouts.headers")
