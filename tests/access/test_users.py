"""Users: names, roles, passwords, and who must stay."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from hilum.access import passwords
from hilum.access.caller import LOCAL
from hilum.access.passwords import check_new, fits, hashed
from hilum.access.users import insert, new_user
from hilum.errors import NotFound, NotSignedIn, UsageError
from tests.access.conftest import House

WORD = "correct horse battery"


def test_a_user_is_added_found_and_listed(each_house: House) -> None:
    user = each_house.access.users.add("Dr.Ada", "reviewer", LOCAL, password=WORD)
    assert each_house.access.users.find("dr.ada") == user == each_house.access.users.find(user.id)
    assert each_house.access.users.all() == (user,)
    assert user.caller().roles == {"reader", "reviewer"}
    assert (each_house.did(), each_house.deeds[0].caller, each_house.deeds[0].about) == (
        ["user_added"],
        "local",
        user.id,
    )


def test_a_name_is_taken_whatever_its_case_or_form(house: House) -> None:
    house.access.users.add("ﬁona", "reader", LOCAL)  # a ligature, folded by NFKC
    for name in ("FIONA", "fiona", " Fiona "):
        with pytest.raises(UsageError, match="taken"):
            house.access.users.add(name, "reader", LOCAL)


@pytest.mark.parametrize("name", ["", " ", "a b", "a\nb", "-x", "../x", "x" * 65, "<b>", "a\u202eb", "a\x00"])
def test_a_name_is_a_name(house: House, name: str) -> None:
    with pytest.raises(UsageError):
        house.access.users.add(name, "reader", LOCAL)


@pytest.mark.parametrize("word", ["short", "aaaaaaaaaaaaaaa", "x" * 300, "ada.lovelace1"])
def test_weak_passwords_are_refused(word: str) -> None:
    with pytest.raises(UsageError):
        check_new(word, "ada.lovelace")


def test_a_hash_is_argon2id_and_fits_its_password_only() -> None:
    stored = hashed(WORD)
    assert stored.startswith("$argon2id$")
    assert hashed(WORD) != stored
    assert fits(WORD, stored)
    assert fits("p\u00e4ssword pass", hashed("pa\u0308ssword pass"))  # composed and decomposed letters
    assert not fits("correct horse batterz", stored)
    assert not fits("\x00 nobody", "")
    assert not fits(WORD, "no hash")
    assert not fits("x" * 10_000_000, stored)


@pytest.mark.parametrize("letter", ["a\u0308", "\u1112\u1161\u11ab"], ids=["two parts", "three parts"])
def test_a_password_that_was_taken_opens_the_door_where_letters_are_typed_in_parts(letter: str) -> None:
    word = WORD + letter * 200
    check_new(word, "ada")
    assert fits(word, hashed(word))


def test_letters_that_are_many_count_as_many_everywhere() -> None:
    word = WORD + "\ufdfa" * 200  # eighteen letters each
    with pytest.raises(UsageError, match="to 256 characters"):
        check_new(word, "ada")
    assert not fits(word, hashed(word))


def test_the_last_administrator_cannot_be_lost(each_house: House) -> None:
    users = each_house.access.users
    ada, bob = users.add("ada", "admin", LOCAL), users.add("bob", "admin", LOCAL)
    users.disable("bob", ada.caller())
    for lose in (lambda: users.disable("ada", ada.caller()), lambda: users.set_role("ada", "reader", ada.caller())):
        with pytest.raises(UsageError, match="last administrator"):
            lose()
    assert users.find("ada").role == "admin"
    users.enable(bob.id, ada.caller())
    assert users.set_role("ada", "reader", bob.caller()).role == "reader"
    assert each_house.did()[2:] == ["user_disabled", "user_enabled", "role_changed"]


def test_a_role_change_ends_the_sessions(house: House) -> None:
    user = house.access.users.add("ada", "engineer", LOCAL, password=WORD)
    session = house.access.sign_in("ada", WORD, "1.2.3.4")
    assert house.access.sessions.check(session.token).may("train")
    house.access.users.set_role(user.id, "reader", LOCAL)
    assert house.access.sessions.known(session.token) is None
    with pytest.raises(NotSignedIn):
        house.access.sessions.check(session.token)


def test_nobody_is_not_found(house: House) -> None:
    with pytest.raises(NotFound):
        house.access.users.find("nobody")


def test_no_password_token_or_name_of_a_failed_try_is_on_the_disk(house: House) -> None:
    user = house.access.users.add("ada", "admin", LOCAL, password=WORD)
    session = house.access.sign_in("ada", WORD, "1.2.3.4")
    _, key = house.access.keys.add(user.id, "for the scanner", ("predict",), 30, LOCAL)
    link = house.access.links.invite(user.id, LOCAL)
    with pytest.raises(NotSignedIn):
        house.access.sign_in("hunter2-typed-in-the-wrong-box", "x", "203.0.113.77")
    house.access.close()
    with sqlite3.connect(house.url.removeprefix("sqlite:///")) as plain:
        stored = "\n".join(plain.iterdump())
    plain.close()
    stored += repr(house.deeds[-1].body())
    for secret in (WORD, session.token, session.csrf, key, key.split("_", 2)[2], link, "hunter2", "203.0.113.77"):
        assert secret not in stored
        assert secret.encode().hex().upper() not in stored


def test_a_role_that_there_is_none_of_is_given_to_nobody(house: House) -> None:
    with pytest.raises(UsageError, match="no role 'root'"):
        house.access.users.add("eve", "root", LOCAL)
    assert house.access.users.all() == ()
    house.access.users.add("eve", "reader", LOCAL)
    with pytest.raises(UsageError, match="no role 'root'"):
        house.access.users.set_role("eve", "root", LOCAL)
    assert house.access.users.find("eve").role == "reader"


@pytest.mark.parametrize("word", ["abcde" + "a" * 7, "abcde" + "a" * 251, "ada.lovelace" + "123456"])
def test_a_password_at_the_edge_of_the_rules_is_taken_and_fits(word: str) -> None:
    check_new(word, "ada.lovelace")
    assert fits(word, hashed(word))


@pytest.mark.parametrize("word", ["abcde" + "a" * 6, "abcde" + "a" * 252, "abcd" + "a" * 8, "ada.lovelace12345"])
def test_a_password_beyond_the_edge_is_not(word: str) -> None:
    with pytest.raises(UsageError, match="the password"):
        check_new(word, "ada.lovelace")


def test_a_name_that_there_is_none_of_costs_a_hash_too_and_never_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the time of the answer tells which names there are, and a crowd at the door takes all memory."""
    inside, most, count = threading.Semaphore(passwords.AT_ONCE), [0], [0]

    class Slow:
        def verify(self, stored: str, _password: str) -> bool:
            most[0] += not inside.acquire(blocking=False)
            count[0] += bool(stored)
            threading.Event().wait(0.02)
            inside.release()
            return True

    monkeypatch.setattr(passwords, "_HASHER", Slow())
    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(lambda _: fits(WORD, ""), range(16)))
    assert (count, most) == ([16], [0])
    assert passwords.AT_ONCE * 46 <= 128  # MiB


