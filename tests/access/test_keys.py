"""API keys: shown once, hashed, scoped, ending; and fast."""

from __future__ import annotations

import sys

import pytest

from hilum.access.access import open_access
from hilum.access.caller import LOCAL
from hilum.access.keys import DAY, MOST, MOST_A_DAY
from hilum.errors import NotFound, NotSignedIn, UsageError
from tests.access.conftest import SECRET, House


def test_a_key_stands_for_its_user_within_its_scopes(each_house: House) -> None:
    user = each_house.access.users.add("scanner", "engineer", LOCAL)
    key, token = each_house.access.keys.add(user.id, "CT room 2", ("predict", "read"), 30, LOCAL)
    caller = each_house.access.keys.check(token)
    assert (caller.id, caller.key, caller.via) == (user.id, key.id, "key")
    assert caller.acts == {"predict", "read"}
    assert token.startswith(f"hilum_{key.id}_")
    assert token not in repr(each_house.access.keys.all())
    assert each_house.access.keys.all(user.id)[0].used == each_house.clock.seconds
    assert each_house.deeds[-1].body() == {
        "act": "key_added", "about": user.id, "key": key.id, "scopes": "predict read"
    }  # fmt: skip


def test_a_key_follows_its_users_role_and_end(each_house: House) -> None:
    user = each_house.access.users.add("eve", "engineer", LOCAL)
    _, token = each_house.access.keys.add(user.id, "training", ("predict", "train"), 30, LOCAL)
    each_house.access.users.set_role("eve", "reader", LOCAL)
    assert each_house.access.keys.check(token).acts == {"predict"}
    each_house.access.users.disable("eve", LOCAL)
    with pytest.raises(NotSignedIn):
        each_house.access.keys.check(token)


def test_a_key_ends_and_is_revoked(each_house: House) -> None:
    user = each_house.access.users.add("eve", "reader", LOCAL)
    _, brief = each_house.access.keys.add(user.id, "brief", ("predict",), 1, LOCAL)
    key, token = each_house.access.keys.add(user.id, "long", ("predict",), 100, LOCAL)
    each_house.clock.seconds += DAY
    with pytest.raises(NotSignedIn):
        each_house.access.keys.check(brief)
    assert each_house.access.keys.check(token)
    each_house.access.keys.revoke(key.id, user.caller())
    assert each_house.access.keys.known(token) is None
    with pytest.raises(NotSignedIn):
        each_house.access.keys.check(token)


def test_a_user_has_only_so_many_keys_that_work(each_house: House) -> None:
    """Each key has a rate of its own: without an end to their number there is none to the rate."""
    keys, user = each_house.access.keys, each_house.access.users.add("eve", "reader", LOCAL)
    made = [keys.add(user.id, "one of many", ("predict",), 1, LOCAL)[0] for _ in range(MOST)]
    with pytest.raises(UsageError, match="revoke"):
        keys.add(user.id, "one more", ("predict",), 1, LOCAL)
    keys.revoke(made[0].id, user.caller())
    keys.add(user.id, "in its place", ("predict",), 1, LOCAL)
    each_house.clock.seconds += DAY
    keys.add(user.id, "the others have ended", ("predict",), 1, LOCAL)


def test_others_keys_are_out_of_reach_but_for_administrators(house: House) -> None:
    eve, bob = (house.access.users.add(name, "engineer", LOCAL) for name in ("eve", "bob"))
    key, token = house.access.keys.add(eve.id, "mine", ("predict",), 100, eve.caller())
    with pytest.raises(NotFound):
        house.access.keys.revoke(key.id, bob.caller())
    assert house.access.keys.check(token)
    assert house.access.keys.revoke(key.id, LOCAL).revoked


def test_a_key_asks_for_no_more_than_its_user_may(house: House) -> None:
    user = house.access.users.add("eve", "reader", LOCAL)
    for scopes, days in ((("train",), 1), (("users",), 1), ((), 1), (("predict",), 0), (("predict",), 99999)):
        with pytest.raises(UsageError):
            house.access.keys.add(user.id, "greedy", scopes, days, LOCAL)
    with pytest.raises(UsageError):
        house.access.keys.add(user.id, " ", ("predict",), 1, LOCAL)


def test_every_changed_letter_spoils_a_key(house: House) -> None:
    user = house.access.users.add("eve", "reader", LOCAL)
    _, token = house.access.keys.add(user.id, "k", ("predict",), 30, LOCAL)
    for place in range(len(token)):
        other = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(NotSignedIn):
            house.access.keys.check(other)
    for nonsense in ("", "hilum", "hilum__", "hilum_x_y", token + "x", token[:-1], "x" * 100_000, "hilum_'_\"", "\x00"):
        with pytest.raises(NotSignedIn):
            house.access.keys.check(nonsense)


