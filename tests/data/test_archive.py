"""An archive reads like the folder it was made of; one that means harm is refused, and nothing is written outside."""

from __future__ import annotations

import io
import pickle
import stat
import tarfile
import zipfile
from multiprocessing import get_context

import pytest

from hilum.data.source import open_source
from hilum.errors import UnreadableImage, UnreadableSource
from tests.data.made import lay, npz, pictures, png, zip_without_the_mark_of_utf8

FILES = pictures("set/train/a/1.png", "set/train/b/2.png", "set/test/a/3.png")


def packed(tmp_path, suffix, files=FILES):
    path = tmp_path / f"set{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(path, f"w:{suffix.removeprefix('.tar').lstrip('.')}".replace("tgz", "gz")) as archive:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


def opened(tmp_path, path):
    return open_source(str(path), cache=tmp_path / "cache")


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"])
def test_an_archive_is_the_data_set_of_its_folder(tmp_path, suffix):
    folder = open_source(str(lay(tmp_path / "folder", FILES)))
    path = packed(tmp_path, suffix)
    for _ in range(2):  # the second time from the cache
        dataset = opened(tmp_path, path)
        assert [case.id for case in dataset.cases] == [f"{path}#{name}" for name in sorted(FILES)]
        assert [(c.raw_label, c.split) for c in dataset.cases] == [(c.raw_label, c.split) for c in folder.cases]
        assert dataset.digest == folder.digest
        assert dataset.images(dataset.cases[0])[0].pixels.shape == (8, 8)
    again = pickle.loads(pickle.dumps(dataset))
    assert again.data(again.cases[1]) == dataset.data(dataset.cases[1])


def test_a_zip_with_backslashes_has_folders_too(tmp_path):
    path = packed(
        tmp_path, ".zip", {"set\\test\\": b"", **{name.replace("/", "\\"): data for name, data in FILES.items()}}
    )
    dataset = opened(tmp_path, path)
    assert [case.id for case in dataset.cases] == [f"{path}#{name}" for name in sorted(FILES)]
    assert [case.raw_label for case in dataset.cases] == ["a", "a", "b"]
    assert dataset.images(dataset.cases[0])[0].pixels.shape == (8, 8)


def test_names_in_a_zip_of_macos_are_those_of_its_folder(tmp_path):
    """Else no table finds its images, and a class has a name that nobody wrote."""
    files = pictures("gesunde Fa\u0308lle/Mu\u0308ller.png", "krank/x.png")
    dataset = opened(tmp_path, zip_without_the_mark_of_utf8(tmp_path / "set.zip", files, system=3))
    folder = open_source(str(lay(tmp_path / "folder", files)))
    assert [case.path for case in dataset.cases] == sorted(files)
    assert dataset.digest == folder.digest


@pytest.mark.parametrize(("system", "name"), [(0, "Mu\u0308ller"), (3, b"M\x81ller".decode("cp437"))])
def test_names_in_an_old_zip_that_are_no_utf8_or_of_dos_are_read_as_before(tmp_path, system, name):
    encoded = name.encode() if system == 0 else name.encode("cp437")
    files = {f"a/{'x' * len(encoded)}.png": png(), "b/2.png": png(1)}
    path = zip_without_the_mark_of_utf8(tmp_path / "set.zip", files, system)
    path.write_bytes(path.read_bytes().replace(b"x" * len(encoded), encoded))
    dataset = opened(tmp_path, path)
    assert dataset.cases[0].path == f"a/{encoded.decode('cp437')}.png"
    assert dataset.images(dataset.cases[0])[0].pixels.shape == (8, 8)


def _hashes(dataset):
    return dataset.digest


