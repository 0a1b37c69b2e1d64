"""The digest names a version of a data set: order and place are nothing to it, every byte and label is."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.data.dataset import Case
from hilum.data.manifest import Entry, digest_of
from hilum.data.source import open_source
from hilum.errors import ImageTooLarge, UnreadableImage
from hilum.image.decode import Limits
from tests.data.made import lay, pictures

WORDS = st.text(st.characters(codec="utf-8"), max_size=8)
HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)
ENTRIES = st.lists(
    st.builds(Entry, WORDS, HASHES, st.none() | WORDS, st.none() | st.sampled_from(["train", "val", "test"])),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)
@given(ENTRIES, st.randoms(use_true_random=False))
def test_the_digest_does_not_depend_on_the_order_of_a_listing(entries: list[Entry], chance: random.Random):
    shuffled = list(entries)
    chance.shuffle(shuffled)
    assert digest_of(shuffled) == digest_of(entries)


@settings(deadline=None)
@given(ENTRIES, st.data())
def test_the_digest_changes_with_every_path_hash_label_and_split(entries: list[Entry], data: st.DataObject):
    at = data.draw(st.integers(0, len(entries) - 1))
    other = data.draw(
        st.builds(Entry, WORDS, HASHES, st.none() | WORDS, st.none() | st.sampled_from(["train", "val", "test"]))
    )
    changed = [*entries[:at], other, *entries[at + 1 :]]
    assert (digest_of(changed) == digest_of(entries)) == (sorted(map(repr, changed)) == sorted(map(repr, entries)))
    assert digest_of([*entries, other]) != digest_of(entries)


def test_no_label_and_an_empty_label_are_two_things():
    assert len({digest_of([Entry("a", "0" * 64, label)]) for label in (None, "", "None", "null")}) == 4


def test_the_digest_of_a_folder_changes_with_a_byte_and_a_label_and_not_with_its_place(tmp_path):
    first = open_source(str(lay(tmp_path / "one", pictures("a/1.png", "b/2.png"))))
    moved = open_source(str(lay(tmp_path / "two", pictures("a/1.png", "b/2.png"))))
    assert first.digest == moved.digest
    byte = lay(tmp_path / "three", pictures("a/1.png", "b/2.png"))
    (byte / "a/1.png").write_bytes((byte / "a/1.png").read_bytes() + b"\0")
    label = lay(tmp_path / "four", pictures("a/1.png", "b/2.png"))
    (label / "b").rename(label / "c")
    assert len({first.digest, open_source(str(byte)).digest, open_source(str(label)).digest}) == 3


def test_a_subset_keeps_classes_and_reads_on(tmp_path):
    dataset = open_source(str(lay(tmp_path, pictures("a/1.png", "b/2.png", "b/3.png"))))
    part = dataset.subset([2, 1])
    assert [case.path for case in part.cases] == ["b/3.png", "b/2.png"]
    assert part.classes == ("a", "b")
    assert part.labels.tolist() == [1, 1]
    assert part.data(part.cases[0]) == dataset.data(dataset.cases[2])


def test_a_file_over_the_limit_or_gone_is_an_error_of_that_file(tmp_path):
    dataset = open_source(str(lay(tmp_path, pictures("a/1.png", "b/2.png"))))
    with pytest.raises(ImageTooLarge, match=r"a/1\.png"):
        dataset.data(dataset.cases[0], Limits(max_bytes=20))
    (tmp_path / "b/2.png").unlink()
    with pytest.raises(UnreadableImage, match=r"b/2\.png"):
        dataset.images(dataset.cases[1])


def test_a_split_is_one_of_three_words():
    with pytest.raises(ValueError, match="split"):
        Case("a", split="fold 1")


def test_a_long_listing_reports_progress(tmp_path):
    lay(tmp_path, dict.fromkeys((f"{label}/{i}.png" for label in "ab" for i in range(5100)), b"x"))
    told = []
    dataset = open_source(str(tmp_path), progress=lambda done, _of: told.append(done))
    assert told == [10_000]
    dataset.hashed(lambda done, _of: told.append(done))
    assert told[1:] == [*range(1000, 10_001, 1000), 10_200]
