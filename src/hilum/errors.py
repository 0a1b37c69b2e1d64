"""Everything that can go wrong, named by what the caller must do -> one tree; knows no HTTP and no exit code.

HilumError
├── UsageError            the request itself is wrong: mend the arguments
│   ├── UnknownTask       no task file of that name
│   ├── UnknownModel      no package of that reference
│   ├── NotFound          no record, image or page of that name
│   ├── KeyReused         an Idempotency-Key that came with another request before
│   ├── ErasedAlready     a note on an answer that was erased
│   ├── NothingSaid       feedback to take back where none stands
│   ├── TooLarge          what was sent is more than the server takes: send less of it at once
│   └── MissingExtra      the part asked for is not installed: install the extra named
├── InputError            one input cannot be used: mend or leave out that file, the others go on
│   ├── UnreadableImage   bytes that are no image, or a broken one
│   │   ├── UnsupportedFormat   a format or transfer syntax outside the allow-list
│   │   └── ImageTooLarge       more pixels or bytes than the limit, read from the header
│   ├── ForbiddenAddress  an image_url that must not be asked: not on the list, not public, not https
│   ├── UnreachableAddress  an image_url that was asked and gave no image in time
│   └── UnreadableSource  a folder, table or archive that holds no labelled images
├── AccessError           the caller may not: sign in, ask an administrator, or wait
│   ├── NotSignedIn       credentials that are missing, wrong, expired or revoked
│   ├── NotAllowed        the caller is known, but the role or the key does not reach that far
│   └── TooManyAttempts   too many wrong passwords: wait the seconds it names
├── DataError             the data set as a whole cannot serve: too few cases, one class only, a leaking split
├── PackageError          a model package must not be used: get it again or pin it
│   ├── PackageDamaged    a hash or a format does not fit
│   └── PackageNotTrusted neither pinned nor signed
├── StorageError          a disk, bucket or database does not take or give: what hangs on it is not acknowledged
│   ├── RecordsError      the records cannot be written or read
│   │   └── DuplicateRecord   a record of this id exists already
│   └── ImageGone         no such image is kept (any more)
├── TrainingError         the run failed: look at the run's log
│   └── Diverged          the loss is no longer a number: lower the learning rate
└── Busy                  nothing is wrong with the request: try again later
    ├── Full              too many wait already
    ├── Late              it waited longer than allowed; nothing was done
    ├── Stopping          the server is shutting down
    └── Unreachable       the server gave no answer: is it running?
"""

from __future__ import annotations

import re


def driver_words(error: Exception) -> str:
    """The first line of what a database's driver said, or what kind of error it is; what follows may hold values."""
    own = getattr(error, "orig", None)
    return (str(own or "").strip() or type(own or error).__name__).splitlines()[0]


