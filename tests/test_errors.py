"""The error tree: each error has a code of its own, and no text from outside can feign another line."""

from __future__ import annotations

import pytest

from hilum import errors
from hilum.errors import HilumError, UnreadableImage, printable


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.png\nERROR root: all is lost", r"a.png\nERROR root: all is lost"),
        ("\x1b[2Jcleared.png", r"\x1b[2Jcleared.png"),
        ("gnp.\u202etxt", r"gnp.\u202etxt"),
        ("line\u2028two.png", r"line\u2028two.png"),
        ("latin-\udce4.png", r"latin-\udce4.png"),
        ("Läsion 脑.png", "Läsion 脑.png"),
    ],
)
def test_a_name_stays_on_its_line(name: str, said: str) -> None:
    assert printable(name) == said
    error = UnreadableImage(name, "is no image")
    assert str(error) == f"{said}: is no image"
    assert error.name == name
    str(error).encode()


def test_no_two_errors_share_a_code() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HilumError)]
    assert len({kind.code for kind in kinds}) == len(kinds)
