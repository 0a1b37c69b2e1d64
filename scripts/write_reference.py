"""The code -> docs/reference/*.md that say so in their first line; tests/house checks that they are what it writes."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

from http_reference import UNDER_V1, http_api

import hilum
from hilum import errors
from hilum.access.caller import ACTS, ROLES, SCOPES, acts_of
from hilum.interfaces.cli.main import COMMANDS, overview, parser_of
from hilum.interfaces.http.problems import STATUS
from hilum.interfaces.http.rules import RULES, Rule
from hilum.settings import CLIENT, SETTINGS

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
HTTP = Path(hilum.__file__).parent / "interfaces" / "http"
HEAD = "<!-- Written by `make docs` from the code. Do not edit. -->\n\n"


def cli() -> str:
    """Every command's help."""
    os.environ["COLUMNS"] = "100"
    parts = [f"## hilum {name}\n\n```\n{parser_of(name).format_help()}```\n" for name in COMMANDS]
    return f"{HEAD}# The command line\n\n```\n{overview()}```\n\n" + "\n".join(parts)


def settings() -> str:
    """Every setting."""
    rows = [f"| `HILUM_{s.name}` | {f'`{s.default}`' if s.default else '–'} | {s.help} |" for s in SETTINGS]
    words = (
        "Environment variables, read once at the start. "
        "`hilum serve` and `hilum settings` say which names `HILUM_…` that are set are no settings. "
        f"`hilum.Client` reads {' and '.join(f'`{name}`' for name in CLIENT)}: the server's address, and a key."
    )
    head = f"# Settings\n\n{words}\n\n| name | default | what for |\n|---|---|---|\n"
    return HEAD + head + "\n".join(rows) + "\n"


def error_table() -> str:
    """Every error with its code and what it means."""
    kinds = sorted(_tree(errors.HilumError), key=lambda kind: kind.code)
    rows = [
        f"| `{kind.code}` | {kind.__name__} | {_exit(kind)} | {_status(kind)} | {(kind.__doc__ or '').strip()} |"
        for kind in kinds
    ]
    told = [f"| `{code}` | {', '.join(map(str, sorted(found)))} |" for code, found in sorted(_problems().items())]
    words = "Errors that only a request over HTTP can meet; `detail` says in words what is wrong."
    return (
        f"{HEAD}# Errors\n\n| code | name | exit code | HTTP | what it means |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n\n"
        f"## Over HTTP\n\n{words}\n\n| code | status |\n|---|---|\n" + "\n".join(told) + "\n"
    )


def _problems() -> dict[str, set[int]]:
    """Code -> statuses: every problem that the HTTP room makes with a code of its own."""
    tree, found = {kind.code for kind in _tree(errors.HilumError)}, dict[str, set[int]]()
    for path in sorted(HTTP.glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or getattr(call.func, "id", "") not in ("Problem", "problem"):
                continue
            status, code = ([getattr(one, "value", None) for one in call.args] + [None, None])[:2]
            if isinstance(status, int) and isinstance(code, str) and code not in tree:
                found.setdefault(code, set()).add(status)
    return found


def _needed(rule: Rule) -> str:
    own = f", `{rule.own}` for what one started by it" if rule.own else ""
    return f"`{rule.act}`{own}" if rule.act else "anybody"


def permissions() -> str:
    """Roles and what they may, and every route with the act it needs."""
    marks = [
        f"| `{act}` | {words} | " + " | ".join("yes" if act in acts_of(role) else "–" for role in ROLES) + " |"
        for act, words in ACTS.items()
    ]
    matrix = f"| act | what it means | {' | '.join(ROLES)} |\n|---|---|{'---|' * len(ROLES)}\n" + "\n".join(marks)
    rows = [f"| {rule.methods} | `{rule.path}` | {_needed(rule)} |" for rule in RULES]
    routes = "| method | path | needs |\n|---|---|---|\n" + "\n".join(rows)
    keys = f"A key may be given these scopes, as far as its user's role reaches: {', '.join(sorted(SCOPES))}."
    words = "With `HILUM_AUTH=off` everybody on this machine may everything, and no other machine reaches the server."
    return f"{HEAD}# Permissions\n\n{words}\n\n{matrix}\n\n{keys}\n\n## Routes\n\n{UNDER_V1}\n\n{routes}\n"


PAGES = {"cli.md": cli, "settings.md": settings, "errors.md": error_table, "permissions.md": permissions}
PAGES["http-api.md"] = lambda: HEAD + http_api()


def _tree(kind: type[errors.HilumError]) -> set[type[errors.HilumError]]:
    return {kind}.union(*(_tree(below) for below in kind.__subclasses__()))


def _exit(kind: type[errors.HilumError]) -> int:
    return 3 if issubclass(kind, errors.InputError) else 2 if issubclass(kind, errors.UsageError) else 1


def _status(kind: type[errors.HilumError]) -> int:
    return next(status for known, status in STATUS if issubclass(kind, known))


def main() -> int:
    """Write the pages; with --check only say whether they are up to date."""
    stale = [name for name, page in PAGES.items() if not _same(FOLDER / name, page())]
    if "--check" in sys.argv:
        print(f"stale: {stale}; run `make docs`" if stale else "up to date")
        return bool(stale)
    for name in stale:
        (FOLDER / name).write_text(PAGES[name](), encoding="utf-8")
    print(f"wrote {', '.join(stale) or 'nothing'}")
    return 0


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
