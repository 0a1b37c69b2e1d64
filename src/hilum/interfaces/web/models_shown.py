"""The installed packages -> what pages say of them; each is opened once and kept by its digest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from hilum.errors import HilumError
from hilum.model.package import CARD, Package, Trust, as_read, open_package
from hilum.registry.pins import Known, known_packages, trust
from hilum.registry.questions import speaking_for
from hilum.settings import Settings
from hilum.task import Label, Task, shipped_tasks


def speaking(settings: Settings, chosen: Mapping[str, str] | None = None) -> tuple[Known, ...]:
    """The package that answers for each task, in the order in which the tasks are asked.

    chosen: task -> digest of the package that was promoted last (`parts.crew.chosen`).
    """
    speaks = speaking_for(chosen or {}, settings)
    order = {task.name: i for i, task in enumerate(shipped_tasks())}
    by_digest = {one.digest: one for one in reversed(known_packages(settings))}
    named = sorted(speaks, key=lambda task: (order.get(task, len(order)), task))
    return tuple(by_digest[speaks[task]] for task in named if speaks[task] in by_digest)


def opened(settings: Settings, known: Known) -> Package | None:
    """A package, or None where it must not be used."""
    return _opened(known.folder, trust(settings), known.digest)


@lru_cache(maxsize=64)
def _opened(folder: Path, whom: Trust, _digest: str) -> Package | None:
    try:
        package = open_package(folder, whom)
    except HilumError:
        return None
    package.let_go()  # a page asks no network
    return package


def by_digest(settings: Settings, digest: str | None) -> Package | None:
    """The package of this digest, where it is still installed and trusted."""
    known = next((one for one in known_packages(settings) if one.digest == digest), None)
    return None if known is None else opened(settings, known)


def card_of(package: Package) -> Markup:
    """The card as HTML, below a heading of the page; without the front matter, which is for catalogues.

    HTML inside a card is shown as text.
    """
    tokens = _MARKDOWN.parse(as_read(package.read(CARD)))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))  # noqa: S704 - html=False: all text is escaped


_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def label_of(task: Task | None, name: str) -> Label:
    """A class of a task; an unknown one stands for itself."""
    labels = () if task is None else task.labels
    return next((label for label in labels if label.name == name), Label(name, name))
