"""An .npz is believed only as far as its bytes go, and no more of it is in memory than the image asked for."""

from __future__ import annotations

import io
import pickle
import shutil
import zipfile

import numpy as np
import pytest

from hilum.data.labels import with_task
from hilum.data.layouts.arrays import canonical
from hilum.data.source import open_source
from hilum.errors import DataError, UnreadableImage, UnreadableSource
from hilum.task import find_task
from tests.data.made import lay, npz, pictures
from tests.interfaces.http.hostile import torn_zip

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 255, (6, 9, 7), np.uint8)
COLOUR = RNG.integers(0, 255, (4, 9, 7, 3), np.uint8)


def opened(tmp_path, **arrays):
    return open_source(str(npz(tmp_path / "set.npz", **arrays)), cache=tmp_path / "cache")


@pytest.mark.parametrize("packed", [True, False])
def test_medmnist_layout_has_splits_ids_and_pixels(tmp_path, packed):
    dataset = opened(
        tmp_path, packed=packed, train_images=GREY, train_labels=[[0], [1], [0], [1], [1], [1]],
        val_images=COLOUR[:1], val_labels=[[0]], test_images=COLOUR, test_labels=[[1], [1], [0], [0]],
    )  # fmt: skip
    assert [case.id for case in dataset.cases][:2] == [f"{tmp_path}/set.npz#train/0", f"{tmp_path}/set.npz#train/1"]
    assert [case.split for case in dataset.cases] == ["train"] * 6 + ["val"] + ["test"] * 4
    assert dataset.counts == {"0": 5, "1": 6}
    np.testing.assert_allclose(dataset.images(dataset.cases[3])[0].pixels, GREY[3] / 255, atol=1e-6)
    assert dataset.images(dataset.cases[8])[0].metadata.mode == "RGB"
    assert dataset.data(dataset.cases[8]) == canonical(COLOUR[1])


@pytest.mark.parametrize(
    ("images", "labels"),
    [("images", "labels"), ("x", "y"), ("X", "Y"), ("brain_images", "brain_labels"), ("x_train", "y_train")],
)
def test_usual_names_of_arrays(tmp_path, images, labels):
    dataset = opened(tmp_path, **{images: GREY, labels: list("ababab")})
    assert dataset.counts == {"a": 3, "b": 3}
    assert dataset.cases[0].split == ("train" if "train" in images else None)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1, 2, 0, 1, 2], "012012"),
        ([0.0, 1.0, 2.0, 0.0, 1.0, 2.0], "012012"),
        (np.array([0, 1, 2, 0, 1, 2], np.float16), "012012"),
        ([True, False, True, False, False, False], "101000"),
        (np.eye(3, dtype=np.uint8)[[0, 1, 2, 0, 1, 2]], "012012"),
        (np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]], "012012"),
        (np.array([b"0", b"1"] * 3), "010101"),
    ],
)
def test_usual_forms_of_labels(tmp_path, labels, words):
    assert [case.raw_label for case in opened(tmp_path, images=GREY, labels=labels).cases] == list(words)


@pytest.mark.parametrize(
    "groups",
    [
        [7.0, np.nan, np.nan, 7.0, np.nan, 8.0],
        ["7", "NaN", "", "7", "unknown", "8"],
        [b"7", b"", b"na", b"7", b"", b"8"],
    ],
)
def test_images_of_nobody_known_are_not_one_patient(tmp_path, groups):
    """As in a table: else all of them would lie in one part of a split."""
    patients = [case.patient for case in opened(tmp_path, images=GREY, labels=list("ababab"), groups=groups).cases]
    assert [patient is None for patient in patients] == [False, True, True, False, True, False]
    assert patients[0] == patients[3] != patients[5]


def test_one_part_may_write_the_patients_as_floats(tmp_path):
    """A NaN among them makes floats of whole numbers; the same people stand in the other part as integers."""
    parts = {"train_images": GREY, "train_labels": list("ababab"), "train_groups": [7.0, np.nan, 8.0, 8.0, 8.0, 8.0]}
    dataset = opened(tmp_path, **parts, test_images=GREY[:1], test_labels=["a"], test_groups=[7])
    assert dataset.cases[0].patient == dataset.cases[-1].patient is not None


@pytest.mark.parametrize("name", ["groups", "patients", "patient_id", "patient_ids", "subject_ids"])
def test_usual_names_of_groups(tmp_path, name):
    patients = [case.patient for case in opened(tmp_path, images=GREY, labels=list("ababab"), **{name: [1] * 6}).cases]
    assert len(set(patients) - {None}) == 1


