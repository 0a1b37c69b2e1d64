"""hf://owner/dataset[@revision] -> a tree, through Hugging Face's own client and its token.

Not covered: data sets that keep their images inside Parquet files.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError, LocalEntryNotFoundError  # type: ignore[attr-defined]

from hilum.data.dataset import Progress
from hilum.data.layouts.found import Columns
from hilum.data.places.cache import Cache
from hilum.data.places.folder import Folder
from hilum.data.places.tree import Tree
from hilum.errors import UnreadableSource

FAULTS = (HTTPError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError, ValueError)


def open_remote(
    reference: str, columns: Columns, cache: Cache, progress: Progress | None = None
) -> tuple[Tree, Columns]:
    """Download the repository (the client checks hashes and keeps revisions apart) and open its folder.

    Raises:
        UnreadableSource: the hub does not give it; the message says what its client says.
    """
    name, _, revision = reference.removeprefix("hf://").partition("@")
    name = name.removeprefix("datasets/").rstrip("/")
    try:
        with redirect_stdout(sys.stderr):  # stdout may be promised to JSON
            folder = snapshot_download(
                name, repo_type="dataset", revision=revision or None, cache_dir=cache.root / "huggingface"
            )
    except FAULTS as error:
        raise UnreadableSource(reference, f"cannot be fetched: {error}") from error
    return Folder(reference, folder, cache, progress), columns
