"""A task file (tasks/*.toml) -> the clinical question as a validated value; knows no image and no model."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from hilum.errors import UnknownTask, UsageError

SELECT_BY = (
    "accuracy",
    "balanced_accuracy",
    "f0.5",
    "f1",
    "f2",
    "recall",
    "precision",
    "specificity",
    "auroc",
    "auprc",
)
GEOMETRIES = ("whole", "central", "foreground")
LEAST_SIDE = 16  # pixels: below, nobody can tell what an image shows
LONGEST_NAME = 200  # bytes of UTF-8: a file system takes 255, and the index of the records is not made for pages
Made = TypeVar("Made")
_NUMBER = re.compile(r"([+-]?\d{1,100})(?:[.,]0*)?")  # half of all spreadsheets write a comma
_FRACTION = re.compile(r"[+-]?\d+[.,]\d+")
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")  # 1,000: one with three places, or a thousand
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,63}")


@dataclass(frozen=True, slots=True)
class Code:
    """One coded term: a value, its scheme (SCT, DCM, LN) and its meaning."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Label:
    """One answer of the task: its name, the words data sets use for it, whether it is the absence of disease."""

    name: str
    title: str
    synonyms: tuple[str, ...] = ()
    negative: bool = False
    code: Code | None = None


@dataclass(frozen=True, slots=True)
class OperatingRule:
    """How a threshold is found: `balanced`, or the least that reaches a sensitivity or a specificity."""

    name: str
    sensitivity: float | None = None
    specificity: float | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A clinical question."""

    name: str
    title: str
    labels: tuple[Label, ...]
    modalities: tuple[str, ...]  # DICOM modalities it accepts; () = any
    body_parts: tuple[str, ...]  # DICOM body parts it accepts; () = any
    image_words: str  # "a brain MRI slice": used in refusals
    intended_use: str
    geometry: str = "whole"  # how the field of view is found, see image.prepare
    flip_horizontal: bool = False
    flip_vertical: bool = False
    smallest_side: int = 64  # pixels of the short side of an image that is admitted
    select_by: str = "balanced_accuracy"
    auto_priority: int = 0
    operating_points: tuple[OperatingRule, ...] = (OperatingRule("balanced"),)
    patient_patterns: tuple[str, ...] = ()  # regular expressions on the file name; groups named `patient`
    prevalences: tuple[float, ...] = ()  # of any positive class, for PPV and NPV
    codes: dict[str, Code] = field(default_factory=dict)  # procedure, site

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels, in the order of the network's outputs."""
        return tuple(label.name for label in self.labels)

    @property
    def negative(self) -> int | None:
        """Index of the class that means absence of disease, if there is one."""
        return next((i for i, label in enumerate(self.labels) if label.negative), None)

    def label_for(self, word: str) -> str | None:
        """Class name for a data set's own word, compared without case, spaces and punctuation; None if unknown."""
        return {_plain(s): label.name for label in self.labels for s in (label.name, label.title, *label.synonyms)}.get(
            _plain(word)
        )


def _plain(word: str) -> str:
    """Letters and digits of any script, without case; a number is itself: -1 is not 1, nor 1,0 10, nor 1.5 15."""
    text = unicodedata.normalize("NFKC", word).strip().casefold()
    if _EITHER.fullmatch(text):
        return text
    if number := _NUMBER.fullmatch(text):
        return str(int(number[1]))
    if _FRACTION.fullmatch(text):
        return text.replace(",", ".").rstrip("0")
    return "".join(c for c in text if unicodedata.category(c)[0] in "LMN") or text


def task_folder() -> Path:
    """The folder of the shipped task files: inside the wheel, or at the root of a checkout."""
    here = Path(__file__).resolve()
    inside = here.parent / "_tasks"
    return inside if inside.is_dir() else here.parents[2] / "tasks"


def shipped_tasks() -> tuple[Task, ...]:
    """All shipped tasks, highest `auto_priority` first."""
    found = [read_task(path) for path in sorted(task_folder().glob("*.toml"))]
    return tuple(sorted(found, key=lambda task: -task.auto_priority))


def is_shipped(name: str) -> bool:
    """Whether the task is none of a user's own: a package of it came with the install and answers without a word."""
    return _NAME.fullmatch(name) is not None and (task_folder() / f"{name}.toml").is_file()


