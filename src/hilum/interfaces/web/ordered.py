"""The arguments of a training -> what was asked for, to be read beside it and to fill the form again; knows no page."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from hilum.errors import HilumError
from hilum.interfaces.http.works import allowed
from hilum.registry.questions import name_of
from hilum.settings import Settings

FIELDS = ("epochs", "augmentation")  # lines of the plan with a field of their own in the form


@dataclass(frozen=True, slots=True)
class Ordered:
    """One order. source, task: of the form's choices, "" where they are not offered any more."""

    source: str = ""
    task: str = ""
    network: str = ""
    tune: str = "0"
    folds: str = "0"
    seed: str = "0"
    changes: dict[str, str] = field(default_factory=dict)

    @property
    def others(self) -> str:
        """The lines of the plan without a field of their own, as they were written."""
        return "\n".join(f"{name}={value}" for name, value in self.changes.items() if name not in FIELDS)


def said_in(arguments: Sequence[str]) -> tuple[str, ...]:
    """All that was chosen beside images and question, as name=value: what tells two trainings of one folder apart."""
    options = [one.removeprefix("--").removeprefix("set=") for one in arguments[1:]]
    return tuple(one for one in options if not one.startswith("task="))


def ordered(arguments: Sequence[str], sources: Iterable[str], tasks: Collection[str], settings: Settings) -> Ordered:
    """The order in the words of the form. sources, tasks: the choices it offers."""
    lines = [one.removeprefix("--set=").partition("=") for one in arguments[1:] if one.startswith("--set=")]
    options = dict(one.removeprefix("--").split("=", 1) for one in arguments[1:] if not one.startswith("--set="))
    task = name_of(options.get("task", ""))
    return Ordered(
        source=next((one for one in sources if _means(one, arguments[0], settings)), ""),
        task=task if task in tasks else "",
        changes={name: value for name, _, value in lines},
        **{name: options[name] for name in ("network", "tune", "folds", "seed") if name in options},
    )


def _means(choice: str, source: str, settings: Settings) -> bool:
    with contextlib.suppress(HilumError):  # gone since the list was drawn
        return allowed(choice, settings) == source
    return False
