"""A name and what shall become of it -> users, roles, passwords and keys changed, and the change put on record."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from hilum.access.access import Access
from hilum.access.caller import CONSOLE
from hilum.access.keys import Key
from hilum.access.users import User
from hilum.errors import UsageError, printable
from hilum.parts import open_doors, records_with_secret
from hilum.settings import Settings


def act(arguments: argparse.Namespace, settings: Settings) -> None:
    """Do what the arguments say."""
    with _opened(settings) as access:
        if arguments.act == "key":
            KEY_ACTS[arguments.key_act](arguments, access)
        elif arguments.act == "list":
            _list(access.users.all(), as_json=arguments.json)
        elif arguments.act in ("add", "link"):
            _invite(arguments, settings, access)
        else:
            _change(arguments, access)


@contextmanager
def _opened(settings: Settings) -> Iterator[Access]:
    settings.home.mkdir(parents=True, mode=0o700, exist_ok=True)
    begins = not settings.secret_file.exists()
    secret, records = records_with_secret(settings)
    if begins:
        print(f"nothing was kept in {settings.home} yet: a new installation begins there (HILUM_HOME)", file=sys.stderr)
    try:
        access = open_doors(settings, secret, records)
        try:
            yield access
        finally:
            access.close()
    finally:
        records.close()


def _list(users: tuple[User, ...], *, as_json: bool) -> None:
    if as_json:
        rows = [{"id": u.id, "name": u.name, "role": u.role, "disabled": u.disabled, "created": _time(u.created)}
                for u in users]  # fmt: skip
        print(json.dumps(rows, indent=2))
        return
    for user in users:
        state = "disabled" if user.disabled else "" if user.has_password or user.identity else "invited"
        print(f"{user.name:<32} {user.role:<9} {_time(user.created)[:10]}  {state}".rstrip())
    if not users:
        print("nobody yet: `hilum users add NAME --role admin` lets the first one in")


def _invite(arguments: argparse.Namespace, settings: Settings, access: Access) -> None:
    if arguments.act == "add" and arguments.password:
        user = access.users.add(arguments.name, arguments.role, CONSOLE, password=_password())
        print(f"{user.name} is {user.role}")
        return
    adds = arguments.act == "add"
    user = access.users.add(arguments.name, arguments.role, CONSOLE) if adds else access.users.find(arguments.name)
    base = settings.public_url or "http://127.0.0.1:8000"
    print(f"{user.name} is {user.role}; to choose a password, once, within three days:", file=sys.stderr)
    if not settings.public_url:
        print(f"(HILUM_PUBLIC_URL is not set here: write the server's address for {base})", file=sys.stderr)
    print(f"{base}/set-password#{access.links.invite(user.id, CONSOLE)}")


def _change(arguments: argparse.Namespace, access: Access) -> None:
    if arguments.act == "password":
        access.users.set_password(arguments.name, _password(), CONSOLE)
    elif arguments.act == "role":
        access.users.set_role(arguments.name, arguments.role, CONSOLE)
    elif arguments.act == "disable":
        access.users.disable(arguments.name, CONSOLE)
    else:
        access.users.enable(arguments.name, CONSOLE)
    done = {"password": "has a new password", "role": "has another role", "disable": "is out", "enable": "is in again"}
    print(f"{arguments.name} {done[arguments.act]}; sessions ended")


def _key_add(arguments: argparse.Namespace, access: Access) -> None:
    user, scopes = access.users.find(arguments.name), tuple(arguments.scope or ("predict", "read"))
    key, token = access.keys.add(user.id, arguments.label, scopes, arguments.days, CONSOLE)
    print(f"until {_time(key.ends)[:10]}, for {', '.join(key.scopes)}; shown this once:", file=sys.stderr)
    print(token)


def _key_list(arguments: argparse.Namespace, access: Access) -> None:
    names = {user.id: user.name for user in access.users.all()}
    keys = access.keys.all(access.users.find(arguments.name).id if arguments.name else None)
    if arguments.json:
        print(json.dumps([_told(key, names) for key in keys], indent=2))
        return
    for key in keys:
        state = "revoked" if key.revoked else f"until {_time(key.ends)[:10]}"
        print(f"{key.id}  {names[key.user]:<20} {state:<16} {','.join(key.scopes):<24} {printable(key.name)}")


def _key_revoke(arguments: argparse.Namespace, access: Access) -> None:
    print(f"revoked {access.keys.revoke(arguments.key, CONSOLE).prefix}")


KEY_ACTS: dict[str, Callable[[argparse.Namespace, Access], None]] = {
    "add": _key_add,
    "list": _key_list,
    "revoke": _key_revoke,
}


def _told(key: Key, names: dict[str, str]) -> dict[str, object]:
    told = {"id": key.id, "user": names[key.user], "name": key.name, "scopes": list(key.scopes)}
    return {**told, "created": _time(key.created), "ends": _time(key.ends), "revoked": key.revoked}


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("password: ")
    if first != getpass.getpass("once more: "):
        raise UsageError("the two are not the same")
    return first


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
