"""The names that a request uses -> nothing, or a refusal that says which was meant; knows no route and no value."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import Any

from fastapi import Depends, Request

from hilum.errors import UsageError

NEAR = 0.8  # of two names, as difflib measures it
MOST = 64  # names that are passed over


def check_known(given: Iterable[str], known: Collection[str]) -> None:
    """What was meant by another name would not be done.

    Raises:
        UsageError: one is none of those that are known.
    """
    for name in given:
        if name not in known:
            there = f"there are: {', '.join(known)}" if known else "nothing is read behind the ? of this address"
            raise UsageError(f"no {name[:64]!r}{_meant(name, known) or f'; {there}'}")


def check_near(given: Iterable[str], known: Collection[str]) -> None:
    """For forms that others made, with buttons and marks of their own: those are passed over.

    Raises:
        UsageError: one is no name that is known, and looks like one; or there are more of them than any form has.
    """
    others = [name for name in given if name not in known]
    if len(others) > MOST:  # each costs some time to look at
        raise UsageError(f"{len(others):,} names that mean nothing here; there are: {', '.join(known)}")
    for name in others:
        if meant := _meant(name, known):
            raise UsageError(f"no {name[:64]!r}{meant}")


async def _check_address(request: Request) -> None:
    check_known(request.query_params, [one.alias for one in request.scope["route"].dependant.query_params])


KNOWN_NAMES: Any = Depends(_check_address)  # of a route: behind the ? stands nothing but what it reads there


def _meant(name: str, known: Collection[str]) -> str:
    plain, said = {_plain(one): one for one in known}, _plain(name[:64])
    turned = [one for one in plain if sorted(one) == sorted(said)]  # two letters of a short name, as `taks`
    near = turned or difflib.get_close_matches(said, plain, n=1, cutoff=NEAR)
    return f": is {plain[near[0]]!r} meant?" if near else ""


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