def find_task(reference: str) -> Task:
    """A task by shipped name or by the path of a task file.

    Raises:
        UnknownTask: there is neither; the message lists the names there are.
    """
    path = Path(reference)
    if path.suffix == ".toml":
        if path.is_file():
            return read_task(path)
        raise UnknownTask(f"{reference}: no such task file")
    try:
        return shipped_task(reference)
    except UnknownTask as error:
        raise UnknownTask(f"{error}; or give the path of a .toml file") from None


def shipped_task(name: str) -> Task:
    """A shipped task by its name; whatever else stands there is not opened, so a stranger may say the name.

    Raises:
        UnknownTask: there is none; the message lists the names there are.
    """
    if is_shipped(name):
        return read_task(task_folder() / f"{name}.toml")
    names = ", ".join(task.name for task in shipped_tasks())
    raise UnknownTask(f"no task '{name[:100]}'; there are: {names}")


def task_text(reference: str) -> str:
    """The text of the task file behind a name or a path that `find_task` has found, to be sealed into a package."""
    path = Path(reference) if Path(reference).suffix == ".toml" else task_folder() / f"{reference}.toml"
    return path.read_text(encoding="utf-8-sig")


def read_task(path: Path) -> Task:
    """Read one task file.

    Raises:
        UsageError: the file is no valid task; the message names the file and the line to mend.
    """
    try:
        task = parse_task(path.read_text(encoding="utf-8-sig"))
        _check_names(task)  # here and not in `parse_task`: a package that was sealed with such names still opens
        return task
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"{path}: not a task file: {error}") from error


def parse_task(text: str) -> Task:
    """A task from the text of its file; raises ValueError or TypeError where it does not fit."""
    raw = tomllib.loads(text)
    _fitting(raw, Task, "the file")
    labels = tuple(_label(entry) for entry in _list("labels", raw.pop("labels")))
    rules = _list("operating_points", raw.pop("operating_points", [{"name": "balanced"}]))
    points = tuple(_made(OperatingRule, entry, "an operating point") for entry in rules)
    codes = {name: _code(entry) for name, entry in _table("codes", raw.pop("codes", {})).items()}
    lists: dict[str, Any] = {key: _list(key, raw.pop(key)) for key in _LISTS if key in raw}
    for key in _LISTS_OF_TEXT:
        for word in lists.get(key, ()):
            _check_text(f"{key}: {word!r}", word)
    task = Task(labels=labels, operating_points=points, codes=codes, **lists, **raw)
    for check in (_check, _check_view, _check_points):
        check(task)
    return task


_LISTS_OF_TEXT = ("modalities", "body_parts", "patient_patterns")
_LISTS = (*_LISTS_OF_TEXT, "prevalences")


def _label(entry: Any) -> Label:
    _fitting(entry, Label, "a label")
    code = entry.pop("code", None)
    synonyms = tuple(str(word) for word in _list("synonyms", entry.pop("synonyms", [])))
    _check_yes_or_no("negative", entry.get("negative", False))
    return Label(**entry, synonyms=synonyms, code=_code(code) if code else None)


def _code(entry: Any) -> Code:
    return _made(Code, entry, "a code")


def _list(name: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):  # a string would be taken for a list of its letters
        raise TypeError(f"{name} = {value!r}: write a list, with [ and ]")
    return tuple(value)


