"""The audit finds what was planted, says what it means, and keeps the shape that was promised."""

from __future__ import annotations

import io
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from scipy.ndimage import gaussian_filter

from hilum.data import neighbours
from hilum.data.audit import Audit, audit
from hilum.data.audit_report import write_audit_report
from hilum.data.audit_words import details, headline, tone
from hilum.data.grouping import renumber
from hilum.data.labels import with_task
from hilum.data.source import open_source
from hilum.errors import UnreadableSource
from hilum.image.image import Image
from hilum.interfaces.cli.audit import in_words
from hilum.task import find_task
from tests.conftest import ROOT
from tests.data.made_audit import Row, made_audit


def picture(seed: int) -> np.ndarray:
    """A picture of its own with structure from coarse to fine, (96, 96) uint8, dark at the border."""
    noise = np.random.default_rng(seed).standard_normal((96, 96))
    layers = sum(gaussian_filter(noise, s) / gaussian_filter(noise, s).std() for s in (1, 3, 8))
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    shown = np.where(x**2 + y**2 < 0.8, 120 + 30 * np.asarray(layers), 0)
    return np.clip(shown, 0, 255).astype(np.uint8)


def save(path: Path, pixels: np.ndarray, **options: int) -> None:
    """Write a picture in the format its name tells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = io.BytesIO()
    Picture.fromarray(pixels).save(file, {"jpg": "JPEG", "png": "PNG"}[path.suffix[1:]], **options)
    path.write_bytes(file.getvalue())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 14 pictures in train and 6 in test, with a leak of each kind and one conflict."""
    root = tmp_path_factory.mktemp("planted")
    for number in range(40):
        label, part = "ab"[number % 2], "train" if number < 28 else "test"
        save(root / part / label / f"p{number}.png", picture(number))
    save(root / "test/a/re-encoded.jpg", picture(0), quality=85)
    save(root / "test/b/mirrored.png", picture(1)[:, ::-1])
    (root / "test/a/same.png").write_bytes((root / "train/a/p2.png").read_bytes())
    (root / "train/b/wrong.png").write_bytes((root / "train/a/p4.png").read_bytes())
    (root / "train/a/broken.png").write_bytes((root / "train/a/p6.png").read_bytes()[:200])
    (root / "train/.DS_Store").write_bytes(b"x")
    return root


@pytest.fixture(scope="module")
def found(folder: Path) -> Audit:
    """Its audit."""
    return audit(open_source(str(folder)))


def test_planted_copies_are_found_with_their_kind_and_where_they_lie(folder: Path, found: Audit) -> None:
    """Exact, near and mirrored, across the split and inside it, and nothing else."""
    pairs = {
        frozenset((Path(pair.a_path).name, Path(pair.b_path).name)): (pair.kind, pair.across_splits, pair.same_label)
        for pair in found.pairs
    }
    assert pairs == {
        frozenset(("p0.png", "re-encoded.jpg")): ("near", True, True),
        frozenset(("p1.png", "mirrored.png")): ("mirrored", True, True),
        frozenset(("p2.png", "same.png")): ("exact", True, True),
        frozenset(("p4.png", "wrong.png")): ("exact", False, False),
    }
    assert [found.paths[i] for i in np.flatnonzero(found.leaked)] == sorted(
        str(folder / "test" / name) for name in ("a/re-encoded.jpg", "a/same.png", "b/mirrored.png")
    )


