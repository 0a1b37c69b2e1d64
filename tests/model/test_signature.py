"""A package signed with one key and opened with another, changed, moved: only what the key's owner signed is opened."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hilum.errors import PackageDamaged, PackageNotTrusted
from hilum.interfaces.cli.main import main
from hilum.model.package import Trust, digest_of, open_package
from hilum.model.signature import SIGNATURE, sign

pytest.importorskip("model_signing")
SHIPPED = Path(__file__).resolve().parents[2] / "models" / "pneumonia-cxr"


def _write_key(folder: Path, name: str, key: ec.EllipticCurvePrivateKey, passphrase: bytes = b"") -> tuple[Path, Path]:
    """Private and public part, as `openssl ec` writes them."""
    hidden = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    private, public = folder / f"{name}.pem", folder / f"{name}-public.pem"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, hidden)
    )
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return _write_key(tmp_path_factory.mktemp("keys"), "ours", ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return _write_key(tmp_path_factory.mktemp("keys"), "theirs", ec.generate_private_key(ec.SECP384R1()))


def made(folder: Path, version: str) -> Path:
    """A package that no release pins."""
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns("weights.safetensors", "network.json"))
    manifest = json.loads((folder / "manifest.json").read_bytes())
    files = {name: digest for name, digest in manifest["files"].items() if (folder / name).exists()}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "version": version, "files": files}))
    return folder


@pytest.fixture
def signed(tmp_path: Path, keys: tuple[Path, Path]) -> Path:
    folder = made(tmp_path / "mine", "7.0.0")
    sign(folder, keys[0])
    return folder


def test_what_was_signed_is_opened_with_its_key_and_only_then(
    signed: Path, keys: tuple[Path, Path], theirs: tuple[Path, Path]
) -> None:
    assert open_package(signed, Trust(key=keys[1])).version == "7.0.0"
    with pytest.raises(PackageNotTrusted, match="neither pinned nor signed"):
        open_package(signed, Trust())
    with pytest.raises(PackageNotTrusted, match="does not hold"):
        open_package(signed, Trust(key=theirs[1]))
    (signed / SIGNATURE).unlink()
    with pytest.raises(PackageNotTrusted, match="neither pinned nor signed"):
        open_package(signed, Trust(key=keys[1]))


def test_a_signature_goes_with_its_package_to_any_folder_and_through_a_link(
    signed: Path, keys: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed.rename(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    Path("current").symlink_to("elsewhere")
    for folder in ("elsewhere", "./elsewhere", "current", f"../{tmp_path.name}/elsewhere"):
        assert open_package(Path(folder), Trust(key=keys[1])).version == "7.0.0"
    monkeypatch.chdir("elsewhere")
    assert open_package(Path(), Trust(key=keys[1])).version == "7.0.0"


def test_it_is_signed_again_with_another_key(signed: Path, theirs: tuple[Path, Path]) -> None:
    sign(signed, theirs[0])
    assert open_package(signed, Trust(key=theirs[1])).version == "7.0.0"


def _longer(folder: Path) -> None:
    with (folder / "README.md").open("a") as card:
        card.write("x")


def _other_manifest(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "version": "8.0.0"}))


def _one_more(folder: Path) -> None:
    (folder / "card.md").touch()


def _one_less(folder: Path) -> None:
    (folder / "README.md").unlink()


@pytest.mark.parametrize("change", [_longer, _other_manifest, _one_more, _one_less])
def test_what_was_changed_after_signing_is_not_opened(
    change: Callable[[Path], None], signed: Path, keys: tuple[Path, Path]
) -> None:
    change(signed)
    with pytest.raises(PackageNotTrusted, match="does not hold"):
        open_package(signed, Trust(key=keys[1]))


def test_the_signature_of_another_package_is_none(signed: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    other = made(tmp_path / "other", "7.0.1")
    shutil.copy(signed / SIGNATURE, other)
    with pytest.raises(PackageNotTrusted, match="does not hold"):
        open_package(other, Trust(key=keys[1]))


def test_a_signature_does_not_replace_the_hashes_of_the_manifest(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    folder = made(tmp_path / "mine", "7.0.0")
    _longer(folder)
    sign(folder, keys[0])
    with pytest.raises(PackageDamaged, match=r"README\.md: was changed"):
        open_package(folder, Trust(key=keys[1]))


def test_a_damaged_signature_is_refused_in_words(signed: Path, keys: tuple[Path, Path]) -> None:
    whole = json.loads((signed / SIGNATURE).read_bytes())
    no_key = {**whole, "verificationMaterial": {"publicKey": {}}}
    forged = {**whole, "dsseEnvelope": {**whole["dsseEnvelope"], "payload": "e30="}}
    unsigned = {**whole, "dsseEnvelope": {**whole["dsseEnvelope"], "signatures": []}}
    said = [
        json.dumps(one).encode() for one in (no_key | forged, forged, unsigned, {}, [], 5, {"verificationMaterial": 5})
    ]
    for damaged in (*said, b"", b"{", b"\xff\xfe", b"[" * 100_000):
        (signed / SIGNATURE).write_bytes(damaged)
        with pytest.raises(PackageNotTrusted, match="does not hold"):
            open_package(signed, Trust(key=keys[1]))
        assert open_package(signed, Trust(pinned=(digest_of(signed),), key=keys[1])).version == "7.0.0"


def test_it_is_signed_and_shown_by_command_as_the_help_says(
    tmp_path: Path, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path / "mine", "7.0.0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    assert main(["models", "./mine", "--sign", str(keys[0]), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"signed": "mine"}
    assert main(["models", "./mine", "--json"]) == 1
    monkeypatch.setenv("HILUM_SIGNING_KEY", str(keys[1]))
    capsys.readouterr()
    assert main(["models", "./mine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == "7.0.0"


def test_a_key_that_cannot_sign_is_told_and_signs_nothing(
    tmp_path: Path, keys: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made(tmp_path / "mine", "7.0.0")
    hidden, _ = _write_key(tmp_path, "hidden", ec.generate_private_key(ec.SECP256R1()), b"a phrase")
    other_curve, _ = _write_key(tmp_path, "other", ec.generate_private_key(ec.SECP256K1()))
    wrong = tmp_path / "rsa.pem"
    wrong.write_bytes(
        rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    for key in (hidden, other_curve, wrong, keys[1], tmp_path / "nowhere.pem", tmp_path):
        assert main(["models", str(folder), "--sign", str(key)]) == 2
        assert f"{key}: cannot sign with it" in capsys.readouterr().err
    assert not (folder / SIGNATURE).exists()
