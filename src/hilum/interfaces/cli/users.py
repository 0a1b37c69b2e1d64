"""`hilum users …` -> what shall be done to whom; who does it stands in people.py, which needs the serving part."""

from __future__ import annotations

import argparse

from hilum.access.caller import ROLES
from hilum.errors import MissingExtra
from hilum.settings import Settings

DESCRIPTION = "Users and API keys of this installation (asked for where HILUM_AUTH=on). Every change is put on record."
EXAMPLES = """examples:
  hilum users list
  hilum users add ada --role admin                      prints a one-time link; --password asks for one instead
  hilum users link ada                                  a new link, when the password is forgotten
  hilum users role ada engineer                         reader < reviewer < engineer < admin
  hilum users disable ada                               sessions and keys end at once; enable lets in again
  hilum users key add ada "CT room 2" --scope predict --scope read --days 365
  hilum users key list ada
  hilum users key revoke h3x9Qk2LmN0p"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    acts = parser.add_subparsers(dest="act", required=True, metavar="list|add|link|password|role|disable|enable|key")
    acts.add_parser("list", help="everybody").add_argument("--json", action="store_true", help="JSON on stdout")
    add = acts.add_parser("add", help="let somebody in")
    add.add_argument("name")
    add.add_argument("--role", choices=ROLES, default="reader", help="default: reader")
    add.add_argument("--password", action="store_true", help="ask for a password (or read it from stdin); else a link")
    role = acts.add_parser("role", help="another role")
    role.add_argument("name")
    role.add_argument("role", choices=ROLES)
    words = {
        "link": "a one-time link to choose a password",
        "password": "ask for a new password, or read it from stdin",
        "disable": "shut out",
        "enable": "let in again",
    }
    for act, line in words.items():
        acts.add_parser(act, help=line).add_argument("name")
    _add_key_arguments(acts.add_parser("key", help="add, list, revoke API keys"))


def _add_key_arguments(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="key_act", required=True, metavar="add|list|revoke")
    add = acts.add_parser("add", help="make a key; it is shown this once")
    add.add_argument("name", help="the user it stands for")
    add.add_argument("label", help="what it is for")
    add.add_argument("--scope", action="append", help="what it may do; again for more (default: predict, read)")
    add.add_argument("--days", type=int, default=90, help="how long it lasts (default 90)")
    listed = acts.add_parser("list", help="keys without their secrets")
    listed.add_argument("name", nargs="?", help="one user's only")
    listed.add_argument("--json", action="store_true", help="JSON on stdout")
    acts.add_parser("revoke", help="end a key for good").add_argument("key", help="the id between the underscores")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do it, as the administrator at the console."""
    try:
        from hilum.interfaces.cli.people import act
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("hilum"):
            raise
        raise MissingExtra("users", "serve") from error
    act(arguments, settings)
    return 0