def test_the_json_is_the_promised_object(folder: Path, found: Audit) -> None:
    """Its keys, its paths as given, and everything survives JSON."""
    made = json.loads(json.dumps(found.to_json()))
    assert list(made) == [
        "images",
        "classes",
        "pairs",
        "groups",
        "conflicts",
        "patients_across_splits",
        "unreadable",
        "stray",
        "shortcuts",
        "baseline",
        "verdict",
    ]
    assert made["images"] == 45
    assert made["classes"] == {"a": 23, "b": 22}
    assert set(made["pairs"][0]) == {"a", "b", "kind", "similarity", "same_label", "across_splits"}
    assert made["verdict"] == "leaks+conflicts"
    assert [str(folder / "train/a/p4.png"), str(folder / "train/b/wrong.png")] in made["groups"]
    assert made["conflicts"][0]["labels"] == ["a", "b"]
    assert [row["path"] for row in made["unreadable"]] == [str(folder / "train/a/broken.png")]
    assert made["unreadable"][0]["reason"]
    assert any(path.endswith(".DS_Store") for path in made["stray"])
    assert set(made["baseline"]) == {"nearest_neighbour", "without_copies"}
    assert made["baseline"]["nearest_neighbour"] > made["baseline"]["without_copies"]
    assert all(0.5 <= area <= 1 for area in made["shortcuts"].values())


