"""A bucket reads like a folder. The server is moto's, over real HTTP; gs:// and az:// go through the same calls."""

from __future__ import annotations

import errno
import pickle
import socket
from pathlib import Path

import pytest

from hilum.data.labels import with_task
from hilum.data.layouts.found import Columns
from hilum.data.layouts.headers import identifiers
from hilum.data.places.cache import Cache
from hilum.data.source import open_source
from hilum.data.survey import survey
from hilum.errors import StorageError, UnreadableImage, UnreadableSource
from hilum.task import find_task
from tests.data.made import dicom, lay, npz, pictures, png
from tests.data.test_archive import FILES, packed

obstore = pytest.importorskip("obstore")
from hilum.data.places.bucket import open_remote  # noqa: E402  it needs obstore


@pytest.fixture
def put(bucket):
    """Puts files into a folder of a bucket of the test's own; gives its address."""
    store = obstore.store.from_url(bucket)

    def put(files):
        for path, data in files.items():
            obstore.put(store, f"scans/{path}", data.encode() if isinstance(data, str) else data)
        return f"{bucket}/scans"

    return put


def opened(tmp_path, reference, **options):
    return open_source(reference, cache=tmp_path / "cache", **options)


def test_a_prefix_is_a_folder(tmp_path, put):
    address = put(FILES | {"set/.DS_Store": b"x", "set/train/a/empty.png": b""})
    local = open_source(str(lay(tmp_path / "in", FILES)))
    told = []
    dataset = opened(tmp_path, f"{address}/", progress=lambda done, _of: told.append(done))
    assert [case.id for case in dataset.cases] == [f"{address}/{path}" for path in sorted(FILES)]
    assert sorted(dataset.stray) == [f"{address}/set/.DS_Store", f"{address}/set/train/a/empty.png"]
    assert dataset.digest == local.digest
    assert told == [5]
    again = pickle.loads(pickle.dumps(dataset))
    assert again.images(again.cases[0])[0].pixels.shape == (8, 8)


def test_names_with_spaces_and_accents(tmp_path, put):
    address = put(pictures("é #1 50%20?/Brain Tumor/é (1).png", "é #1 50%20?/Healthy/a+b%20c#d.png"))
    dataset = with_task(opened(tmp_path, f"{address}/é #1 50%20?"), find_task("brain-tumor-presence-mri"))
    assert dataset.counts == {"healthy": 1, "tumor": 1}
    assert all(dataset.images(case) for case in dataset.cases)


def test_objects_are_kept_until_they_change(tmp_path, put, monkeypatch):
    address = put(pictures("a/1.png", "b/2.png"))
    first = opened(tmp_path, address)
    assert first.data(first.cases[0]) == png(0)
    put({"a/1.png": png(9)})
    assert opened(tmp_path, address).data(first.cases[0]) == png(9)
    kept = opened(tmp_path, address)
    monkeypatch.setattr("hilum.data.places.bucket.obstore.get", lambda *_: pytest.fail("fetched again"))
    assert kept.data(kept.cases[0]) == png(9)


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_an_archive_in_a_bucket(tmp_path, put, suffix):
    path = packed(tmp_path, suffix)
    address = put({f"deep/set{suffix}": path.read_bytes()})
    dataset = opened(tmp_path, f"{address}/deep/set{suffix}")
    assert dataset.cases[0].id == f"{address}/deep/set{suffix}#set/test/a/3.png"
    assert dataset.digest == open_source(str(path), cache=tmp_path / "other").digest


def test_an_array_and_a_table_in_a_bucket(tmp_path, put):
    array = npz(tmp_path / "x.npz", images=[[[1, 2], [3, 4]]], labels=["a"]).read_bytes()
    address = put(
        {"x.npz": array} | {"t/images/1.png": png(1), "t/images/2.png": png(2), "t/t.csv": "image,label\n1,x\n2,y\n"}
    )
    assert opened(tmp_path, f"{address}/x.npz").cases[0].id == f"{address}/x.npz#0"
    for reference in (f"{address}/t", f"{address}/t/t.csv"):
        assert opened(tmp_path, reference).counts == {"x": 1, "y": 1}


def test_dicom_headers_are_read_by_range(tmp_path, put, monkeypatch):
    address = put({"a/1.dcm": dicom("P1", "1.1"), "a/2": dicom("P1", "1.2"), "b/3.dcm": dicom("P2", "1.3")})
    monkeypatch.setattr("hilum.data.places.bucket.obstore.get", lambda *_: pytest.fail("fetched whole"))
    one, two, three = (case.patient for case in opened(tmp_path, address).cases)
    assert one == two != three


@pytest.mark.parametrize("path", ["", "/gone.zip", "/gone.npz", "/gone.csv"])
def test_what_is_not_there_is_said(tmp_path, put, path):
    with pytest.raises(UnreadableSource, match=r"s3://t\w+/scans"):
        opened(tmp_path, f"{put({})}{path}")


def test_a_bucket_that_is_not_there_and_one_that_goes_away(tmp_path, put):
    address = put(pictures("a/1.png", "b/2.png"))
    with pytest.raises(UnreadableSource, match="cannot be listed"):
        opened(tmp_path, "s3://no-such-bucket/x")
    dataset = opened(tmp_path, address)
    obstore.delete(obstore.store.from_url(address), "a/1.png")
    with pytest.raises(UnreadableImage, match=r"a/1\.png: cannot be fetched"):
        dataset.data(dataset.cases[0])


@pytest.fixture
def away(monkeypatch):
    """Gives what was opened as a worker gets it that finds nobody listening where the store was."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"

        def away(opened):
            monkeypatch.setenv("AWS_ENDPOINT_URL", address)
            return pickle.loads(pickle.dumps(opened))

        yield away


def test_a_store_that_is_away_ends_the_audit_and_leaves_no_image_out(tmp_path, put, away):
    dataset = opened(tmp_path, put(pictures("a/1.png", "a/2.png", "b/3.png", "b/4.png")))
    assert dataset.data(dataset.cases[0])
    with pytest.raises(StorageError, match=r"a/2\.png: cannot be fetched now"):
        survey(away(dataset))


@pytest.mark.parametrize("name", ["set.zip", "x.npz"])
def test_a_packed_set_in_a_store_that_is_away_is_a_source_that_cannot_be_read(tmp_path, put, away, name):
    """As a folder there is, and an archive of a web server: else a command would end as if the images had a fault."""
    address = put({name: b"bytes"})
    away(None)
    with pytest.raises(UnreadableSource, match=rf"^{address}/{name}: cannot be fetched now"):
        opened(tmp_path, f"{address}/{name}")


def test_a_patient_is_not_forgotten_because_the_store_is_away(tmp_path, put, away):
    tree, _ = open_remote(put({"a/1": dicom("A")}), Columns(), Cache(tmp_path / "cache"))
    assert identifiers(tree, tree.entries[0].path).patient == "A"
    with pytest.raises(StorageError, match="cannot be fetched now"):
        identifiers(away(tree), "a/1")


def test_a_full_disk_is_no_unreadable_image(tmp_path, put, monkeypatch):
    dataset = opened(tmp_path, put(pictures("a/1.png", "b/2.png")))

    def full(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("hilum.data.places.cache.tempfile.mkstemp", full)
    with pytest.raises(StorageError, match="No space left"):
        dataset.data(dataset.cases[0])


def test_what_is_kept_is_not_readable_by_others(tmp_path, put):
    dataset = opened(tmp_path, put(pictures("a/1.png", "b/2.png")))
    dataset.data(dataset.cases[0])
    assert Path(tmp_path / "cache").stat().st_mode & 0o077 == 0
