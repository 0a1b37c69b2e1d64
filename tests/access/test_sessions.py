"""Sessions: rotation, idle and absolute end; what a cookie is worth."""

from __future__ import annotations

import pytest

from hilum.access.caller import LOCAL
from hilum.errors import NotSignedIn
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
