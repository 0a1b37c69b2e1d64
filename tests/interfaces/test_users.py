"""`hilum users`: what an administrator at the console does, and that it is on record."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hilum.access.access import Access
from hilum.errors import NotSignedIn
from hilum.interfaces.cli.main import main
from hilum.parts import open_doors
from hilum.records.store import Query, open_records
from hilum.secret import read_secret
from hilum.settings import read_settings

WORD = "correct horse battery"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HILUM_HOME", str(tmp_path))
    monkeypatch.setenv("HILUM_PUBLIC_URL", "https://hilum.example.org")
    return tmp_path


def hilum(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["users", *words]) == code
    said = capsys.readouterr()
    return said.out if code == 0 else said.err


@contextmanager
def looking(home: Path) -> Iterator[tuple[Access, list[str]]]:
    """The access of this home, opened anew, and the acts on record."""
    settings = read_settings({"HILUM_HOME": str(home)})
    secret = read_secret(settings.secret_file)
    records = open_records(settings.database_url, secret, settings.heads)
    found = records.find(Query(kind="act", limit=100)).records
    acts = [json.loads(record.entry.body)["act"] for record in reversed(found)]
    access = open_doors(settings, secret, records)
    yield access, acts
    access.close()
    records.close()


def test_from_nobody_to_a_working_key_and_back(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nobody yet" in hilum(capsys, "list")
    link = hilum(capsys, "add", "ada", "--role", "admin").strip()
    assert link.startswith("https://hilum.example.org/set-password#")
    again = hilum(capsys, "link", "ada").strip()
    assert again != link
    hilum(capsys, "add", "scanner")
    hilum(capsys, "role", "scanner", "engineer")
    token = hilum(capsys, "key", "add", "scanner", "CT room 2", "--scope", "predict", "--days", "7").strip()
    identity = token.split("_")[1]
    listed = json.loads(hilum(capsys, "key", "list", "scanner", "--json"))
    assert [(key["id"], key["name"], key["revoked"]) for key in listed] == [(identity, "CT room 2", False)]
    with looking(home) as (access, _):
        assert access.keys.check(token).acts == {"predict"}
    hilum(capsys, "key", "revoke", identity)
    assert "revoked" in hilum(capsys, "key", "list")
    hilum(capsys, "disable", "scanner")
    assert "disabled" in hilum(capsys, "list")
    hilum(capsys, "enable", "scanner")
    with looking(home) as (access, acts):
        assert access.users.find("scanner").role == "engineer"
        with pytest.raises(NotSignedIn):
            access.keys.check(token)
    assert acts == [
        "user_added", "link_made", "link_made", "user_added", "link_made", "role_changed",
        "key_added", "key_revoked", "user_disabled", "user_enabled",
    ]  # fmt: skip


def test_a_console_without_the_servers_settings_is_told_what_it_works_on(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A service has its settings in a file: at a terminal without them lies another home, and another address."""
    monkeypatch.delenv("HILUM_PUBLIC_URL")
    monkeypatch.setenv("HILUM_HOME", str(home / "mine"))
    assert main(["users", "add", "ada"]) == 0
    first = capsys.readouterr().err
    assert f"nothing was kept in {home / 'mine'} yet" in first
    assert "HILUM_PUBLIC_URL is not set" in first
    monkeypatch.setenv("HILUM_PUBLIC_URL", "https://hilum.example.org")
    assert main(["users", "link", "ada"]) == 0
    again = capsys.readouterr().err
    assert ("nothing was kept" in again, "HILUM_PUBLIC_URL" in again) == (False, False)


def test_a_password_comes_from_stdin(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{WORD}\n"))
    hilum(capsys, "add", "ada", "--role", "admin", "--password")
    monkeypatch.setattr("sys.stdin", io.StringIO("another good one\n"))
    assert WORD not in hilum(capsys, "password", "ada")
    with looking(home) as (access, _):
        assert access.sign_in("ada", "another good one", "console").caller.name == "ada"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("role", "nobody", "admin"), "no user of that name"),
        (("add", "a b"), "a name has"),
        (("key", "add", "ada", "x", "--scope", "users"), "choose among"),
        (("disable", "ada"), "last administrator"),
    ],
)
def test_wrong_use_is_said_and_changes_nothing(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    hilum(capsys, "add", "ada", "--role", "admin")
    assert said in hilum(capsys, *words, code=2)
    assert len(json.loads(hilum(capsys, "list", "--json"))) == 1


def test_a_password_on_stdin_that_is_no_utf8_is_wrong_use(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of a file that an older editor wrote; it ended in a traceback."""
    words = io.TextIOWrapper(io.BytesIO("schlüssel zum schloß\n".encode("latin-1")), encoding="utf-8")
    monkeypatch.setattr("sys.stdin", words)
    assert "the password is no UTF-8" in hilum(capsys, "add", "ada", "--password", code=2)
    assert json.loads(hilum(capsys, "list", "--json")) == []


def test_the_name_of_a_key_commands_no_terminal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its user chooses it, over HTTP too: so a key could have wiped its own row from what the administrator sees."""
    hilum(capsys, "add", "mallory")
    hilum(capsys, "key", "add", "mallory", "x\x1b[2K\r\x1b[1Ay", "--scope", "predict")
    (row,) = hilum(capsys, "key", "list").splitlines()
    assert row.isprintable()
    assert row.endswith(r"x\x1b[2K\r\x1b[1Ay")
