"""What the decoders of others raise on broken bytes -> one UnreadableImage that names the file; knows no format."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from hilum.errors import HilumError, ImageTooLarge, UnreadableImage

# What Pillow, GDCM and OpenJPEG raise on hostile bytes; a fuzz test holds the list complete.
DECODER_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,  # also RecursionError and NotImplementedError
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


@contextmanager
def named_faults(
    name: str, doing: str, *, quote: bool = True, faults: tuple[type[Exception], ...] = DECODER_FAULTS
) -> Iterator[None]:
    """Run a decoder without its warnings; whatever it raises becomes an UnreadableImage of file `name`.

    doing: what is broken, in words: "the PNG data".
    quote: whether the decoder's own words are added. Never for DICOM: they can hold a value of the header.
    faults: what this decoder raises on broken bytes.
    """
    try:
        with _QUIET():
            yield
    except HilumError:
        raise
    except MemoryError as error:
        raise ImageTooLarge(name, f"{doing} asks for more memory than there is") from error
    except faults as error:
        words = _words(error) if quote else ""
        raise UnreadableImage(name, f"{doing} is broken{words}: export or send the file again") from error


def _words(error: Exception) -> str:
    first = str(error).strip().splitlines()[:1]
    plain = "".join(letter for letter in "".join(first) if letter.isprintable())[:120]
    return f" ({plain})" if plain else f" ({type(error).__name__})"


class _Quiet:
    """Silences warnings while any thread decodes; `warnings.catch_warnings` alone is not safe with several."""

    def __init__(self) -> None:
        self.lock, self.inside = Lock(), 0
        self.catch: warnings.catch_warnings[None] | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self.lock:
            self.inside += 1
            if self.inside == 1:
                self.catch = warnings.catch_warnings()
                self.catch.__enter__()
                warnings.simplefilter("ignore")
        try:
            yield
        finally:
            with self.lock:
                self.inside -= 1
                if self.inside == 0 and self.catch is not None:
                    self.catch.__exit__(None, None, None)


_QUIET = _Quiet()
