"""kaggle://owner/dataset[/versions/N] -> a tree, through Kaggle's own client, its credentials and its cache."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout

import requests

from hilum.data.dataset import Progress
from hilum.data.layouts.found import Columns
from hilum.data.places.cache import Cache
from hilum.data.places.folder import Folder
from hilum.data.places.tree import Tree
from hilum.errors import UnreadableSource

with redirect_stdout(sys.stderr):  # it logs to whatever stdout is now, and stdout may be promised to JSON
    import kagglehub
    from kagglehub import exceptions

FAULTS = (
    exceptions.KaggleApiHTTPError,
    exceptions.UnauthenticatedError,
    exceptions.CredentialError,
    exceptions.DataCorruptionError,
    exceptions.BackendError,
    exceptions.NotFoundError,
    requests.exceptions.RequestException,
    OSError,
    ValueError,
)


def open_remote(
    reference: str, columns: Columns, cache: Cache, progress: Progress | None = None
) -> tuple[Tree, Columns]:
    """Download the data set (the client checks its MD5 and keeps versions apart) and open its folder.

    Raises:
        UnreadableSource: Kaggle does not give it; the message says what its client says.
    """
    try:
        with redirect_stdout(sys.stderr):
            folder = kagglehub.dataset_download(reference.removeprefix("kaggle://"))
    except FAULTS as error:
        raise UnreadableSource(reference, f"cannot be fetched: {error}") from error
    return Folder(reference, folder, cache, progress), columns
