"""A question to the server -> one HTTP call; its response -> JSON, or the error of the house; whether to ask once more.

Knows no connection: the two clients, one that waits and one that does not, share all of this.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any

import httpx

from hilum import errors
from hilum.errors import HilumError, Unreachable, error_of

RETRIED = (429, 502, 503, 504)
LONGEST_PAUSE = 30.0  # seconds
BY_STATUS: Mapping[int, type[HilumError]] = {
    401: errors.NotSignedIn,
    403: errors.NotAllowed,
    404: errors.NotFound,
    413: errors.TooLarge,
    429: errors.Busy,
    502: errors.Busy,
    503: errors.Busy,
    504: errors.Late,
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request. again: it may be sent twice, because the server does it once."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    files: tuple[tuple[str, tuple[str, bytes | Path]], ...] = ()  # of a path it is sent piece by piece
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    again: bool = True

    @contextmanager
    def arguments(self) -> Iterator[dict[str, Any]]:
        """What httpx is given, with files that are open until it was sent.

        Raises:
            UnreadableImage: a file cannot be opened.
        """
        said: dict[str, Any] = {"params": dict(self.params), "headers": dict(self.headers)}
        if self.content is not None:
            said["content"] = self.content
        if self.json is not None:
            said["json"] = self.json
        with ExitStack() as until:
            if self.files:
                said["files"] = [(field, (name, _opened(what, until))) for field, (name, what) in self.files]
            yield said


def _opened(what: bytes | Path, until: ExitStack) -> bytes | IO[bytes]:
    if isinstance(what, bytes):
        return what
    try:
        return until.enter_context(what.open("rb"))
    except OSError as error:
        raise errors.UnreadableImage(what.name, f"cannot be opened ({error.strerror})") from error


def asked(files: tuple[tuple[str, bytes], ...], given: Mapping[str, Any]) -> Call:
    """POST /predict with a key of its own, so that a lost answer can be asked for again."""
    parts = tuple(("file", file) for file in files)
    return Call("POST", "/predict", chosen(given), files=parts, headers=once())


def once() -> dict[str, str]:
    """A key of its own, by which the server does a thing once however often it is sent."""
    return {"Idempotency-Key": str(uuid.uuid4())}


def chosen(given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that were said."""
    said = {name: value for name, value in given.items() if value is not None}
    if isinstance(said.get("prevalence"), tuple | list):
        said["prevalence"] = ",".join(str(share) for share in said["prevalence"])
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in said.items()}


def read(response: httpx.Response) -> Any:
    """The JSON of a response, or the bytes of a page, a picture or a text.

    Raises:
        HilumError: the one of the tree that the problem's code names.
    """
    if not response.is_success:
        raise error_from(response)
    if not response.content:
        return None
    said = response.headers.get("content-type", "").partition(";")[0]
    return response.json() if said == "application/json" else response.content


def error_from(response: httpx.Response) -> HilumError:
    """What a problem says, as the error that the house has for it."""
    try:
        said = response.json()
    except (ValueError, RecursionError):
        said = {}
    said = said if isinstance(said, dict) else {}
    detail = str(said.get("detail") or said.get("error") or f"the server answered {response.status_code}")
    if response.has_redirect_location:
        detail = f"the server sends on to {response.headers['location']}: use the address that it has there"
    found = error_of(str(said.get("code", "")), detail)
    if type(found) is not HilumError:
        return found
    kind = BY_STATUS.get(response.status_code)
    if kind is None:
        kind = errors.UsageError if response.is_client_error else HilumError
    return kind(detail)


def unsendable(error: httpx.InvalidURL | UnicodeError) -> errors.UsageError:
    """What no request can hold: a line end in a path, half a character in a text, a host's name that is none."""
    return errors.UsageError(f"this cannot be sent: {error}")


def unreachable(url: str, error: httpx.RequestError) -> Unreachable:
    """The server gave no answer at all."""
    return Unreachable(f"{_shown(url)} does not answer ({type(error).__name__}): is the server running?")


def strange(url: str) -> HilumError:
    """A success that no question of ours has."""
    return HilumError(f"{_shown(url)} answers something else than a Hilum server does: is the address right?")


def pause_after(call: Call, attempt: int, failure: httpx.Response | httpx.RequestError) -> float | None:
    """Seconds to wait before asking once more; None: asking again helps nothing, or might do the thing twice."""
    if isinstance(failure, httpx.Response):
        if failure.status_code not in RETRIED or (failure.status_code in (502, 504) and not call.again):
            return None
        wanted = _seconds(failure.headers.get("retry-after", ""))
        if wanted is not None:
            return min(wanted, LONGEST_PAUSE)
    elif not call.again and not isinstance(failure, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return None
    return min(0.2 * 2.0**attempt * random.uniform(0.75, 1.25), LONGEST_PAUSE)


def _seconds(said: str) -> float | None:
    """How long a Retry-After asks to wait: a number of seconds, or a date (RFC 9110, 10.2.3); None: it is neither."""
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        at = parsedate_to_datetime(said)
    except (ValueError, LookupError, OverflowError):
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _shown(url: str) -> str:
    """An address as it may stand in a log: without the password before the @."""
    return str(httpx.URL(url).copy_with(userinfo=b""))