def test_progress_counts_every_file_and_the_same_folder_gives_the_same_audit(folder: Path, found: Audit) -> None:
    """Deterministic, and honest about how much is left."""
    seen: list[tuple[int, int | None]] = []
    again = audit(open_source(str(folder)), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (45, 45)
    assert again.to_json() == found.to_json()
    assert again.groups.tolist() == found.groups.tolist()


def test_likely_neighbours_do_not_hang_on_the_order_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many they are sought with an index that is trained on some of them, in their order."""
    monkeypatch.setattr(neighbours, "_FLAT_LIMIT", 10)
    monkeypatch.setattr("hilum.data.audit.find_copies", lambda *_: ())
    chance = np.random.default_rng(0)
    base = gaussian_filter(chance.standard_normal((96, 96)), 6)
    for number in range(240):
        drawn = base + 0.28 * gaussian_filter(chance.standard_normal((96, 96)), 6)
        save(tmp_path / f"{number}.png", np.clip(128 + 600 * drawn, 0, 255).astype(np.uint8))
    dataset = open_source(str(tmp_path))
    grouped = []
    for order in (np.arange(240), chance.permutation(240)):
        together = np.empty(240, dtype=np.int64)
        together[order] = audit(dataset.subset(order.tolist())).groups
        grouped.append(renumber(together).tolist())
    assert len(set(grouped[0])) < 240
    assert grouped[0] == grouped[1]


def test_a_test_set_is_compared_with_a_training_set_and_with_fingerprints(folder: Path, found: Audit) -> None:
    """A foreign set that shares pictures is no independent test."""
    test = open_source(str(folder / "test"))
    compared = audit(test, against=open_source(str(folder / "train")))
    shared = {Path(pair.a_path).name: pair.kind for pair in compared.pairs if pair.b is None}
    assert shared == {"re-encoded.jpg": "near", "mirrored.png": "mirrored", "same.png": "exact"}
    assert compared.verdict == "leaks"
    assert compared.bad
    by_print = audit(test, against=audit(open_source(str(folder / "train"))).fingerprints)
    assert {Path(pair.a_path).name for pair in by_print.pairs if pair.b is None} == set(shared)
    assert "no independent test" in headline(compared)


def test_what_of_the_other_set_cannot_be_read_was_not_compared_and_that_is_said(tmp_path: Path) -> None:
    """Else a test set looks independent of training images that nobody has looked at."""
    for number in range(3):
        for name in ("ours", "theirs"):
            save(tmp_path / name / "a" / f"{number}.png", picture(number))
    ours = open_source(str(tmp_path / "ours"))
    assert not [note for note in audit(ours, against=ours).notes if "compared" in note]
    broken = sorted((tmp_path / "theirs" / "a").iterdir())
    broken[0].write_bytes(b"no image")
    (note,) = [said for said in audit(ours, against=open_source(str(tmp_path / "theirs"))).notes if "compared" in said]
    assert note.startswith("1 of 3 images of theirs could not be read")
    for path in broken:
        path.write_bytes(b"no image")
    with pytest.raises(UnreadableSource, match="theirs: none of its 3 images can be read"):
        audit(ours, against=open_source(str(tmp_path / "theirs")))


def test_copies_in_another_set_are_counted_apart_from_those_inside(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / "ours/a" / f"{number}.png", picture(number))
    save(tmp_path / "ours/a/again.png", picture(0))
    for number in (1, 2, 3):
        save(tmp_path / "theirs/a" / f"{number}.png", picture(number))
    ours = open_source(str(tmp_path / "ours"))
    found = audit(ours, against=open_source(str(tmp_path / "theirs")))
    assert "2 images show a picture that occurs more than once (1 exact pair); the commonest" in details(found)[-1]
    page = write_audit_report(found, ours, tmp_path / "report").read_text(encoding="utf-8")
    assert "1 pair in 1 group, and 3 pairs with theirs." in page
    assert "\ncopies             1 pair; 2 images in 1 group; 0 pairs across splits; 3 pairs with theirs\n" in in_words(
        found
    )


def test_copies_in_another_set_are_no_conflict_because_a_task_has_read_one_of_the_two(tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        for number, label in enumerate(("NORMAL", "PNEUMONIA")):
            save(tmp_path / name / label / f"{number}.png", picture(number))
    save(tmp_path / "theirs" / "sick" / "2.png", picture(2))
    save(tmp_path / "ours" / "NORMAL" / "2.png", picture(2))
    ours = with_task(open_source(str(tmp_path / "ours")), find_task("pneumonia-cxr"))
    theirs = open_source(str(tmp_path / "theirs"))
    same = {Path(pair.a_path).name: pair.same_label for pair in audit(ours, against=theirs).pairs if pair.b is None}
    assert same == {"0.png": True, "1.png": True, "2.png": None}


def test_the_same_patient_in_two_parts_is_a_leak(tmp_path: Path) -> None:
    """Read from the file names by the rules of the task that knows the labels; the pictures differ."""
    for number in range(6):
        save(tmp_path / "train/NORMAL" / f"IM-{number}-0001.png", picture(number))
        save(tmp_path / "test/PNEUMONIA" / f"person{number}_virus_1.png", picture(100 + number))
    save(tmp_path / "test/NORMAL/IM-3-0002.png", picture(50))
    found = audit(open_source(str(tmp_path)))
    assert found.verdict == "leaks"
    assert [(leak.name, sorted(leak.splits)) for leak in found.patients_across_splits] == [("IM-3", ["test", "train"])]
    page = (ROOT / "docs" / "reference" / "audit-object.md").read_text(encoding="utf-8")
    (told,) = json.loads(json.dumps(found.to_json()))["patients_across_splits"]
    assert [key for key in told if f"`{key}`" not in page] == []
    assert any("pneumonia-cxr" in note for note in found.notes)


def test_verdicts_in_order_of_gravity() -> None:
    """Copies inside one part are no fault of a split, and end with 0."""
    assert made_audit([Row("x"), Row("y", "b")]).verdict == "clean"
    assert tone(made_audit([Row("x"), Row("y", "b")])) == "good"
    copies = made_audit([Row("x"), Row("y")], near=[(0, 1)])
    assert (copies.verdict, copies.bad, tone(copies)) == ("copies", False, "warn")
    assert made_audit([Row("x"), Row("y", "b")], near=[(0, 1)]).verdict == "conflicts"
    leaking = made_audit([Row("x", split="train"), Row("y", split="test")], near=[(0, 1)])
    assert (leaking.verdict, leaking.bad) == ("leaks", True)
    assert any("1 of 1 test images (100%)" in line for line in details(leaking))


class Page(HTMLParser):
    """What a page asks for and shows."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[dict[str, str | None]] = []
        self.asked: list[str] = []
        self.headings_without_scope = 0
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note pictures, references and table headings."""
        given = dict(attrs)
        if tag == "img":
            self.pictures.append(given)
        self.headings_without_scope += tag == "th" and "scope" not in given
        self.asked += [str(given[key]) for key in ("src", "href") if given.get(key)]

    def handle_data(self, data: str) -> None:
        """Collect the words."""
        self.text += data


def test_the_report_shows_the_pairs_and_asks_nothing_of_another_machine(
    folder: Path, found: Audit, tmp_path: Path
) -> None:
    """Self-contained, with a word for every picture and heading, and the whole audit beside it."""

    def darker(images: list[Image]) -> list[np.ndarray]:
        return [image.pixels / 2 for image in images]

    page = write_audit_report(found, open_source(str(folder)), tmp_path / "report", augment=darker)  # type: ignore[arg-type]
    read = Page()
    read.feed(page.read_text(encoding="utf-8"))
    assert all(reference.startswith(("data:image/jpeg;base64,", "#")) for reference in read.asked)
    assert len(read.pictures) == 2 * 4 + 2 * 2 * 16
    assert all(picture.get("alt") for picture in read.pictures)
    assert read.headings_without_scope == 0
    for words in ("leaks+conflicts", "re-encoded.jpg", "broken.png", ".DS_Store", "Nearest neighbour", "AUROC"):
        assert words in read.text
    assert json.loads((tmp_path / "report/audit.json").read_text(encoding="utf-8")) == found.to_json()


def test_names_of_files_cannot_write_into_the_page(tmp_path: Path) -> None:
    """A file name is text, never markup."""
    for number in range(4):
        save(tmp_path / "data" / "ab"[number % 2] / f"<script>alert({number})<b>.png", picture(number % 3))
    dataset = open_source(str(tmp_path / "data"))
    page = write_audit_report(audit(dataset), dataset, tmp_path / "report").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_a_set_of_one_class_or_of_broken_files_only_is_still_audited(tmp_path: Path) -> None:
    """Nothing divides by zero; what cannot be measured is None."""
    for number in range(3):
        save(tmp_path / "one/a" / f"p{number}.png", picture(number))
    (tmp_path / "none/a").mkdir(parents=True)
    (tmp_path / "none/a/x.png").write_bytes(b"no image")
    for name in ("one", "none"):
        dataset = open_source(str(tmp_path / name))
        found = audit(dataset)
        assert found.shortcuts == {}
        assert found.verdict == "clean"
        page = write_audit_report(found, dataset, tmp_path / f"report-{name}").read_text(encoding="utf-8")
        assert found.to_json()["baseline"] == {"nearest_neighbour": None, "without_copies": None}
        why = {"one": "there are fewer than two classes", "none": "no readable image with a label"}[name]
        assert f"<p>Not measured: {why}.</p>" in page


def test_lists_of_the_report_that_are_cut_say_so_and_one_pair_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hilum.data.audit_report.LISTED", 2)
    for number in range(3):
        save(tmp_path / "data/a" / f"p{number}.png", picture(number))
        (tmp_path / "data/a" / f"broken{number}.png").write_bytes(b"no image")
        (tmp_path / "data/a" / f"note{number}.txt").write_text("of no use")
    save(tmp_path / "data/a/again.png", picture(0))
    dataset = open_source(str(tmp_path / "data"))
    page = write_audit_report(audit(dataset), dataset, tmp_path / "report").read_text(encoding="utf-8")
    assert "Unreadable files: 3, the first 2<" in page
    assert "no images of a class: 3, the first 2<" in page
    assert "1 pair in 1 group." in page
    assert "2 in 1 group<" in page


def test_many_exact_copies_on_both_sides_are_not_all_paired(tmp_path: Path) -> None:
    """As blank slices are: a thousand on each side would be a million pairs."""
    sides = []
    for name in ("ours", "theirs"):
        (tmp_path / name / "a").mkdir(parents=True)
        for i in range(20):
            Picture.fromarray(picture(1)).save(tmp_path / name / "a" / f"{i}.png")
        sides.append(open_source(str(tmp_path / name)))
    found = audit(sides[0], against=sides[1])
    foreign = [pair for pair in found.pairs if pair.b is None]
    assert [(pair.a, pair.kind) for pair in foreign] == [(i, "exact") for i in range(20)]
