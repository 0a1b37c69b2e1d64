"""The table of permissions, as a matrix."""

from __future__ import annotations

import pytest

from hilum.access.caller import ACTS, GRANTS, LOCAL, ROLES, SCOPES, acts_of, roles_up_to, scopes_of
from hilum.errors import NotAllowed, UsageError

MATRIX = """
act       reader reviewer engineer admin
account   yes    yes      yes      yes
predict   yes    yes      yes      yes
read      yes    yes      yes      yes
feedback  -      yes      yes      yes
monitor   -      yes      yes      yes
evaluate  -      -        yes      yes
data      -      -        yes      yes
train     -      -        yes      yes
promote   -      -        yes      yes
verify    -      -        yes      yes
users     -      -        -        yes
erase     -      -        -        yes
settings  -      -        -        yes
"""
HEAD, *ROWS = [line.split() for line in MATRIX.strip().splitlines()]
CELLS = [(row[0], role, cell == "yes") for row in ROWS for role, cell in zip(HEAD[1:], row[1:], strict=True)]


@pytest.mark.parametrize(("act", "role", "allowed"), CELLS)
def test_each_role_may_what_the_matrix_says(act: str, role: str, allowed: bool) -> None:
    assert (act in acts_of(role)) is allowed


def test_the_matrix_covers_every_act_and_role() -> None:
    assert {row[0] for row in ROWS} == set(ACTS)
    assert tuple(HEAD[1:]) == ROLES == tuple(GRANTS)


def test_every_act_is_granted_once() -> None:
    granted = [act for role in ROLES for act in GRANTS[role]]
    assert sorted(granted) == sorted(ACTS)


def test_roles_hold_the_lower_ones() -> None:
    assert roles_up_to("engineer") == {"reader", "reviewer", "engineer"}
    with pytest.raises(UsageError, match="no role 'root'"):
        roles_up_to("root")


def test_a_key_never_reaches_users_or_other_keys() -> None:
    assert SCOPES.isdisjoint({"users", "account"})
    with pytest.raises(UsageError, match="users"):
        scopes_of(("predict", "users"))
    with pytest.raises(UsageError, match="no scope"):
        scopes_of(())


def test_the_local_caller_may_everything_and_others_hear_what_is_missing() -> None:
    assert all(LOCAL.may(act) for act in ACTS)
    narrow = type(LOCAL)("k", "k", frozenset({"reader"}), "key", frozenset({"predict"}))
    with pytest.raises(NotAllowed, match="say whether an answer is right"):
        narrow.must("feedback")
    narrow.must("predict")


def test_scopes_are_what_was_asked_for_each_once() -> None:
    assert scopes_of(("read", "predict", "read")) == {"predict", "read"}
