"""Progress on the disk -> time left in words; folders below the roots -> what is offered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hilum.interfaces.http.works import allowed
from hilum.interfaces.web.worked import MOST, Offered, left, sources
from hilum.jobs.works import Step
from hilum.settings import read_settings
from tests.interfaces.http.running import running

NO_TEXT = os.fsdecode(b"caf\xe9")  # as a system wrote it whose alphabet is another


def steps(*told: tuple[float, int]) -> tuple[Step, ...]:
    return (Step(0.0, "before", 9, 9), *(Step(at, "now", done, 100) for at, done in told))


@pytest.mark.parametrize(
    ("told", "now", "words"),
    [
        (((10.0, 0), (20.0, 10)), 20.0, "about 2 min left in this step"),  # 1 a second, 90 to go
        (((10.0, 0), (20.0, 10)), 50.0, "about 60 s left in this step"),
        (((10.0, 0), (20.0, 1)), 20.0, "about 16 min left in this step"),
        (((10.0, 0), (20.0, 99)), 20.0, "nearly done with this step"),
        (((10.0, 0), (20.0, 10)), 500.0, "slower than it was"),
        (((10.0, 0),), 11.0, ""),
        (((10.0, 5), (10.0, 6)), 11.0, ""),
    ],
)
def test_time_left_goes_by_the_pace_of_the_present_stage(
    told: tuple[tuple[float, int], ...], now: float, words: str
) -> None:
    assert left(steps(*told), now) == words


def test_a_work_that_was_begun_again_tells_the_time_left_by_what_it_did_since() -> None:
    """The time for which the server was down, and what was done before, are no pace."""
    before = steps((10.0, 0), (20.0, 10))
    again = (Step(5000.0, "before", 9, 9), Step(5010.0, "now", 10, 100), Step(5020.0, "now", 20, 100))
    assert left((*before, *again), 5020.0) == left(again, 5020.0) == "about 80 s left in this step"


def test_a_stage_without_a_total_tells_no_time() -> None:
    assert left((Step(1.0, "now", 1, None), Step(2.0, "now", 2, None)), 3.0) == ""


def test_folders_and_packed_sets_are_offered_links_and_hidden_ones_are_not(tmp_path: Path) -> None:
    for name in ("a/b/c/d", ".hidden/x", "e"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "set.npz").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "out").symlink_to("/etc")
    one = read_settings({"HILUM_DATA_ROOTS": str(tmp_path)})
    below = [(name, name) for name in ("a", "a/b", "e", "set.npz")]
    assert sources(one) == Offered((*below, (str(tmp_path), f"{tmp_path.name} (the whole folder)")))
    several = read_settings({"HILUM_DATA_ROOTS": f"{tmp_path}:{tmp_path / 'a'}:{tmp_path / 'gone'}"})
    found = dict(sources(several).choices)
    assert found[str(tmp_path / "e")] == f"{tmp_path.name}/e"
    assert found[str(tmp_path / "a/b")] == "a/b"
    assert found[str(tmp_path / "a")] == "a (the whole folder)"  # named itself, and below another one


def test_a_data_set_that_is_named_itself_is_offered_and_may_be_asked_for(tmp_path: Path) -> None:
    """HILUM_DATA_ROOTS=/data/chest offered its two classes, of which neither is a data set."""
    for name in ("NORMAL", "PNEUMONIA"):
        (tmp_path / "chest" / name).mkdir(parents=True)
    one = read_settings({"HILUM_DATA_ROOTS": str(tmp_path / "chest")})
    offered, said = sources(one).choices[-1]
    assert (allowed(offered, one), said) == (str(tmp_path / "chest"), "chest (the whole folder)")
    empty = read_settings({"HILUM_DATA_ROOTS": str(tmp_path / "chest" / "NORMAL")})
    assert sources(empty).choices == ()


def test_a_folder_whose_name_is_no_text_takes_no_page_away(tmp_path: Path) -> None:
    """Archives of other systems leave such names; what cannot be written cannot be asked for either."""
    (tmp_path / "root" / "good").mkdir(parents=True)
    (tmp_path / "root" / NO_TEXT).mkdir()
    with running(tmp_path / "home", DATA_ROOTS=str(tmp_path / "root")) as server:
        for path in ("data", "train", "models/pneumonia-cxr"):
            answer = server.ask("GET", f"/app/{path}", headers={"Accept": "text/html"})
            assert (answer.status, b'<option value="good">' in answer.body) == (200, True), path
            assert b"caf" not in answer.body, path


def test_a_page_that_names_what_is_no_text_is_shown(tmp_path: Path) -> None:
    (tmp_path / NO_TEXT).mkdir()
    with running(tmp_path / "home", DATA_ROOTS=str(tmp_path / NO_TEXT)) as server:
        answer = server.ask("GET", "/app/settings", headers={"Accept": "text/html"})
        assert (answer.status, b"caf\\udce9" in answer.body) == (200, True)


def test_folders_of_equal_names_are_told_apart(tmp_path: Path) -> None:
    for name in ("mri/data/chest", "ct/data/chest"):
        (tmp_path / name).mkdir(parents=True)
    both = read_settings({"HILUM_DATA_ROOTS": f"{tmp_path / 'mri/data'}:{tmp_path / 'ct/data'}"})
    places = [f"{tmp_path}/{one}/data" for one in ("mri", "ct")]
    assert [name for _, name in sources(both).choices] == [
        name for place in places for name in (f"{place}/chest", f"{place} (the whole folder)")
    ]


@pytest.mark.parametrize(("count", "cut"), [(MOST - 1, False), (MOST, True)])
def test_a_list_of_folders_that_is_cut_says_so(tmp_path: Path, count: int, cut: bool) -> None:
    for number in range(count):
        (tmp_path / "root" / f"set {number:04}").mkdir(parents=True)
    with running(tmp_path / "home", DATA_ROOTS=str(tmp_path / "root")) as server:
        for path in ("data", "train", "models/pneumonia-cxr"):
            page = server.ask("GET", f"/app/{path}", headers={"Accept": "text/html"}).body.decode()
            assert (page.count('<option value="set '), f"The first {MOST} of what lies below" in page) == (count, cut)
