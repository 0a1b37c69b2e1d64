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


def test_a_link_works_until_its_last_second_and_that_one_was_made_is_told_without_it(house: House) -> None:
    first = str(house.access.links.first())
    house.clock.seconds += 24 * 3600 - 1
    ada = house.access.links.begin(first, "ada", WORD)
    bob = house.access.users.add("bob", "reader", ada.caller())
    invited = house.access.links.invite(bob.id, ada.caller())
    told = house.deeds[-1]
    assert (told.body(), told.caller) == ({"act": "link_made", "about": bob.id}, ada.id)
    assert invited not in repr(told)
    house.clock.seconds += 72 * 3600 - 1
    assert house.access.links.accept(invited, WORD).has_password


def test_a_first_link_that_nobody_used_makes_no_second_administrator(house: House) -> None:
    token = str(house.access.links.first())
    house.access.users.add("ada", "admin", LOCAL)
    with pytest.raises(NotSignedIn):
        house.access.links.begin(token, "eve", WORD)
    assert [user.name for user in house.access.users.all()] == ["ada"]


@pytest.mark.parametrize("change", ["disable", "password", "role"])
def test_a_link_ends_with_whatever_is_changed_about_its_user(house: House, change: str) -> None:
    users, user = house.access.users, house.access.users.add("bob", "reader", LOCAL)
    link = house.access.links.invite(user.id, LOCAL)
    if change == "disable":
        users.disable(user.id, LOCAL)
        users.enable(user.id, LOCAL)
    elif change == "password":
        users.set_password(user.id, WORD, LOCAL)
    else:
        users.set_role(user.id, "admin", LOCAL)
    with pytest.raises(NotSignedIn):
        house.access.links.accept(link, "some other password")


def test_who_chooses_a_password_by_a_link_ends_the_sessions_that_there_are(house: House) -> None:
    sessions, user = house.access.sessions, house.access.users.add("bob", "reader", LOCAL)
    token = sessions.start(user, "session").token
    link = house.access.links.invite(user.id, LOCAL)
    assert sessions.check(token) == sessions.known(token)
    house.access.links.accept(link, WORD)
    assert sessions.known(token) is None
    with pytest.raises(NotSignedIn):
        sessions.check(token)


def test_an_invited_users_password_is_more_than_the_name_too(house: House) -> None:
    user = house.access.users.add("ada.lovelace", "reader", LOCAL)
    link = house.access.links.invite(user.id, LOCAL)
    with pytest.raises(UsageError, match="hardly more than the name"):
        house.access.links.accept(link, "Ada.Lovelace1")
    assert not house.access.users.find(user.id).has_password
    assert house.access.links.accept(link, WORD).id == user.id  # the link stayed


def test_who_has_no_link_costs_no_hash(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever knocks without one takes the turns of those who sign in."""
    hashed = list[str]()
    monkeypatch.setattr("hilum.access.links.hashed", lambda password: hashed.append(password) or "")
    for use in (
        lambda: house.access.links.begin("nonsense", "eve", WORD),
        lambda: house.access.links.accept("x", WORD),
    ):
        with pytest.raises(NotSignedIn):
            use()
    assert hashed == []


def test_who_is_shut_out_chooses_no_password_with_a_link_that_was_made_since(house: House) -> None:
    user = house.access.users.add("bob", "reader", LOCAL)
    house.access.users.disable("bob", LOCAL)
    link = house.access.links.invite(user.id, LOCAL)
    with pytest.raises(NotSignedIn):
        house.access.links.accept(link, WORD)
    assert not house.access.users.find("bob").has_password