def test_a_worker_process_reads_the_same_zip(tmp_path):
    dataset = opened(tmp_path, packed(tmp_path, ".zip"))
    dataset.data(dataset.cases[0])
    with get_context("spawn").Pool(1) as pool:
        assert pool.apply(_hashes, (dataset,)) == dataset.digest


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
@pytest.mark.parametrize("name", ["../out.png", "/etc/out.png", "a/../../out.png", "C:/out.png", "..\\out.png"])
def test_names_that_lead_out_are_refused(tmp_path, suffix, name):
    path = packed(tmp_path, suffix, FILES | {name: png()})
    with pytest.raises(UnreadableSource, match="leads out"):
        opened(tmp_path, path)
    assert not list(tmp_path.parent.rglob("out.png"))


def test_links_are_stray_and_never_followed(tmp_path):
    path = packed(tmp_path, ".tar")
    with tarfile.open(path, "a") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            info = tarfile.TarInfo(f"set/train/a/link{kind.decode()}.png")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    dataset = opened(tmp_path, path)
    assert len(dataset) == 3
    assert len(dataset.stray) == 2
    path = packed(tmp_path, ".zip")
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("set/train/a/link.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    dataset = opened(tmp_path, path)
    assert len(dataset) == 3
    assert dataset.stray == (f"{path}#set/train/a/link.png",)


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_a_bomb_is_refused_and_leaves_nothing(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr("hilum.data.places.archive.FREE_BYTES", 100_000)
    path = packed(tmp_path, suffix, {"a/1.png": b"\0" * 10_000_000})
    with pytest.raises(UnreadableSource, match="bomb"):
        opened(tmp_path, path)
    assert not [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
@pytest.mark.parametrize("content", [b"", b"no archive at all", b"PK\x03\x04"])
def test_what_is_no_archive_is_said(tmp_path, suffix, content):
    (tmp_path / f"set{suffix}").write_bytes(content)
    with pytest.raises(UnreadableSource, match="set"):
        opened(tmp_path, tmp_path / f"set{suffix}")


def test_one_broken_member_fails_alone(tmp_path):
    path = packed(tmp_path, ".zip")
    data = bytearray(path.read_bytes())
    start = data.find(b"set/train/a/1.png") + len("set/train/a/1.png")
    data[start + 20 : start + 40] = b"\xff" * 20
    path.write_bytes(data)
    dataset = opened(tmp_path, path)
    broken, *whole = sorted(dataset.cases, key=lambda case: case.path != "set/train/a/1.png")
    with pytest.raises(UnreadableImage, match=r"#set/train/a/1\.png"):
        dataset.images(broken)
    assert all(dataset.images(case) for case in whole)


@pytest.mark.parametrize("bit", [0, 5])  # encrypted; patched, which zipfile does not read
def test_an_array_that_is_packed_so_that_nobody_here_reads_it_is_said(tmp_path, bit):
    path = packed(tmp_path, ".zip", {"x.npz": npz(tmp_path / "x.npz", images=[[[1, 2]]], labels=["a"]).read_bytes()})
    data = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(mark) if flags == 6 else data.rfind(mark)  # of the archive, not of the array inside
        data[place + flags] |= 1 << bit
    path.write_bytes(data)
    with pytest.raises(UnreadableSource, match=r"#x\.npz"):
        opened(tmp_path, path)


def test_an_array_inside_an_archive_and_an_archive_alone_in_a_folder(tmp_path):
    array = npz(tmp_path / "x.npz", images=[[[1, 2], [3, 4]]], labels=["a"]).read_bytes()
    only = tmp_path / "study #7"
    only.mkdir()
    path = packed(only, ".zip", {"x.npz": array, "inner.zip": b"not looked into"})
    for reference in (path, only):
        dataset = opened(tmp_path, reference)
        assert [case.id for case in dataset.cases] == [f"{only}/set.zip#x.npz#0"]
        assert dataset.images(dataset.cases[0])[0].pixels.shape == (2, 2)


def test_an_archive_inside_an_archive_is_not_opened(tmp_path):
    inner = packed(tmp_path, ".zip")
    (tmp_path / "outer").mkdir()
    with pytest.raises(UnreadableSource, match="holds no images"):
        opened(tmp_path, packed(tmp_path / "outer", ".zip", {"inner.zip": inner.read_bytes()}))
