"""An audit's pairs page by page: the most serious first, filters with their counts, paths without what all share."""

from __future__ import annotations

from hilum.interfaces.web.pairs import PAGE, pairs_shown
from tests.web.test_audited import CLEAN, pair


def test_the_most_serious_pairs_come_first_and_paths_are_short() -> None:
    pairs = [
        pair("/d/set/x/1", "/d/set/x/2"),
        pair("/d/set/x/3", "/d/set/y/4", same=False, likeness=0.9),
        pair("/d/set/x/5", "/d/set/y/6", across=True, likeness=0.8),
    ]
    found = pairs_shown(CLEAN | {"pairs": pairs}, "", 1)
    assert [(one.a, one.b) for one in found.rows] == [("x/5", "y/6"), ("x/3", "y/4"), ("x/1", "x/2")]
    assert [(one.across, one.differ) for one in found.rows] == [(True, False), (False, True), (False, False)]


def test_paths_that_share_nothing_stay_as_they_are() -> None:
    (row,) = pairs_shown(CLEAN | {"pairs": [pair("/d/1", "e/2")]}, "", 1).rows
    assert (row.a, row.b) == ("/d/1", "e/2")


def test_files_of_one_zip_are_named_as_in_the_zip() -> None:
    (row,) = pairs_shown(CLEAN | {"pairs": [pair("source.zip#x/1", "source.zip#y/2")]}, "", 1).rows
    assert (row.a, row.b) == ("x/1", "y/2")


def test_filters_keep_each_pairs_place_and_say_how_many_they_leave() -> None:
    many = [pair(f"/d/{i:03}", f"/d/e{i:03}", likeness=0.9) for i in range(2 * PAGE)]
    found = pairs_shown(CLEAN | {"pairs": [*many, pair("/d/x", "/d/y", same=False)]}, "differ", 1)
    assert dict(found.counts) == {"": 2 * PAGE + 1, "differ": 1, "near": 2 * PAGE + 1}
    assert [(one.place, one.a) for one in found.rows] == [(0, "x")]
    every = [pairs_shown(CLEAN | {"pairs": many}, "", page) for page in (1, 2, 3)]
    assert [len(one.rows) for one in every] == [PAGE, PAGE, 0]
    assert every[0].pages == 2
    assert [one.place for page in every for one in page.rows] == list(range(2 * PAGE))
