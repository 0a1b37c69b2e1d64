"""Everything that can go wrong, named by what the caller must do -> one tree; knows no HTTP and no exit code.

HilumError
├── UsageError            the request itself is wrong: mend the arguments
│   ├── UnknownTask       no task file of that name
│   ├── UnknownModel      no package of that reference
│   └── MissingExtra      the part asked for is not installed: install the extra named
├── InputError            one input cannot be used: mend or leave out that file, the others go on
│   ├── UnreadableImage   bytes that are no image, or a broken one
│   │   ├── UnsupportedFormat   a format or transfer syntax outside the allow-list
│   │   └── ImageTooLarge       more pixels or bytes than the limit, read from the header
│   └── UnreadableSource  a folder, table or archive that holds no labelled images
├── DataError             the data set as a whole cannot serve: too few cases, one class only, a leaking split
├── PackageError          a model package must not be used: get it again or pin it
│   ├── PackageDamaged    a hash or a format does not fit
│   └── PackageNotTrusted neither pinned nor signed
└── TrainingError         the run failed: look at the run's log
"""

from __future__ import annotations


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


class MissingExtra(UsageError):
    """A part of Hilum that was asked for is not installed."""

    code = "missing_extra"

    def __init__(self, part: str, extra: str) -> None:
        super().__init__(f"{part} needs the extra '{extra}': pip install 'hilum[{extra}]'")
        self.extra = extra


class InputError(HilumError):
    """One input cannot be used; its neighbours can."""

    code = "unreadable"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


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


class TrainingError(HilumError):
    """A training run failed."""

    code = "training"
