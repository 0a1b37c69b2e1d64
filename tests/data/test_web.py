"""What lies at https:// is fetched once, checked, and read like a local file; nothing but TLS is spoken."""

from __future__ import annotations

import json
import pickle
import ssl
from hashlib import sha256

import pytest

from hilum.data.export import export
from hilum.data.places.far import read_far
from hilum.data.source import open_source
from hilum.errors import StorageError, UnreadableImage, UnreadableSource, UsageError
from tests.data.made import dicom, lay, npz, pictures, png
from tests.data.servers import Site, make_certificate, serving
from tests.data.test_archive import packed

pytest.importorskip("httpx")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An https site whose authority is trusted, and its address."""
    server, authority = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    site = Site({})
    with serving(site, certificate=server) as port:
        site.address = f"https://127.0.0.1:{port}"
        yield site


def opened(tmp_path, reference):
    return open_source(reference, cache=tmp_path / "cache")


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_an_archive_is_fetched_once_and_asked_for_by_its_tag(tmp_path, site, suffix):
    path = packed(tmp_path, suffix)
    site.files[f"/set{suffix}"] = path.read_bytes()
    local = open_source(str(path), cache=tmp_path / "other")
    for _ in range(2):
        dataset = opened(tmp_path, f"{site.address}/set{suffix}?key=secret")
        assert dataset.digest == local.digest
        assert dataset.cases[0].id == f"{site.address}/set{suffix}#set/test/a/3.png"
    assert [status for _, status in site.asked] == [200, 304]
    site.files[f"/set{suffix}"] = packed(tmp_path, suffix, pictures("n/1.png", "m/2.png")).read_bytes()
    assert len(opened(tmp_path, f"{site.address}/set{suffix}?key=secret")) == 2


def test_a_pin_is_held_and_makes_the_cache_enough(tmp_path, site):
    data = packed(tmp_path, ".zip").read_bytes()
    site.files["/set.zip"] = data
    pin = sha256(data).hexdigest()
    with pytest.raises(UnreadableSource, match="SHA-256"):
        opened(tmp_path, f"{site.address}/set.zip#sha256={'0' * 64}")
    assert len(opened(tmp_path, f"{site.address}/set.zip#sha256={pin}")) == 3
    site.asked.clear()
    assert len(opened(tmp_path, f"{site.address}/set.zip#sha256={pin}")) == 3
    assert site.asked == []


def test_a_file_spoiled_in_the_cache_is_fetched_again(tmp_path, site):
    site.files["/set.zip"] = packed(tmp_path, ".zip").read_bytes()
    opened(tmp_path, f"{site.address}/set.zip")
    (kept,) = [p for p in (tmp_path / "cache/files").rglob("*") if p.is_file() and p.suffix != ".json"]
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    assert len(opened(tmp_path, f"{site.address}/set.zip")) == 3
    assert [status for _, status in site.asked] == [200, 200]


def test_an_array_at_an_address(tmp_path, site):
    site.files["/x.npz"] = npz(tmp_path / "x.npz", images=[[[1, 2], [3, 4]]], labels=["a"]).read_bytes()
    dataset = opened(tmp_path, f"{site.address}/x.npz")
    assert [case.id for case in dataset.cases] == [f"{site.address}/x.npz#0"]
    assert dataset.images(dataset.cases[0])[0].pixels.shape == (2, 2)


def test_a_manifest_lists_files_beside_it_and_each_is_held_to_its_hash(tmp_path, site):
    local = open_source(str(lay(tmp_path / "in", pictures("test/ill/a b.png", "train/well/2.png"))))
    written = export(local, tmp_path / "out")
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            site.files[f"/deep/{path.relative_to(tmp_path / 'out')}"] = path.read_bytes()
    dataset = opened(tmp_path, f"{site.address}/deep/manifest.jsonl")
    assert len(site.asked) == 1  # listing fetches no image
    assert [(c.id, c.raw_label, c.split) for c in dataset.cases] == [
        (f"{site.address}/deep/test/ill/a b.png", "ill", "test"),
        (f"{site.address}/deep/train/well/2.png", "well", "train"),
    ]
    assert dataset.digest == written.digest
    again = pickle.loads(pickle.dumps(dataset))
    assert again.images(again.cases[0])[0].pixels.shape == (8, 8)

    site.files["/deep/train/well/2.png"] = png(77)
    other = open_source(f"{site.address}/deep/manifest.jsonl", cache=tmp_path / "fresh")
    with pytest.raises(UnreadableImage, match="is not the file of the manifest"):
        other.images(other.cases[1])


def test_a_wrong_answer_is_not_kept_for_the_file_of_a_manifest(tmp_path, site):
    line = json.dumps({"path": "1.png", "label": "a", "sha256": sha256(png(1)).hexdigest()})
    site.files |= {"/m.jsonl": line.encode(), "/1.png": b"<html>sign in first</html>"}
    dataset = opened(tmp_path, f"{site.address}/m.jsonl")
    with pytest.raises(UnreadableImage, match="is not the file of the manifest"):
        dataset.images(dataset.cases[0])
    site.files["/1.png"] = png(1)
    assert dataset.images(dataset.cases[0])[0].pixels.shape == (8, 8)


def test_a_file_that_is_not_there_does_not_close_the_manifest_to_the_others(tmp_path, site):
    scans = {f"/{name}.dcm": dicom(name, f"1.{i}") for i, name in enumerate(("A", "B"))}
    rows = [f"{path[1:]},a,{sha256(data).hexdigest()}" for path, data in scans.items()]
    site.files |= {"/m.csv": "\n".join(["file,label,sha256", *rows]).encode(), "/A.dcm": scans["/A.dcm"]}
    dataset = opened(tmp_path, f"{site.address}/m.csv")
    assert [case.patient is None for case in dataset.cases] == [False, True]
    with pytest.raises(UnreadableImage, match="404"):
        dataset.images(dataset.cases[1])


@pytest.mark.parametrize("status", [401, 429, 503])
def test_a_server_that_gives_nothing_now_is_no_unreadable_image(tmp_path, site, monkeypatch, status):
    line = json.dumps({"path": "1.png", "label": "a", "sha256": sha256(png(1)).hexdigest()})
    site.files |= {"/m.jsonl": line.encode(), "/1.png": png(1)}
    dataset = opened(tmp_path, f"{site.address}/m.jsonl")
    monkeypatch.setattr(site, "answer", lambda *_: (status, {}, b"not now"))
    with pytest.raises(StorageError, match=rf"1\.png: cannot be fetched now \(the server answers {status}"):
        dataset.images(dataset.cases[0])
    monkeypatch.undo()
    monkeypatch.setattr("hilum.data.places.web._trust", ssl.create_default_context)  # to whom the server is a stranger
    with pytest.raises(StorageError, match="cannot be fetched now"):
        dataset.images(dataset.cases[0])


def test_a_manifest_can_be_a_table(tmp_path, site):
    rows = [
        f"{name},{label},{sha256(png(i)).hexdigest()}"
        for i, (name, label) in enumerate((("1.png", "a"), ("2.png", "b")))
    ]
    site.files |= {"/m.csv": "\n".join(["file,label,sha256", *rows]).encode(), "/1.png": png(0), "/2.png": png(1)}
    dataset = opened(tmp_path, f"{site.address}/m.csv")
    assert dataset.counts == {"a": 1, "b": 1}
    assert dataset.digest


@pytest.mark.parametrize("path", ["../up.png", "https://elsewhere/x.png", "//elsewhere/x.png", "/root.png"])
def test_a_manifest_cannot_send_us_elsewhere(tmp_path, site, path):
    site.files["/deep/m.jsonl"] = json.dumps({"path": path, "label": "a", "sha256": "0" * 64}).encode()
    with pytest.raises(UnreadableSource, match="leads out"):
        opened(tmp_path, f"{site.address}/deep/m.jsonl")
    assert len(site.asked) == 1


def test_a_table_without_hashes_is_no_manifest(tmp_path, site):
    site.files["/m.csv"] = b"file,label\n1.png,a\n"
    with pytest.raises(UnreadableSource, match="sha256"):
        opened(tmp_path, f"{site.address}/m.csv")


def test_redirects_are_followed_to_tls_only(tmp_path, site):
    site.files["/set.zip"] = packed(tmp_path, ".zip").read_bytes()
    site.moved = {"/moved.zip": "/set.zip", "/plain.zip": f"http://127.0.0.1:9/{'x'}", "/loop.zip": "/loop.zip"}
    assert len(opened(tmp_path, f"{site.address}/moved.zip")) == 3
    for path, reason in (("plain", "not protected"), ("loop", "cannot be fetched"), ("gone", "404")):
        with pytest.raises(UnreadableSource, match=reason):
            opened(tmp_path, f"{site.address}/{path}.zip")


def test_an_unknown_authority_is_not_trusted(tmp_path, site, monkeypatch):
    site.files["/set.zip"] = packed(tmp_path, ".zip").read_bytes()
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(UnreadableSource, match=r"(?i)certificate"):
        opened(tmp_path, f"{site.address}/set.zip")


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("http://127.0.0.1/set.zip", "http:// is not read"),
        ("ftp://127.0.0.1/set.zip", "ftp:// is not read"),
        ("https://me:secret@127.0.0.1/set.zip", "password"),
        ("https://127.0.0.1/set.zip#md5=00", "#sha256="),
        ("https://127.0.0.1/folder/", "give the address of an archive"),
    ],
)
def test_addresses_that_are_not_read_say_what_is(tmp_path, reference, reason):
    with pytest.raises(UsageError, match=reason) as caught:
        opened(tmp_path, reference)
    assert "secret" not in str(caught.value)


def test_an_address_that_is_none_is_wrong_use_and_as_a_single_file_unreadable():
    address = "https://[half/set.zip"
    with pytest.raises(UsageError, match=r"\[half.*is no address"):
        open_source(address)
    with pytest.raises(UnreadableImage, match="is no address"):
        read_far(address, 100)