def _table(where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{where} = {value!r}: write a table, with {{ and }}")
    return value


def _made(kind: Callable[..., Made], entry: Any, where: str) -> Made:
    _fitting(entry, kind, where)
    return kind(**entry)


def _fitting(entry: Any, kind: Any, where: str) -> None:
    """Nothing strange, nothing missing, and text where text must be: what Python would say of it is no help."""
    _table(where, entry)
    names = [one.name for one in fields(kind)]
    strange = [name for name in entry if name not in names]
    if strange:
        raise ValueError(f"{where} has no '{strange[0]}'; there are: {', '.join(names)}")
    needed = [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]
    missing = [name for name in needed if name not in entry]
    if missing:
        empty = "; write [] to accept any" if {"modalities", "body_parts"}.issuperset(missing) else ""
        raise ValueError(f"{where} lacks {', '.join(repr(name) for name in missing)}{empty}")
    for one in fields(kind):
        if one.type == "str" and one.name in entry:
            _check_text(f"{one.name} = {entry[one.name]!r}", entry[one.name])


def _check(task: Task) -> None:
    if not _NAME.fullmatch(task.name):
        raise ValueError(f"name {task.name!r}: use 2 to 64 lower-case letters, digits and hyphens")
    if len(task.labels) < 2:
        raise ValueError("a task needs two labels or more")
    if sum(label.negative for label in task.labels) > 1:
        raise ValueError("at most one label can be negative")
    said = [(label.name, label.title, *label.synonyms) for label in task.labels]
    words = [word for each in said for word in {_plain(w) for w in each}]
    twice = sorted({word for word in words if words.count(word) > 1})
    if twice:
        raise ValueError(f"these words stand for more than one label: {', '.join(twice)}")
    if task.select_by not in SELECT_BY:
        raise ValueError(f"select_by must be one of {', '.join(SELECT_BY)}")
    for pattern in task.patient_patterns:
        try:
            groups = re.compile(pattern).groupindex
        except re.error as error:
            raise ValueError(f"patient pattern {pattern!r} is no regular expression: {error}") from None
        if "patient" not in groups:
            raise ValueError(f"patient pattern {pattern!r} needs a group named 'patient'")


def _check_names(task: Task) -> None:
    """What stands on pages, in tables and in names of folders can be read there and told from its neighbours."""
    for label in task.labels:
        for what, text in (("name", label.name), ("title", label.title), *(("synonym", s) for s in label.synonyms)):
            if not _in_one_line(text):
                raise ValueError(f"label {label.name!r}: its {what} {text!r} must hold letters, in one line")
        if "/" in label.name or "\\" in label.name or label.name.strip() != label.name:
            raise ValueError(
                f"label name {label.name!r}: it is a folder's name too; leave out / and \\ and spaces around it, "
                "and write them into its title"
            )
        if len(label.name.encode()) > LONGEST_NAME:
            raise ValueError(
                f"label name {label.name[:40]!r}...: {LONGEST_NAME} bytes at most; its title may be longer"
            )
    points = [rule.name for rule in task.operating_points]
    if not all(map(_in_one_line, points)) or len(set(points)) < len(points):
        raise ValueError(f"operating points need names of their own, not {', '.join(map(repr, points))}")


def _in_one_line(text: str) -> bool:
    return bool(text.strip()) and not any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in text)


def _check_view(task: Task) -> None:
    if task.geometry not in GEOMETRIES:
        raise ValueError(f"geometry must be one of {', '.join(GEOMETRIES)}, not {task.geometry!r}")
    _check_yes_or_no("flip_horizontal", task.flip_horizontal)
    _check_yes_or_no("flip_vertical", task.flip_vertical)
    if type(task.auto_priority) is not int:
        raise TypeError(f"auto_priority = {task.auto_priority!r}: write a whole number")
    if type(task.smallest_side) is not int or task.smallest_side < LEAST_SIDE:
        raise ValueError(f"smallest_side = {task.smallest_side!r}: write a whole number of {LEAST_SIDE} pixels or more")


def _check_points(task: Task) -> None:
    if "balanced" not in {rule.name for rule in task.operating_points}:
        raise ValueError("operating_points must hold one named 'balanced'")
    for prevalence in task.prevalences:
        _check_share("prevalences", prevalence)
    for rule in task.operating_points:
        _check_rule(rule)


def _check_rule(rule: OperatingRule) -> None:
    if rule.sensitivity is not None and rule.specificity is not None:
        raise ValueError(f"operating point '{rule.name}': give a sensitivity or a specificity, not both")
    for target in (rule.sensitivity, rule.specificity):
        if target is not None:
            _check_share(f"operating point '{rule.name}'", target)


def _check_share(what: str, value: Any) -> None:
    if not (isinstance(value, float) and 0 < value < 1):
        raise ValueError(f"{what}: {value!r} must be a number between 0 and 1, such as 0.95")


def _check_text(what: str, value: Any) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{what}: write it in quotes")


def _check_yes_or_no(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{name} = {value!r}: write true or false")