@pytest.mark.parametrize("name", ["image_ids", "image_names"])
def test_the_names_of_the_images_are_no_images(tmp_path, name):
    dataset = opened(tmp_path, images=GREY, labels=list("ababab"), **{name: list("123456")})
    assert [case.path for case in dataset.cases] == list("012345")


def test_numbers_take_the_names_the_file_gives_them(tmp_path):
    dataset = opened(tmp_path, images=GREY, labels=[0, 1, 1, 0, 0, 0], classes=["well", "ill"])
    assert dataset.classes == ("well", "ill")
    assert dataset.counts == {"well": 4, "ill": 2}


def test_numbers_without_names_count_the_classes_of_the_task_and_say_so(tmp_path):
    dataset = with_task(opened(tmp_path, images=GREY, labels=[3, 0, 1, 2, 3, 3]), find_task("brain-tumor-mri"))
    assert dataset.cases[0].label == "pituitary"
    assert "0 = glioma, 1 = meningioma, 2 = notumor, 3 = pituitary" in dataset.notes[-1]
    (tmp_path / "set.npz").unlink()
    with pytest.raises(DataError, match=r"'4' \(1\)"):
        with_task(opened(tmp_path, images=GREY, labels=[3, 0, 1, 2, 3, 4]), find_task("brain-tumor-mri"))


def test_numbers_that_are_synonyms_are_read_as_such(tmp_path):
    dataset = with_task(opened(tmp_path, images=GREY, labels=[0, 1, 1, 1, 1, 1]), find_task("pneumonia-cxr"))
    assert dataset.counts == {"normal": 1, "pneumonia": 5}


def test_several_files_in_a_folder_are_one_set(tmp_path):
    npz(tmp_path / "in/a.npz", images=GREY, labels=list("xxyyxy"))
    npz(tmp_path / "in/b.npz", x=COLOUR, y=list("xyxy"))
    dataset = open_source(str(tmp_path / "in"), cache=tmp_path / "cache")
    assert len(dataset) == 10
    assert dataset.data(dataset.cases[-1]) == canonical(COLOUR[3])


def test_several_files_may_name_different_classes(tmp_path):
    """No image is left without a label because the first file knows no such class."""
    npz(tmp_path / "in/a.npz", images=GREY[:3], labels=[1, 0, 1], classes=["well", "ill"])
    npz(tmp_path / "in/b.npz", images=GREY[3:5], labels=[0, 1], classes=["ill", "odd"])
    npz(tmp_path / "in/c.npz", images=GREY[5:], labels=["new"])
    dataset = open_source(str(tmp_path / "in"), cache=tmp_path / "cache")
    assert dataset.classes == ("well", "ill", "odd", "new")
    assert dataset.labels.tolist() == [1, 0, 1, 1, 2, 3]


def test_image_files_beside_an_array_are_the_data_set(tmp_path):
    lay(tmp_path, pictures("a/1.png", "b/2.png"))
    npz(tmp_path / "old.npz", images=GREY, labels=list("xxyyxy"))
    dataset = open_source(str(tmp_path))
    assert dataset.layout == "class folders"
    assert dataset.stray == (f"{tmp_path}/old.npz",)


def test_it_survives_pickling_for_workers(tmp_path):
    dataset = opened(tmp_path, images=GREY, labels=list("xxyyxy"))
    before = dataset.data(dataset.cases[2])
    again = pickle.loads(pickle.dumps(dataset))
    assert again.data(again.cases[2]) == before


def member(key, data, **options):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        archive.writestr(f"{key}.npy", data)
    return file.getvalue()


def header(shape, descr="|u1", body=b""):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue() + body


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (member("images", header((10**9, 99, 99))), "does not fit"),
        (member("images", header((2, 3, 3), body=b"\0" * 17)), "does not fit"),
        (member("images", header((2, 3, 3), body=b"\0" * 19)), "does not fit"),
        (member("images", b"\x93NUMPY\x01\x00"), "no .npz file"),
        (member("images", b"no array"), "no .npz file"),
        (member("scans", header((1, 2, 2), body=b"\0" * 4)), "needs arrays named"),
        (member("images", header((4,), body=b"\0" * 4)), "give .N, H, W"),
        (member("images", header((1, 2, 2, 7), body=b"\0" * 28)), "give .N, H, W"),
        (member("images", header((1, 2, 2), "<M8[s]", b"\0" * 32)), "save it as whole numbers"),
        (b"PK\x03\x04 cut off", "no .npz file"),
        (b"text", "no .npz file"),
        (torn_zip(b"", "images.npy"), "no .npz file"),
    ],
)
def test_headers_that_lie_and_broken_files_are_refused_by_name(tmp_path, content, reason):
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(UnreadableSource, match=reason) as caught:
        open_source(str(tmp_path / "set.npz"), cache=tmp_path / "cache")
    assert "set.npz" in str(caught.value)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


