"""Guessing passwords: slow for one, slow for many at once, and no lock-out of the rightful user."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count, repeat

import pytest
import sqlalchemy as sa

from hilum.access.caller import LOCAL
from hilum.access.tables import attempts
from hilum.access.throttle import ADDRESS, NAME, PAIR, Count
from hilum.errors import NotSignedIn, TooManyAttempts
from tests.access.conftest import House
from tests.access.test_users import WORD


def guess(house: House, name: str = "ada", address: str = "6.6.6.6", word: str = "wrong wrong wrong") -> str:
    try:
        house.access.sign_in(name, word, address)
    except TooManyAttempts as wait:
        return f"wait {wait.seconds:.0f}"
    except NotSignedIn:
        return "no"
    return "in"


@pytest.fixture
def ada(each_house: House) -> House:
    each_house.access.users.add("ada", "reader", LOCAL, password=WORD)
    return each_house


def test_after_five_tries_the_wait_doubles(ada: House) -> None:
    assert [guess(ada) for _ in range(6)] == ["no"] * 5 + ["wait 1"]
    waits = []
    for _ in range(12):
        said = guess(ada)
        waits.append(said)
        if said != "no":
            ada.clock.seconds += float(said.split()[1])
    assert waits == ["wait 1", "no", "wait 2", "no", "wait 4", "no", "wait 8", "no", "wait 16", "no", "wait 32", "no"]
    assert guess(ada, word=WORD).startswith("wait")  # not even the right one
    assert "sign_in_throttled" in ada.did()


def test_the_rightful_user_elsewhere_is_not_locked_out(ada: House) -> None:
    for _ in range(10):
        guess(ada)
    assert guess(ada, address="1.1.1.1", word=WORD) == "in"


def test_an_address_that_tries_many_names_is_slowed(ada: House) -> None:
    said = [guess(ada, name=f"user{n}") for n in range(31)]
    assert said == ["no"] * 30 + ["wait 1"]


def test_one_name_from_many_addresses_is_slowed(ada: House) -> None:
    said = [guess(ada, address=f"10.0.0.{n}") for n in range(51)]
    assert said == ["no"] * 50 + ["wait 1"]


def test_success_clears_the_name_and_time_forgets(ada: House) -> None:
    for _ in range(4):
        guess(ada)
    assert guess(ada, word=WORD) == "in"
    assert [guess(ada) for _ in range(5)] == ["no"] * 5
    ada.clock.seconds += 3601
    assert [guess(ada) for _ in range(5)] == ["no"] * 5


def longest_wait(house: House, names: Iterator[str], addresses: Iterator[str]) -> float:
    """Whoever goes on as soon as they may, until the wait grows no more."""
    waits = [0.0]
    for name, address in zip(names, addresses, strict=False):
        try:
            house.access.throttle.knock(name, address)
        except TooManyAttempts as told:
            if told.seconds == waits[-1]:
                break
            waits.append(told.seconds)
            house.clock.seconds += told.seconds
    return waits[-1]


def test_a_wait_grows_to_a_quarter_of_an_hour_and_for_a_name_alone_to_half_a_minute(house: House) -> None:
    """A stranger at many addresses holds nobody off for longer."""
    assert longest_wait(house, repeat("ada"), repeat("6.6.6.6")) == 900
    assert longest_wait(house, (f"user{n}" for n in count()), repeat("7.7.7.7")) == 900
    assert longest_wait(house, repeat("eve"), (f"10.0.{n}" for n in count())) == 30


@pytest.mark.parametrize(("count", "longest"), [(PAIR, 900.0), (NAME, 30.0), (ADDRESS, 900.0)])
def test_whoever_goes_on_for_days_still_waits_no_longer(count: Count, longest: float) -> None:
    """A program with an old password, or a stranger who wants to lock somebody out, tries thousands of times."""
    assert [count.wait(failures) for failures in (1_000, 1_100, 10**6)] == [longest] * 3


def test_a_name_that_was_tried_a_thousand_times_can_still_sign_in(ada: House) -> None:
    guess(ada)
    with ada.access.ground.database.writing() as connection:
        connection.execute(sa.update(attempts).values(failures=1_100))
    ada.clock.seconds += 900
    assert guess(ada, word=WORD) == "in"


def test_many_at_once_gain_nothing(ada: House) -> None:
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: guess(ada), range(16)))
    assert said.count("no") == 5


def test_an_unknown_name_says_the_same_and_names_nobody(ada: House) -> None:
    messages = set()
    for name in ("ada", "nobody-here"):
        with pytest.raises(NotSignedIn) as caught:
            ada.access.sign_in(name, "wrong wrong wrong", "2.2.2.2")
        messages.add(str(caught.value))
    assert len(messages) == 1
    failed = [deed for deed in ada.deeds if deed.what == "sign_in_failed"]
    assert [deed.about for deed in failed] == [ada.access.users.find("ada").id, ""]
    assert all("2.2.2.2" not in str(deed.body()) and deed.personal == {"address": "2.2.2.2"} for deed in failed)


def test_another_spelling_of_the_name_is_the_same_name(ada: House) -> None:
    said = [guess(ada, name=name) for name in ("ada", "\uff41da", "\u1d2cda", " ADA ", "a\uff44a", "ad\uff41")]
    assert said == ["no"] * 5 + ["wait 1"]


def test_a_clock_that_is_set_back_locks_nobody_out(ada: House) -> None:
    assert guess(ada) == "no"
    ada.clock.seconds -= 86_400
    assert guess(ada, word=WORD) == "in"


def test_who_signs_in_rightly_does_not_use_up_the_tries_of_an_address(house: House) -> None:
    """As many do from one hospital; the wrong tries of others from there still count."""
    throttle = house.access.throttle
    for number in range(31):
        throttle.knock(f"user{number}", "1.1.1.1")
        throttle.open(f"user{number}", "1.1.1.1")
    for number in range(30):
        throttle.knock(f"wrong{number}", "1.1.1.1")
        if number == 15:
            throttle.knock("ada", "1.1.1.1")
            throttle.open("ada", "1.1.1.1")
    with pytest.raises(TooManyAttempts) as told:
        throttle.knock("ada", "1.1.1.1")
    assert told.value.seconds == 1


def test_who_signs_in_rightly_takes_back_nothing_of_what_was_tried_on_others_or_elsewhere(house: House) -> None:
    """Else whoever has an account clears the way between two guesses at somebody else's password."""
    throttle = house.access.throttle
    for _ in range(5):
        throttle.knock("ada", "6.6.6.6")
    for address in ("6.6.6.6", "1.1.1.1"):
        throttle.knock("eve", address)
        throttle.open("eve", address)
    with pytest.raises(TooManyAttempts) as told:
        throttle.knock("ada", "6.6.6.6")
    assert told.value.seconds == 1
