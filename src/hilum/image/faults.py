"""What the decoders of others raise on broken bytes -> one UnreadableImage that names the file; knows no format."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from hilum.errors import HilumError, ImageTooLarge, UnreadableImage

# What Pillow, pydicom, GDCM and OpenJPEG raise on hostile bytes; a fuzz test holds the list complete.
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
def named_faults(name: str, doing: str, *, quote: bool = True) -> Iterator[None]:
    """Run a decoder; whatever it raises becomes an UnreadableImage of file `name`.

    doing: what is broken, in words: "the PNG data".
    quote: whether the decoder's own words are added. Never for DICOM: they can hold a value of the header.
    """
    try:
        yield
    except HilumError:
        raise
    except MemoryError as error:
        raise ImageTooLarge(name, f"{doing} asks for more memory than there is") from error
    except DECODER_FAULTS as error:
        words = _words(error) if quote else ""
        raise UnreadableImage(name, f"{doing} is broken{words}: export or send the file again") from error


def _words(error: Exception) -> str:
    first = str(error).strip().splitlines()[:1]
    plain = "".join(letter for letter in "".join(first) if letter.isprintable())[:120]
    return f" ({plain})" if plain else f" ({type(error).__name__})"