def test_nobody_takes_the_id_of_another_for_a_name(each_house: House) -> None:
    """Ids stand in the history for every reader, and wherever somebody is named either of the two may be said."""
    access = each_house.access
    ada = access.users.add("ada", "engineer", LOCAL)
    for name in (ada.id, ada.id.upper(), f" {ada.id} ", "local", "Console", "nobody"):
        with pytest.raises(UsageError, match="is taken"):
            access.users.add(name, "reader", LOCAL)
    eve = access.sign_in_as("https://login.example.org 77", ada.id, "reader").caller
    assert eve.name != ada.id
    access.users.set_role(ada.id, "admin", LOCAL)
    assert {user.name: user.role for user in access.users.all()} == {"ada": "admin", eve.name: "reader"}


def test_an_id_is_whose_it_is_though_a_name_of_older_records_reads_like_it(each_house: House) -> None:
    access = each_house.access
    eve, ada = (new_user(name, "reader", 1.0) for name in ("eve", "ada"))
    with access.ground.database.writing() as connection:
        insert(connection, replace(eve, name=ada.id), "")
        insert(connection, ada, "")
    assert access.users.find(ada.id) == ada
    assert access.users.set_role(ada.id, "admin", LOCAL).name == "ada"
    assert access.users.find(eve.id).role == "reader"


def test_whoever_types_the_name_in_other_letters_is_let_in(each_house: House) -> None:
    """As a keyboard that writes in full width does, or a phone that puts a space behind every word."""
    each_house.access.users.add("Fiona", "reader", LOCAL, password=WORD)
    for name in ("fiona ", "\uff26\uff29\uff2f\uff2e\uff21", "\ufb01ona"):
        assert each_house.access.sign_in(name, WORD, "1.2.3.4").caller.name == "Fiona", name
        assert each_house.access.users.find(name).name == "Fiona"


def test_nobodys_password_is_hardly_more_than_the_name_whoever_chooses_it(house: House) -> None:
    access, weak = house.access, "Ada.Lovelace1"
    token = str(access.links.first())
    with pytest.raises(UsageError, match="hardly more than the name"):
        access.links.begin(token, "ada.lovelace", weak)
    with pytest.raises(UsageError, match="hardly more than the name"):
        access.users.add("ada.lovelace", "reader", LOCAL, password=weak)
    access.users.add("ada.lovelace", "reader", LOCAL, password=WORD)
    for named in ("ada.lovelace", access.users.find("ada.lovelace").id):
        with pytest.raises(UsageError, match="hardly more than the name"):
            access.users.set_password(named, weak, LOCAL)
    assert access.sign_in("ada.lovelace", WORD, "1.2.3.4").token


def test_what_is_done_about_a_user_is_told_with_who_did_it_and_the_role_that_was_given(house: House) -> None:
    access = house.access
    ada = access.links.begin(str(access.links.first()), "ada", WORD)
    bob = access.users.add("bob", "reader", ada.caller())
    access.users.set_role("bob", "engineer", ada.caller())
    access.users.disable("bob", ada.caller())
    access.users.enable("bob", ada.caller())
    access.users.set_password("bob", "another good one", ada.caller())
    access.links.accept(access.links.invite(bob.id, ada.caller()), WORD)
    key, _ = access.keys.add(bob.id, "for the scanner", ("train",), 1, ada.caller())
    access.keys.revoke(key.id, ada.caller())
    assert [(deed.caller, deed.body()) for deed in house.deeds] == [
        ("nobody", {"act": "first_start", "about": ada.id, "role": "admin"}),
        (ada.id, {"act": "user_added", "about": bob.id, "role": "reader"}),
        (ada.id, {"act": "role_changed", "about": bob.id, "role": "engineer"}),
        (ada.id, {"act": "user_disabled", "about": bob.id}),
        (ada.id, {"act": "user_enabled", "about": bob.id}),
        (ada.id, {"act": "password_changed", "about": bob.id}),
        (ada.id, {"act": "link_made", "about": bob.id}),
        (bob.id, {"act": "password_changed", "about": bob.id}),
        (ada.id, {"act": "key_added", "about": bob.id, "key": key.id, "scopes": "train"}),
        (ada.id, {"act": "key_revoked", "about": bob.id, "key": key.id}),
    ]
