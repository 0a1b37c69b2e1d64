"""Settings: read once, typed, every one with a help line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hilum.errors import UsageError
from hilum.image.limits import DEFAULT_LIMITS
from hilum.interfaces.cli.main import main
from hilum.parts import _environment as environment
from hilum.settings import SETTINGS, read_settings, warnings_of, without_secrets

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def public_pem(key: Key) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_the_environment_is_read_and_typed() -> None:
    settings = read_settings({"HILUM_HOME": "/srv/h", "HILUM_WORKERS": "3"})
    assert (settings.home, settings.workers) == (Path("/srv/h"), 3)
    assert settings.max_pixels > 0


def test_a_path_from_where_one_stands_holds_for_works_that_run_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key.pem").write_bytes(public_pem(ec.generate_private_key(ec.SECP384R1())))
    names = {"HILUM_HOME": "state", "HILUM_MODELS": "models", "HILUM_SIGNING_KEY": "key.pem"}
    assert environment(read_settings(names)) == {name: str(tmp_path / value) for name, value in names.items()}


def test_a_home_is_found_where_no_shell_has_read_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    names = {"HILUM_HOME": "~/state", "HILUM_SECRET_FILE": "~/secret", "HILUM_DATA_ROOTS": "/srv/a:~/b"}
    found = read_settings({**names, "HILUM_IMAGES_URL": "s3://bucket/~x"})
    assert (found.home, found.secret_file) == (tmp_path / "state", tmp_path / "secret")
    assert found.data_roots == (Path("/srv/a"), tmp_path / "b")
    assert found.images_url == "s3://bucket/~x"
    assert read_settings({"HILUM_DATABASE_URL": "sqlite:///~/x.db"}).database_url == f"sqlite:///{tmp_path}/x.db"
    for given in ("postgresql://~/x", "sqlite:///a/~b.db", "sqlite:////srv/x.db"):
        assert read_settings({"HILUM_DATABASE_URL": given}).database_url == given


def test_a_signing_key_is_a_public_key_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"HILUM_SIGNING_KEY=.*cannot be read"):
        read_settings({"HILUM_SIGNING_KEY": str(tmp_path / "none.pem")})
    (tmp_path / "private.pem").write_text("-----BEGIN PRIVATE KEY-----")
    with pytest.raises(UsageError, match=r"HILUM_SIGNING_KEY=.*no public key"):
        read_settings({"HILUM_SIGNING_KEY": str(tmp_path / "private.pem")})


@pytest.mark.parametrize(
    ("key", "fits"),
    [
        (ec.generate_private_key(ec.SECP256R1()), True),
        (ec.generate_private_key(ec.SECP521R1()), True),
        (ec.generate_private_key(ec.SECP256K1()), False),
        (rsa.generate_private_key(65537, 2048), False),
        (ed25519.Ed25519PrivateKey.generate(), False),
    ],
    ids=["P-256", "P-521", "another curve", "RSA", "Ed25519"],
)
def test_a_signing_key_is_of_the_kind_that_packages_are_signed_with(tmp_path: Path, key: Key, fits: bool) -> None:
    (tmp_path / "public.pem").write_bytes(b"a remark\r\n" + public_pem(key).replace(b"\n", b"\r\n"))
    asked = {"HILUM_SIGNING_KEY": str(tmp_path / "public.pem")}
    if fits:
        assert read_settings(asked).signing_key == tmp_path / "public.pem"
    else:
        with pytest.raises(UsageError, match=r"HILUM_SIGNING_KEY=.*P-256, P-384 or P-521"):
            read_settings(asked)


def test_a_signing_key_that_is_cut_off_is_refused_at_the_start(tmp_path: Path) -> None:
    for body in ("", "\nMFkwE\n-----END PUBLIC KEY-----", "\n=\n-----END PUBLIC KEY-----"):
        (tmp_path / "key.pem").write_text(f"-----BEGIN PUBLIC KEY-----{body}")
        with pytest.raises(UsageError, match="HILUM_SIGNING_KEY"):
            read_settings({"HILUM_SIGNING_KEY": str(tmp_path / "key.pem")})


@pytest.mark.parametrize("value", ["many", "-1", "1.5"])
def test_a_value_that_does_not_fit_names_its_variable(value: str) -> None:
    with pytest.raises(UsageError, match="HILUM_MAX_BYTES"):
        read_settings({"HILUM_MAX_BYTES": value})


@pytest.mark.parametrize("value", ["collector", "collector:4318", "grpc://collector:4317", "http:///v1/traces"])
def test_traces_need_the_address_of_a_collector(value: str) -> None:
    with pytest.raises(UsageError, match=r"HILUM_TRACES_URL=.*: write for example http://"):
        read_settings({"HILUM_TRACES_URL": value})
    assert read_settings({"HILUM_TRACES_URL": "http://otel:4318/v1/traces"}).traces_url == "http://otel:4318/v1/traces"


@pytest.mark.parametrize("more", ["/hilum", "?x=1", "#x"])
def test_the_public_address_is_a_name_and_nothing_below_it(more: str) -> None:
    with pytest.raises(UsageError, match=r"HILUM_PUBLIC_URL=.*a name of its own"):
        read_settings({"HILUM_PUBLIC_URL": f"https://hilum.test{more}"})
    with pytest.raises(UsageError, match="HILUM_PUBLIC_URL"):
        read_settings({"HILUM_PUBLIC_URL": "https://ada@hilum.test"})
    for given, kept in (("https://hilum.test:443/", "https://hilum.test"), ("http://[::1]:80", "http://[::1]"),
                        ("https://hilum.test:8443", "https://hilum.test:8443")):  # fmt: skip
        assert read_settings({"HILUM_PUBLIC_URL": given}).public_url == kept


def test_the_limits_are_those_that_the_decoders_are_measured_with() -> None:
    settings = read_settings({})
    found = (settings.max_bytes, settings.max_pixels, settings.max_frames)
    assert found == (DEFAULT_LIMITS.max_bytes, DEFAULT_LIMITS.max_pixels, DEFAULT_LIMITS.max_frames)


def test_every_setting_says_what_it_is_for() -> None:
    assert all(len(setting.help) > 20 for setting in SETTINGS)


@pytest.mark.parametrize(
    "name",
    [
        "QUEUE",
        "DEADLINE_MS",
        "UPLOAD_BYTES",
        "MAX_PIXELS",
        "MAX_BYTES",
        "MAX_FRAMES",
        "SESSION_MINUTES",
        "SESSION_HOURS",
    ],
)
def test_a_limit_that_lets_nothing_through_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"HILUM_{name}=0: must be 1 or more"):
        read_settings({f"HILUM_{name}": "0"})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("postgresql://me:hunter2@db/hilum?password=hunter2", "postgresql://…@db/hilum?…"),
        ("postgresql://me:hun/ter2@db:5432/hilum", "postgresql://…@db:5432/hilum"),
        ("postgresql://me:hun?ter2@db/hilum", "postgresql://…@db/hilum"),
        ("postgresql://me:hun@ter2@db/hilum", "postgresql://…@db/hilum"),
        ("postgresql://db/hilum?user=me@there&password=hunter2", "postgresql://db/hilum?…"),
        ("redis://:hunter2@cache:6379/0", "redis://…@cache:6379/0"),
        ("redis://cache:6379/0?password=hun@ter2", "redis://…"),
        ("redis://cache:6379/0?password=hun@ter2&db=1@2", "redis://…"),
        ("postgresql://db/hilum", "postgresql://db/hilum"),
        ("sqlite:////srv/a@b/hilum.db", "sqlite:////srv/a@b/hilum.db"),
        ("/srv/what?/a@b", "/srv/what?/a@b"),
    ],
)
def test_no_part_of_a_password_is_shown_whatever_letters_it_holds(value: str, shown: str) -> None:
    assert without_secrets(value) == shown


def test_the_command_shows_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    for address in ("postgresql://me:x/hunter2@db/hilum", "postgresql://db/hilum?user=me&password=hunter2"):
        monkeypatch.setenv("HILUM_DATABASE_URL", address)
        for more in ([], ["--json"]):
            assert main(["settings", *more]) == 0
            assert "hunter2" not in capsys.readouterr().out


def test_a_name_that_is_no_setting_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """HILUM_AUHT=on leaves the server open to all of this machine: not without a word."""
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    for name in ("HILUM_AUHT", "HILUM_PORT", "HILUM_API_KEY"):
        monkeypatch.setenv(name, "1")
    assert main(["settings"]) == 0
    said = capsys.readouterr().err
    assert "HILUM_AUHT is no setting and changes nothing: is HILUM_AUTH meant?" in said
    assert "HILUM_PORT is no setting and changes nothing; `hilum settings` lists" in said
    assert "HILUM_API_KEY" not in said  # hilum.Client reads it


def test_the_command_shows_a_nought_and_lists_as_they_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {
        "SERVE_WORKERS": "0",
        "RETENTION_DAYS": "0",
        "DATA_ROOTS": "/srv/a:/srv/b",
        "IMAGE_URL_HOSTS": "a.org,b.org",
    }
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    for name, value in given.items():
        monkeypatch.setenv(f"HILUM_{name}", value)
    assert main(["settings", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {name: said[f"HILUM_{name}"]["value"] for name in given} == given
    assert said["HILUM_TRACES_URL"]["value"] == ""
    assert main(["settings"]) == 0
    assert "HILUM_SERVE_WORKERS  0\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["THREADS", "WORKERS", "SERVE_THREADS", "SERVE_WORKERS"])
def test_more_threads_or_processes_than_any_machine_has_are_refused(name: str) -> None:
    """A slip of the finger would start them all, and nothing would be answered."""
    assert read_settings({f"HILUM_{name}": "1024"})
    with pytest.raises(UsageError, match=rf"HILUM_{name}=1025: must be 1,024 or less"):
        read_settings({f"HILUM_{name}": "1025"})


def test_a_number_that_no_file_reaches_is_refused() -> None:
    with pytest.raises(UsageError, match=r"HILUM_MAX_BYTES=.*: must be 1,000,000,000,000,000 or less"):
        read_settings({"HILUM_MAX_BYTES": "9" * 23})


def test_what_is_set_and_does_nothing_is_told(tmp_path: Path) -> None:
    """A misspelt folder looked like one that holds nothing, and a provider like one that is asked."""
    given = {"HILUM_DATA_ROOTS": f"{tmp_path}:{tmp_path / 'misspelt'}", "HILUM_OIDC_ISSUER": "https://login.test"}
    gone, unasked = warnings_of(read_settings(given))
    assert gone == f"HILUM_DATA_ROOTS: {tmp_path / 'misspelt'} is not there"
    assert "HILUM_OIDC_ISSUER changes nothing without HILUM_AUTH=on" in unasked
    assert len(warnings_of(read_settings({**given, "HILUM_AUTH": "on"}))) == 1
