"""A package -> the evaluations of it that were asked for here, and what a page needs to ask for another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hilum.interfaces.http.evaluations import can_measure, described
from hilum.interfaces.http.orders import works_of
from hilum.interfaces.web.worked import Offered, Shown, shown, sources
from hilum.jobs.works import Work
from hilum.parts import Parts


@dataclass(frozen=True, slots=True)
class Measured:
    """One evaluation. report: address of its page; "" where there is none. error: why it failed, in its last words."""

    work: Shown
    report: str
    error: str
    found: dict[str, Any]

    @property
    def metrics(self) -> dict[str, Any]:
        """Its figures by name; {} until it is done."""
        return dict(self.found.get("metrics", {}))


@dataclass(frozen=True, slots=True)
class Measuring:
    """What the page of a package says about measuring it here."""

    can: bool
    rooted: bool
    sources: Offered
    upload: int
    works: list[Measured]

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return any(not one.work.over for one in self.works)


def measuring(parts: Parts, digest: str) -> Measuring:
    """All about one package, the newest evaluation first."""
    settings = parts.settings
    asked = [work for work in works_of(parts).all() if work.kind == "evaluate"]
    return Measuring(
        can=can_measure(),
        rooted=bool(settings.data_roots),
        sources=sources(settings),
        upload=settings.upload_bytes,
        works=[_measured(parts, work) for work in asked if f"--model={digest}" in work.arguments],
    )


def _measured(parts: Parts, work: Work) -> Measured:
    said = described(parts, work)
    return Measured(shown(works_of(parts), work), said["report"] or "", said.get("error", ""), said["evaluation"] or {})