def test_another_installation_secret_makes_keys_worthless(house: House) -> None:
    user = house.access.users.add("eve", "reader", LOCAL)
    _, token = house.access.keys.add(user.id, "k", ("predict",), 30, LOCAL)
    stranger = open_access(house.url, b"t" * 32, now=house.clock)
    with pytest.raises(NotSignedIn):
        stranger.keys.check(token)
    stranger.close()


def test_what_another_process_revokes_ends_within_seconds(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(house.access.ground.recent, "_clock", lambda: now)
    user = house.access.users.add("eve", "reader", LOCAL)
    key, token = house.access.keys.add(user.id, "k", ("predict",), 30, LOCAL)
    house.access.keys.check(token)
    other = open_access(house.url, SECRET, now=house.clock)
    other.keys.revoke(key.id, LOCAL)
    other.close()
    now = 4.9
    assert house.access.keys.known(token)
    now = 5.0
    assert house.access.keys.known(token) is None
    with pytest.raises(NotSignedIn):
        house.access.keys.check(token)


def test_a_verified_key_costs_microseconds(house: House) -> None:
    """A handful of calls, told by their number: what they last depends on the machine and on what else it does."""
    user = house.access.users.add("eve", "reader", LOCAL)
    _, token = house.access.keys.add(user.id, "k", ("predict",), 30, LOCAL)
    house.access.keys.check(token)
    known, calls = house.access.keys.known, list[str]()
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, _: event.endswith("call") and calls.append(frame.f_code.co_name))
    try:
        caller = known(token)
    finally:
        sys.setprofile(before)
    assert caller is not None
    assert len(calls) <= 12, calls  # a look into the database takes hundreds


def test_a_key_lasts_as_many_days_as_asked_for_and_is_listed_as_it_was_made(house: House) -> None:
    user = house.access.users.add("eve", "reader", LOCAL)
    brief, _ = house.access.keys.add(user.id, " brief ", ("read", "predict"), 1, LOCAL)
    house.clock.seconds += 1
    long, _ = house.access.keys.add(user.id, "x" * 100, ("predict",), 3650, LOCAL)
    assert (brief.ends - brief.created, long.ends - long.created) == (86_400, 3650 * 86_400)
    assert (brief.name, brief.scopes, brief.used, brief.revoked) == ("brief", ("predict", "read"), None, False)
    assert house.access.keys.all() == house.access.keys.all(user.id) == (long, brief)
    for name, days, said in (("a", 0, "1 to 3650 days"), ("a", 3651, "1 to 3650"), ("", 1, "1 to 100 characters"),
                             ("x" * 101, 1, "1 to 100")):  # fmt: skip
        with pytest.raises(UsageError, match=said):
            house.access.keys.add(user.id, name, ("predict",), days, LOCAL)
    with pytest.raises(NotFound, match="no such user"):
        house.access.keys.add("nobody", "a", ("predict",), 1, LOCAL)


def test_when_a_key_was_used_is_written_once_an_hour(house: House) -> None:
    user = house.access.users.add("eve", "reader", LOCAL)
    _, token = house.access.keys.add(user.id, "a", ("predict",), 30, LOCAL)
    seen, began = [], house.clock.seconds
    for _ in range(4):
        house.access.ground.recent.clear()  # as after five seconds
        house.access.keys.check(token)
        seen.append(house.access.keys.all()[0].used)
        house.clock.seconds += 1801
    assert seen == [began, began, began + 3602, began + 3602]


def test_who_revokes_one_key_after_the_other_gets_no_rate_without_end(each_house: House) -> None:
    keys, user = each_house.access.keys, each_house.access.users.add("eve", "reader", LOCAL)
    for _ in range(MOST_A_DAY):
        keys.revoke(keys.add(user.id, "for a minute", ("predict",), 1, LOCAL)[0].id, user.caller())
    with pytest.raises(UsageError, match="within a day"):
        keys.add(user.id, "one more", ("predict",), 1, LOCAL)
    other = each_house.access.users.add("bob", "reader", LOCAL)
    assert keys.add(other.id, "another's", ("predict",), 1, LOCAL)
    each_house.clock.seconds += DAY
    assert keys.add(user.id, "the next day", ("predict",), 1, LOCAL)