def printable(text: str) -> str:
    """Text from outside (a file's name) in one harmless line: what does not print is written as an escape.

    So a name cannot feign a second line of a log or command a terminal; names that are no UTF-8 can be printed, too.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def printable_lines(text: str) -> str:
    """Text of our own in which words from outside may stand: its lines stay, nothing else commands a terminal."""
    return "\n".join(map(printable, text.split("\n")))


class HilumError(Exception):
    """Base of all errors that Hilum raises on purpose; its text is written for the user."""

    code = "error"


class UsageError(HilumError):
    """The request is wrong; nothing was done."""

    code = "usage"


class UnknownTask(UsageError):
    """No task file has this name or path."""

    code = "unknown_task"


class UnknownModel(UsageError):
    """No package answers to this reference."""

    code = "unknown_model"


class NotFound(UsageError):
    """What was named is not there."""

    code = "not_found"


class KeyReused(UsageError):
    """The key that marks a request as sent again came with another request before."""

    code = "key_reused"


class ErasedAlready(UsageError):
    """The answer was erased: nothing personal can be kept with it any more."""

    code = "erased"


class NothingSaid(UsageError):
    """There is no feedback of the caller to take back."""

    code = "nothing_said"


class TooLarge(UsageError):
    """What was sent is beyond a limit of the server."""

    code = "too_large"


class MissingExtra(UsageError):
    """A part of Hilum that was asked for is not installed."""

    code = "missing_extra"

    def __init__(self, part: str, extra: str) -> None:
        how = f"pip install 'hilum[{extra}]', or make install in a checkout"
        super().__init__(f"{part} needs the extra '{extra}': {how}")
        self.part = part
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str]]:
        """As it is made, so that it can come from another process."""
        return type(self), (self.part, self.extra)


class InputError(HilumError):
    """One input cannot be used; its neighbours can."""

    code = "unreadable"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{printable(name)}: {printable(reason)}")
        self.name = name
        self.reason = printable(reason)

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str]]:
        """As it is made, so that it can come from another process."""
        return type(self), (self.name, self.reason)


class UnreadableImage(InputError):
    """The bytes are no image, or a broken one."""

    code = "unreadable_image"


class UnsupportedFormat(UnreadableImage):
    """A format, mode or transfer syntax outside the allow-list."""

    code = "unsupported_format"


class ImageTooLarge(UnreadableImage):
    """The header declares more pixels, frames or bytes than the limit."""

    code = "image_too_large"


class UnreadableSource(InputError):
    """A folder, table or archive that holds no labelled images in a layout we know."""

    code = "unreadable_source"


class ForbiddenAddress(InputError):
    """An image_url that must not be asked: not on the list, not public, not https."""

    code = "forbidden_address"


class UnreachableAddress(InputError):
    """An image_url that was asked and gave no image within the limits."""

    code = "unreachable_address"


class AccessError(HilumError):
    """The caller may not."""

    code = "access"


class NotSignedIn(AccessError):
    """Credentials are missing, wrong, expired or revoked."""

    code = "not_signed_in"


class NotAllowed(AccessError):
    """The caller is known, but the role or the key does not reach that far."""

    code = "not_allowed"


class TooManyAttempts(AccessError):
    """Too many wrong passwords; `seconds` says how long to wait."""

    code = "too_many_attempts"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many attempts: wait {max(1, round(seconds))} seconds")
        self.seconds = seconds

    def __reduce__(self) -> tuple[type[TooManyAttempts], tuple[float]]:
        """As it is made, so that it can come from another process."""
        return type(self), (self.seconds,)


class DataError(HilumError):
    """The data set as a whole cannot serve the purpose."""

    code = "data"


class PackageError(HilumError):
    """A model package must not be used."""

    code = "package"


class PackageDamaged(PackageError):
    """A hash, a format version or a file of the package does not fit."""

    code = "package_damaged"


class PackageNotTrusted(PackageError):
    """The package is neither pinned nor signed."""

    code = "package_not_trusted"


class StorageError(HilumError):
    """A disk, bucket or database does not take or give what it should."""

    code = "storage"


class RecordsError(StorageError):
    """The records cannot be written or read."""

    code = "records"


class DuplicateRecord(RecordsError):
    """A record of this id exists already."""

    code = "duplicate_record"


class ImageGone(StorageError):
    """No such image is kept, or not any more."""

    code = "image_gone"


class TrainingError(HilumError):
    """A training run failed."""

    code = "training"


class Diverged(TrainingError):
    """The loss of a training run is no longer a number."""

    code = "diverged"


class Busy(HilumError):
    """The request was not taken up; the same one may succeed later."""

    code = "busy"


class Full(Busy):
    """Too many requests wait."""

    code = "full"


class Late(Busy):
    """The request waited longer than allowed."""

    code = "late"


class Stopping(Busy):
    """The server takes no more requests."""

    code = "stopping"


class Unreachable(Busy):
    """The server gave no answer at all."""

    code = "unreachable"


def error_of(code: str, text: str, name: str = "") -> HilumError:
    """The error of a code, as it was told by a server; a plain HilumError where no error has this code.

    name: of the input that could not be used; without it, what stands before the first colon of the text.
    """
    kind = next((kind for kind in _tree(HilumError) if kind.code == code), HilumError)
    if issubclass(kind, InputError):
        before, _, after = text.partition(": ")
        return kind(name, text) if name else kind(before, after) if after else kind("the input", text)
    if kind is TooManyAttempts:
        wait = re.search(r"[0-9]{1,9}", text)
        return TooManyAttempts(float(wait[0]) if wait else 1.0)
    return UsageError(text) if kind is MissingExtra else kind(text)


def _tree(kind: type[HilumError]) -> list[type[HilumError]]:
    return [kind, *(found for below in kind.__subclasses__() for found in _tree(below))]
