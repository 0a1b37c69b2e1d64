"""What a table calls an image: found by its path, at the same cost however many files bear one name."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from hilum.data.layouts.names import Names

MANY = 2_000
CALLS = 200  # of functions, for one question; a look at every file costs thousands


def calls_of(work: Callable[[], object]) -> int:
    """How many functions are called; a count, so that a slow machine changes nothing."""
    seen = 0

    def count(_frame: object, event: str, _about: object) -> None:
        nonlocal seen
        seen += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return seen


@pytest.mark.parametrize("by_path", [True, False])
@pytest.mark.parametrize(
    "word", ["p7/scan/image.png", "./P7/scan/Image", "image.png", "scan/image", "q/scan/image.png"]
)
def test_files_of_one_name_in_a_folder_a_patient_are_not_all_looked_at_for_each_row(word, by_path):
    names = Names(f"p{number}/scan/image.png" for number in range(MANY))
    first = names.find(word, by_path=by_path)  # what is sorted for all questions is sorted once

    assert calls_of(lambda: names.find(word, by_path=by_path)) < CALLS
    assert names.find(word, by_path=by_path) == first


def test_one_name_in_many_folders_is_told_apart_by_as_much_of_the_path_as_is_written():
    names = Names(["a/scan/image.png", "b/scan/image.png", "b/scan/image.jpg", "a.b/x", "x.png", "c/x.png"])

    assert names.find("a/scan/image") == ("a/scan/image.png",)
    assert names.find("/mnt/b/scan/image.jpg", by_path=True) == ("b/scan/image.jpg",)
    assert names.find("/mnt/c/x.png", by_path=True) == ()  # ends with c/x.png and with x.png
    assert names.find("mnt/d/x.png", by_path=True) == ("x.png",)
    assert names.find("mnt/d/x.png") == ()
    assert sorted(names.find("b/scan/image")) == ["b/scan/image.jpg", "b/scan/image.png"]
    assert names.find("x.png", "c") == ("c/x.png",)
    assert names.find("a.b/x") == ("a.b/x",)


@pytest.mark.parametrize("inside", ["", "scan/"])
def test_a_table_of_each_folder_is_no_look_at_all_files_of_a_name_for_each_row(inside):
    names = Names(f"p{number}/{inside}{name}.png" for number in range(MANY) for name in "ab")
    assert names.find("A", "p7") == (f"p7/{inside}a.png",)
    assert calls_of(lambda: names.find("b", "p7")) < CALLS