@pytest.mark.parametrize("key", ["images", "labels", "notes"])
def test_an_array_of_objects_is_refused_and_never_run(tmp_path, key):
    arrays = {"images": GREY, "labels": [0] * 6} | {key: np.array([Trap()] * 6, object)}
    with pytest.raises(UnreadableSource, match="Python objects"):
        opened(tmp_path, **arrays)


def half_letters():
    return np.array(["\ud800", "b", "b", "b", "b", "b"])


def test_half_letters_in_words_of_an_array_are_told_as_escapes(tmp_path):
    dataset = opened(
        tmp_path, images=GREY, labels=[0, 1, 1, 1, 1, 1], classes=half_letters()[:2], groups=half_letters()
    )
    assert dataset.classes == ("\\ud800", "b")
    assert dataset.labels.tolist() == [0, 1, 1, 1, 1, 1]
    assert len({case.patient for case in dataset.cases}) == 2


@pytest.mark.parametrize("key", ["labels", "groups", "classes"])
def test_text_that_is_no_unicode_is_refused_by_name(tmp_path, key):
    broken = half_letters()
    broken.view(np.uint32)[0] = 0x7FFFFFFF
    with pytest.raises(UnreadableSource, match=rf"#{key}: .*Unicode"):
        opened(tmp_path, **{"images": GREY, "labels": [0] * 6, key: broken})


def test_an_empty_word_is_no_class_and_names_may_be_bytes(tmp_path):
    dataset = opened(tmp_path, images=GREY, labels=["a", "", "b", "b", "b", "b"])
    assert dataset.classes == ("a", "b")
    assert dataset.labels.tolist() == [0, -1, 1, 1, 1, 1]
    named = {"labels": [0, 1, 1, 1, 1, 1], "classes": np.array([b"well", b"ill"])}
    npz(tmp_path / "b.npz", images=GREY, **named)
    assert open_source(str(tmp_path / "b.npz"), cache=tmp_path / "cache").counts == {"well": 1, "ill": 5}


@pytest.mark.parametrize("label", [np.nan, np.inf, -np.inf, 1e300])
def test_numbers_that_number_no_class_are_refused(tmp_path, label):
    with pytest.raises(UnreadableSource, match="labels are no whole numbers"):
        opened(tmp_path, images=GREY, labels=[label, 1, 1, 1, 1, 1])


def test_an_array_that_goes_away_is_an_unreadable_image(tmp_path):
    """The cache may be deleted at any time: one image is told, and a server's work does not end in a traceback."""
    dataset = opened(tmp_path, images=GREY, labels=list("xxyyxy"))
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(UnreadableImage, match=r"set\.npz#0"):
        dataset.images(dataset.cases[0])


def test_an_array_that_unpacks_to_far_more_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("hilum.data.layouts.npz.FREE_BYTES", 1000)
    with pytest.raises(UnreadableSource, match="bomb"):
        opened(tmp_path, images=np.zeros((100, 100, 100), np.uint8), labels=[0] * 100)


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1],
        [[1, 1], [0, 1], [1, 0], [1, 0], [1, 0], [1, 0]],
        [[0.5, 0.5]] * 6,
        [[0.7, 0]] * 6,
        [0.5, 1, 1, 1, 1, 1],
        np.zeros((6, 9, 7), np.uint8),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path, labels):
    with pytest.raises(UnreadableSource, match="labels"):
        opened(tmp_path, images=GREY, labels=labels)


def test_canonical_bytes_do_not_depend_on_how_the_array_lies():
    row = GREY[0].astype(np.uint16)
    same = (np.asfortranarray(row), row.astype(">u2"), row[..., None])
    assert {canonical(other) for other in same} == {canonical(row)}
    assert canonical(row) != canonical(GREY[0])


def test_numbers_beyond_the_names_are_refused_and_an_empty_part_is_none(tmp_path):
    with pytest.raises(UnreadableSource, match="run from 1 to 2, the 2 classes"):
        opened(tmp_path, images=GREY, labels=[1, 2, 1, 2, 1, 2], classes=["a", "b"])
    part = {"train_images": GREY, "train_labels": [[0], [1]] * 3}
    dataset = opened(tmp_path, **part, val_images=GREY[:0], val_labels=np.zeros((0, 1), np.uint8))
    assert [case.split for case in dataset.cases] == ["train"] * 6
