"""Keys and bytes -> objects of a bucket (s3://, gs://, az://) or of this process's memory (memory://).

Credentials come from where the provider's own tools look for them. Objects lie at PREFIX/<two letters>/<key>; a
bucket with versions keeps what is deleted until its own rules remove it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from hilum.errors import MissingExtra, StorageError, UsageError
from hilum.storage.shelf import NONE, is_key

try:
    import obstore
    from obstore.exceptions import BaseError, NotFoundError
    from obstore.store import from_url
except ModuleNotFoundError as error:
    raise MissingExtra("images in a bucket", "serve") from error

TRIAL = "is-it-taken"  # an empty object beside the images
AT_ONCE = 16  # objects on their way at the same time
PATIENCE = 10.0  # seconds that an object waits while none is taken: a bucket that swallows them keeps each for twenty
# allow_http: for an endpoint that the operator names as http://; without one every provider's address is https.
_CLIENT: Any = {"timeout": timedelta(seconds=20), "connect_timeout": timedelta(seconds=5), "allow_http": True}
_RETRY: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}


class BucketShelf:
    """A prefix of a bucket."""

    def __init__(self, store: Any) -> None:
        """Wrap an object store."""
        self._store = store
        self._takes = False  # whether the last thing put was taken
        self._taken_at = -math.inf  # when one was taken last
        self._pool = ThreadPoolExecutor(AT_ONCE, "hilum-images")

    def kept_at(self, key: str) -> float | None:
        """When the key was last put (seconds since 1970), None where it is not kept."""
        try:
            return float(obstore.head(self._store, _path(key))["last_modified"].timestamp())
        except (NotFoundError, FileNotFoundError):
            return None
        except BaseError as error:
            raise _failure("looked for", error) from error

    def look(self) -> None:
        """Raises StorageError where nothing is read or, as a trial shows after a start or a failure, nothing taken."""
        self.kept_at(NONE)
        if not self._takes:
            self._send(TRIAL, b"")

    def keep(self, key: str, data: bytes, fresh: float) -> Future[None]:
        """Resolved once the bucket has the bytes; what was put less than `fresh` seconds ago is not put again.

        It fails where its turn does not come and nothing else was taken within PATIENCE: where the bucket swallows
        what is sent, many who wait do not wait for one another; where it is slow, they do.
        """
        try:
            return self._pool.submit(self._put, key, data, fresh, time.monotonic())
        except RuntimeError as error:  # closed
            done: Future[None] = Future()
            done.set_exception(StorageError(f"an image cannot be kept ({error})"))
            return done

    def get(self, key: str) -> bytes | None:
        """The bytes, None where there are none."""
        try:
            return bytes(obstore.get(self._store, _path(key)).bytes())
        except (NotFoundError, FileNotFoundError):
            return None
        except BaseError as error:
            raise _failure("read", error) from error

    def delete(self, keys: Sequence[str], before: float) -> None:
        """Remove what was last put before a moment."""
        try:
            for key in keys:
                at = self.kept_at(key)
                if at is not None and at <= before:
                    obstore.delete(self._store, _path(key))
        except BaseError as error:
            raise _failure("erased", error) from error

    def sweep(self, before: float) -> int:
        """Nothing: an object is there whole or not at all."""
        del before
        return 0

    def keys(self) -> Iterator[str]:
        """Every key, in no order; what else lies there is none."""
        try:
            for part in obstore.list(self._store):
                yield from filter(is_key, (str(meta["path"]).rsplit("/", 1)[-1] for meta in part))
        except BaseError as error:
            raise _failure("listed", error) from error

    def close(self) -> None:
        """Finish what waits."""
        self._pool.shutdown()

    def _put(self, key: str, data: bytes, fresh: float, since: float) -> None:
        if time.monotonic() - max(since, self._taken_at) > PATIENCE:
            raise StorageError("an image cannot be kept (the bucket is slow or away: it waited too long for its turn)")
        at = self.kept_at(key)
        if at is not None and time.time() - at < fresh:
            self._taken_at = time.monotonic()
            return
        self._send(_path(key), data)

    def _send(self, path: str, data: bytes) -> None:
        try:
            obstore.put(self._store, path, data)
        except BaseError as error:
            self._takes = False
            raise _failure("kept", error) from error
        self._takes, self._taken_at = True, time.monotonic()


def open_bucket(url: str) -> BucketShelf:
    """Open a prefix of a bucket.

    Raises:
        UsageError: the address or the provider's settings cannot be used.
    """
    if url.startswith("memory://"):
        return BucketShelf(from_url("memory:///"))
    try:
        return BucketShelf(from_url(url, client_options=_CLIENT, retry_config=_RETRY))
    except (BaseError, ValueError) as error:
        raise UsageError(f"HILUM_IMAGES_URL={url.partition('?')[0]}: {_words(error)}") from error


def _path(key: str) -> str:
    return f"{key[:2]}/{key}"


def _failure(what: str, error: Exception) -> StorageError:
    return StorageError(f"an image cannot be {what} ({_words(error)})")


def _words(error: Exception) -> str:
    """The first line: what follows are the store's own debugging notes."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
