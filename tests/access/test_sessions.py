"""Sessions: rotation, idle and absolute end; what a cookie is worth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hilum.access import access
from hilum.access.caller import LOCAL
from hilum.access.keys import DAY
from hilum.access.tables import Database, sessions
from hilum.errors import NotSignedIn, TooManyAttempts
from tests.access.conftest import House
from tests.access.test_users import WORD


@pytest.fixture
def signed(each_house: House) -> House:
    each_house.access.users.add("ada", "reader", LOCAL, password=WORD)
    return each_house


def test_signing_in_gives_a_session_and_rotates_the_old_one(signed: House) -> None:
    first = signed.access.sign_in("Ada", WORD, "1.2.3.4")
    assert signed.access.sessions.check(first.token) == first.caller
    second = signed.access.sign_in("ada", WORD, "1.2.3.4", first.token)
    assert signed.access.sessions.known(first.token) is None
    assert (first.token, first.csrf) != (second.token, second.csrf)
    with pytest.raises(NotSignedIn):
        signed.access.sessions.check(first.token)
    assert signed.access.sessions.check(second.token).name == "ada"
    assert signed.did() == ["user_added", "signed_in", "signed_in"]


def test_an_idle_session_ends_and_a_used_one_does_not(signed: House) -> None:
    session = signed.access.sign_in("ada", WORD, "1.2.3.4")
    for _ in range(4):
        signed.clock.seconds += 1700
        signed.access.sessions.check(session.token)
    signed.clock.seconds += 1801
    with pytest.raises(NotSignedIn):
        signed.access.sessions.check(session.token)


def test_a_session_idles_no_longer_because_the_clock_was_set_back(signed: House) -> None:
    session = signed.access.sign_in("ada", WORD, "1.2.3.4")
    signed.clock.seconds -= 3600
    signed.access.sessions.check(session.token)  # somebody sits there, by the new clock
    signed.clock.seconds += 1801
    with pytest.raises(NotSignedIn):
        signed.access.sessions.check(session.token)


def test_a_page_that_asks_by_itself_keeps_no_session_from_ending(signed: House) -> None:
    session = signed.access.sign_in("ada", WORD, "1.2.3.4")
    for _ in range(2):
        signed.clock.seconds += 890
        assert signed.access.sessions.peek(session.token) == session.caller
        assert signed.access.sessions.known(session.token) is None  # else a person's next request were not noticed
    signed.clock.seconds += 21
    with pytest.raises(NotSignedIn):
        signed.access.sessions.peek(session.token)


def test_a_session_ends_however_busy(signed: House) -> None:
    session = signed.access.sign_in("ada", WORD, "1.2.3.4")
    while signed.clock.seconds + 1000 < session.ends:
        signed.clock.seconds += 1000
        signed.access.sessions.check(session.token)
    signed.clock.seconds = session.ends
    with pytest.raises(NotSignedIn):
        signed.access.sessions.check(session.token)


def test_signing_out_ends_it_here_and_now(signed: House) -> None:
    session = signed.access.sign_in("ada", WORD, "1.2.3.4")
    signed.access.sessions.check(session.token)
    assert signed.access.sessions.known(session.token)
    signed.access.sessions.end(session.token)
    assert signed.access.sessions.known(session.token) is None
    with pytest.raises(NotSignedIn):
        signed.access.sessions.check(session.token)
    signed.access.sessions.end(session.token)
    assert signed.did()[-1] == "signed_out"


def test_a_disabled_user_is_out_at_once(signed: House) -> None:
    session = signed.access.sign_in("ada", WORD, "1.2.3.4")
    signed.access.users.disable("ada", LOCAL)
    with pytest.raises(NotSignedIn):
        signed.access.sessions.check(session.token)
    with pytest.raises(NotSignedIn, match="name or the password"):
        signed.access.sign_in("ada", WORD, "1.2.3.4")


def test_changing_the_password_ends_every_session(signed: House) -> None:
    one, two = (signed.access.sign_in("ada", WORD, "1.2.3.4") for _ in range(2))
    with pytest.raises(NotSignedIn, match="old password"):
        signed.access.change_password(one.caller, "wrong wrong wrong", "another good one", "1.2.3.4")
    signed.access.change_password(one.caller, WORD, "another good one", "1.2.3.4")
    for session in (one, two):
        with pytest.raises(NotSignedIn):
            signed.access.sessions.check(session.token)
    assert signed.access.sign_in("ada", "another good one", "1.2.3.4").token


def test_a_revocation_between_read_and_remembering_is_not_lost(signed: House) -> None:
    session, recent = signed.access.sign_in("ada", WORD, "1.2.3.4"), signed.access.ground.recent
    turn = recent.turn
    signed.access.sessions.end(session.token)
    recent.put(b"digest", session.caller, 60.0, turn)
    assert recent.get(b"digest") is None


def test_what_a_page_must_send_along_is_of_its_own_session_and_told_by_it_alone(signed: House) -> None:
    one, two = (signed.access.sign_in("ada", WORD, "1.2.3.4") for _ in range(2))
    assert one.csrf == signed.access.sessions.csrf(one.token) != two.csrf
    assert len(bytes.fromhex(one.csrf)) == 32
    assert signed.access.sessions.check(one.token) == signed.access.sessions.check(two.token)  # both live


def test_what_has_ended_goes_with_the_next_one_that_signs_in(signed: House) -> None:
    for wait in (0, 1801, 1):
        signed.clock.seconds += wait
        last = signed.access.sessions.start(signed.access.users.find("ada"), "session")
    with signed.access.ground.database.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(sessions)) == 2
    assert signed.access.sessions.check(last.token)


def test_who_took_a_session_cannot_guess_its_password_either(signed: House) -> None:
    caller, throttle = signed.access.users.find("ada").caller(), signed.access.throttle
    for _ in range(4):
        throttle.knock("ada", "6.6.6.6")
    with pytest.raises(NotSignedIn, match="old password"):
        signed.access.change_password(caller, "wrong wrong wrong", "another good one", "6.6.6.6")
    with pytest.raises(TooManyAttempts):
        signed.access.change_password(caller, WORD, "another good one", "6.6.6.6")
    signed.clock.seconds += 1
    signed.access.change_password(caller, WORD, "another good one", "6.6.6.6")
    for _ in range(5):  # the count has begun anew
        throttle.knock("ada", "6.6.6.6")


def tokens(house: House) -> tuple[str, str]:
    """Of a session and a key of one user, none of them looked at so far."""
    user = house.access.users.add("ben", "reader", LOCAL)
    return house.access.sessions.start(user, "session").token, house.access.keys.add(
        user.id, "k", ("predict",), 1, LOCAL
    )[1]


@pytest.mark.parametrize("kind", ["session", "key"])
def test_a_revocation_in_the_moment_of_verifying_is_not_lost(
    house: House, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, key = tokens(house)
    reading = Database.reading

    @contextmanager
    def overtaken(self: Database) -> Iterator[Connection]:
        with reading(self) as connection:
            yield connection
        house.access.ground.recent.clear()  # as whoever revokes does, here before the answer is remembered

    monkeypatch.setattr(Database, "reading", overtaken)
    door, token = (house.access.sessions, session) if kind == "session" else (house.access.keys, key)
    door.check(token)
    assert door.known(token) is None


def test_nothing_is_remembered_past_its_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    session, key = tokens(house)
    recent, now = house.access.ground.recent, 0.0
    monkeypatch.setattr(recent, "_clock", lambda: now)
    for door, token, whole in ((house.access.sessions, session, 43_200.0), (house.access.keys, key, DAY)):
        began = house.clock.seconds
        if whole < DAY:
            for _ in range(25):  # busy, so that it does not idle
                house.clock.seconds += 1700
                door.check(token)
        house.clock.seconds = began + whole - 2
        recent.clear()
        door.check(token)
        now += 1.9
        assert door.known(token)
        now += 0.2
        assert door.known(token) is None
        house.clock.seconds = began


@pytest.fixture
def overtaken(signed: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """An administrator resets the password while the one before is being looked at."""
    fits = access.fits

    def late(password: str, stored: str) -> bool:
        found = fits(password, stored)
        monkeypatch.setattr(access, "fits", fits)
        signed.access.users.set_password("ada", "a third good one", LOCAL)
        return found

    monkeypatch.setattr(access, "fits", late)
    return signed


def test_no_session_begins_with_a_password_that_was_changed_while_it_was_looked_at(overtaken: House) -> None:
    with pytest.raises(NotSignedIn, match="name or the password"):
        overtaken.access.sign_in("ada", WORD, "1.2.3.4")
    with overtaken.access.ground.database.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(sessions)) == 0
    assert "signed_in" not in overtaken.did()
    assert overtaken.access.sign_in("ada", "a third good one", "1.2.3.4").token


def test_who_knows_the_password_before_does_not_undo_a_new_one(overtaken: House) -> None:
    caller = overtaken.access.users.find("ada").caller()
    with pytest.raises(NotSignedIn, match="old password"):
        overtaken.access.change_password(caller, WORD, "another good one", "1.2.3.4")
    assert overtaken.access.sign_in("ada", "a third good one", "1.2.3.4").token


def test_who_guesses_the_password_of_a_session_is_on_record_with_the_address(signed: House) -> None:
    user = signed.access.users.find("ada")
    for refused in (*[NotSignedIn] * 5, TooManyAttempts):
        with pytest.raises(refused):
            signed.access.change_password(user.caller(), "wrong wrong wrong", "another good one", "6.6.6.6")
    told = [(deed.what, deed.caller, deed.about, deed.personal) for deed in signed.deeds[1:]]
    address = {"address": "6.6.6.6"}
    assert told == [("password_refused", user.id, user.id, address)] * 5 + [("sign_in_throttled", user.id, "", address)]


def test_a_session_says_on_record_how_it_began_and_whose_end_it_was(signed: House) -> None:
    user = signed.access.users.find("ada")
    session = signed.access.sign_in("ada", WORD, "1.2.3.4")
    signed.access.sessions.end(session.token)
    signed.access.sign_in_as("https://login.example.org 77", "Eve", "reader")
    (eve,) = {one.id for one in signed.access.users.all()} - {user.id}
    assert [(deed.caller, deed.body()) for deed in signed.deeds[1:]] == [
        (user.id, {"act": "signed_in", "about": user.id, "via": "session"}),
        (user.id, {"act": "signed_out", "about": user.id}),
        ("nobody", {"act": "user_added", "about": eve, "role": "reader", "via": "oidc"}),
        (eve, {"act": "signed_in", "about": eve, "via": "oidc"}),
    ]


def test_a_short_silence_is_measured_from_the_last_request(house: House) -> None:
    """Where a minute of it ends a session, half a minute between two notes of it would be half of that."""
    user = house.access.users.add("ada", "reader", LOCAL)
    sessions = replace(house.access.sessions, idle=60.0)
    token = sessions.start(user, "session").token
    for wait in (20, 55, 59):
        house.clock.seconds += wait
        house.access.ground.recent.clear()  # as after five seconds
        assert sessions.check(token).id == user.id
    house.clock.seconds += 60
    house.access.ground.recent.clear()
    with pytest.raises(NotSignedIn):
        sessions.check(token)


def test_a_session_that_began_in_the_moment_its_user_was_shut_out_is_worth_nothing(house: House) -> None:
    """What was known of the user while the password was looked at is older than the shutting out."""
    user = house.access.users.add("ada", "reader", LOCAL)
    house.access.users.disable("ada", LOCAL)
    token = house.access.sessions.start(user, "session").token
    for look in (house.access.sessions.check, house.access.sessions.peek):
        with pytest.raises(NotSignedIn):
            look(token)
    assert house.access.sessions.known(token) is None
