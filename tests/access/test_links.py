"""One-time links: the first administrator and the invited."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from hilum.access.caller import LOCAL
from hilum.errors import HilumError, NotFound, NotSignedIn, UsageError
from tests.access.conftest import House
from tests.access.test_users import WORD


def test_the_first_link_makes_one_administrator(each_house: House) -> None:
    links = each_house.access.links
    one, two = links.first(), links.first()  # two processes, each printed one
    assert one
    assert two
    with pytest.raises(UsageError, match="12"):
        links.begin(one, "ada", "short")
    user = links.begin(two, "ada", WORD)
    assert user.role == "admin"
    for token in (one, two):
        with pytest.raises(NotSignedIn):
            links.begin(token, "eve", WORD)
    assert links.first() is None
    assert each_house.access.sign_in("ada", WORD, "1.2.3.4").caller.may("users")
    assert each_house.did() == ["first_start", "signed_in"]


def test_the_first_link_is_raced_by_many_and_won_by_one(each_house: House) -> None:
    token = str(each_house.access.links.first())

    def begin(n: int) -> bool:
        try:
            each_house.access.links.begin(token, f"ada{n}", WORD)
        except HilumError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(begin, range(8))) == 1
    assert len(each_house.access.users.all()) == 1


def test_links_end(house: House) -> None:
    token = str(house.access.links.first())
    house.clock.seconds += 24 * 3600
    with pytest.raises(NotSignedIn):
        house.access.links.begin(token, "ada", WORD)


def test_the_invited_choose_their_password_once(each_house: House) -> None:
    user = each_house.access.users.add("bob", "reader", LOCAL)
    assert not user.has_password
    with pytest.raises(NotSignedIn):
        each_house.access.sign_in("bob", "", "1.2.3.4")
    older, link = (each_house.access.links.invite(user.id, LOCAL) for _ in range(2))
    for token in (older, "nonsense", ""):
        with pytest.raises(NotSignedIn):
            each_house.access.links.accept(token, WORD)
    each_house.access.links.accept(link, WORD)
    with pytest.raises(NotSignedIn):
        each_house.access.links.accept(link, "some other password")
    assert each_house.access.sign_in("bob", WORD, "1.2.3.4").caller.name == "bob"


def test_an_invitation_is_no_first_link_and_ends_with_its_user(house: House) -> None:
    user = house.access.users.add("bob", "reader", LOCAL)
    link = house.access.links.invite(user.id, LOCAL)
    with pytest.raises(NotSignedIn):
        house.access.links.begin(link, "eve", WORD)
    house.access.users.disable("bob", LOCAL)
    with pytest.raises(NotSignedIn):
        house.access.links.accept(link, WORD)
    with pytest.raises(NotFound):
        house.access.links.invite("nobody", LOCAL)
