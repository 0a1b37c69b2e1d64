"""The error tree: each error has a code of its own, and no text from outside can feign another line."""

from __future__ import annotations

import pickle

import pytest
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hilum import errors
from hilum.access.tables import _told
from hilum.errors import HilumError, InputError, StorageError, UnreadableImage, driver_words, printable
from hilum.records.store import _unopened


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


KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HilumError)]


def test_no_two_errors_share_a_code() -> None:
    assert len({kind.code for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_comes_whole_out_of_another_process(kind: type[HilumError]) -> None:
    """One that cannot be put together again there breaks a pool of processes, or leaves it waiting for ever."""
    made: dict[type[HilumError], tuple[object, ...]] = {errors.MissingExtra: ("a table", "data")}
    made[errors.TooManyAttempts] = (12.4,)
    error = kind(*made.get(kind, ("a.png", "is none") if issubclass(kind, InputError) else ("it is so",)))
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (kind, str(error), vars(error))


@pytest.mark.parametrize(
    ("said", "told"),
    [("no such table: keys\nDETAIL: a value", "no such table: keys"), ("", "OSError"), ("  \n", "OSError")],
)
def test_a_driver_is_quoted_in_its_first_line_and_one_without_words_is_named(said: str, told: str) -> None:
    error = DBAPIError("SELECT 'a value'", {}, OSError(said))
    assert driver_words(error) == told
    assert told in str(_unopened(error))
    with pytest.raises(StorageError) as raised, _told():
        raise error
    assert f"({told})" in str(raised.value)


def test_what_no_driver_said_is_named_by_its_kind() -> None:
    assert driver_words(SQLAlchemyError("a value")) == "SQLAlchemyError"
