"""Single files in buckets and at https:// are listed and read without a trace on this disk."""

from __future__ import annotations

import sys
from hashlib import sha256

import pytest

from hilum.data.places.far import REMOTES, list_files, place_of, read_far
from hilum.errors import ImageTooLarge, MissingExtra, UnreadableImage, UnreadableSource, UsageError
from tests.data.made import png
from tests.data.servers import Site, make_certificate, serving

obstore = pytest.importorskip("obstore")
pytest.importorskip("httpx")

MOST = 10_000


@pytest.fixture
def store(bucket):
    return obstore.store.from_url(bucket)


@pytest.fixture
def site(tmp_path, monkeypatch):
    server, authority = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    site = Site({"/scan 1.png": png(1)}, moved={"/moved.png": "/scan%201.png", "/down.png": "http://127.0.0.1/a.png"})
    with serving(site, certificate=server) as port:
        site.address = f"https://127.0.0.1:{port}"
        yield site


def test_a_prefix_is_listed_in_order_and_an_object_is_itself(bucket, store):
    for path in ("a/2.png", "a/1 #x.png", "a/deep/3.dcm", "a/empty/", "ab/9.png"):
        obstore.put(store, path, b"" if path.endswith("/") else png())
    assert list(list_files(f"{bucket}/a/")) == [f"{bucket}/a/{name}" for name in ("1 #x.png", "2.png", "deep/3.dcm")]
    assert list(list_files(f"{bucket}/a/2.png")) == [f"{bucket}/a/2.png"]
    assert read_far(f"{bucket}/a/1 #x.png", MOST) == png()


def test_an_object_without_a_suffix_is_found_by_its_name(bucket, store):
    obstore.put(store, "scans/IM0001", png(4))
    assert list(list_files(f"{bucket}/scans/IM0001")) == [f"{bucket}/scans/IM0001"]
    assert read_far(f"{bucket}/scans/IM0001", MOST) == png(4)


def test_what_a_bucket_does_not_give_is_one_bad_file(bucket, store):
    obstore.put(store, "big.png", b"x" * (MOST + 1))
    with pytest.raises(UnreadableImage, match="cannot be fetched"):
        read_far(f"{bucket}/none.png", MOST)
    with pytest.raises(ImageTooLarge):
        read_far(f"{bucket}/big.png", MOST)
    with pytest.raises(UnreadableSource, match="cannot be listed"):
        list(list_files("s3://another-bucket/films"))


def test_an_address_gives_its_bytes_and_holds_its_pin(site):
    data, pin = png(1), sha256(png(1)).hexdigest()
    address = f"{site.address}/scan%201.png"
    assert list(list_files(address)) == [address]
    assert read_far(f"{address}?key=secret#sha256={pin}", MOST) == data
    assert read_far(f"{site.address}/moved.png", MOST) == data
    with pytest.raises(UnreadableImage, match="SHA-256"):
        read_far(f"{address}#sha256={'0' * 64}", MOST)
    with pytest.raises(ImageTooLarge):
        read_far(address, 10)


@pytest.mark.parametrize(
    ("path", "why"), [("/none.png?key=secret", "404"), ("/down.png", "not protected"), ("/scan.png#x", "sha256=")]
)
def test_what_a_site_does_not_give_is_one_bad_file_and_shows_no_key(site, path, why):
    with pytest.raises(UnreadableImage, match=why) as found:
        read_far(site.address + path, MOST)
    assert "secret" not in str(found.value)


def test_a_password_in_an_address_is_not_used(site):
    with pytest.raises(UnreadableImage, match="password"):
        read_far(site.address.replace("://", "://me:secret@") + "/scan%201.png", MOST)
    assert site.asked == []


@pytest.mark.parametrize("address", ["http://host/a.png", "ftp://host/a", "kaggle://owner/set", "hf://owner/set"])
def test_other_places_are_wrong_use_and_name_those_there_are(address):
    with pytest.raises(UsageError, match="s3://"):
        place_of(address, files=True)


def test_a_client_that_is_not_installed_is_named_with_its_extra(monkeypatch):
    for remote in REMOTES:
        monkeypatch.delitem(sys.modules, remote.module, raising=False)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(MissingExtra, match=r"hilum\[sources\]"):
        place_of("s3://bucket/a.png", files=True)
    with pytest.raises(UnreadableImage, match=r"hilum\[sources\]"):
        read_far("s3://bucket/a.png", MOST)
