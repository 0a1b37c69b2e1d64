"""Tallies of a span of time, and what is counted since the start -> figures, charts and tables. Knows no request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hilum.interfaces.web.charts import Chart, Series, few
from hilum.interfaces.web.models_shown import label_of
from hilum.interfaces.web.words import percent, why
from hilum.monitor.meters import Buckets, Meters
from hilum.records.tallies import HOUR, MILLISECONDS, Tallies, Tally
from hilum.task import Task

MINUTE, DAY = HOUR // 60, 24 * HOUR
UNITS = ((7 * DAY, "week"), (DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"))
STAGES = {
    "decode": "Decoding the file",
    "gate": "Gate",
    "prepare": "Preparing the pixels",
    "queue": "Waiting in the line",
    "compute": "Network",
    "calibrate": "Calibration",
    "record": "Putting it on record",
    "cache": "Asking the cache",
}
AWAY = {"full": "The line was full", "late": "Waited too long", "quota": "Asked too often"}


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time: `count` stretches of `step` microseconds; how a stretch is written.

    first: when one of the stretches begins, microseconds since 1970 UTC; all others lie whole steps from it.
    """

    title: str
    step: int
    count: int
    written: str
    first: int = 0

    def since(self, now: int) -> int:
        """When the span begins, so that the stretch of `now` is its last; microseconds since 1970."""
        return now - (now - self.first) % self.step - self.step * (self.count - 1)

    def labels(self, now: int) -> tuple[str, ...]:
        """When each stretch begins, UTC."""
        return tuple(f"{datetime.fromtimestamp(at / 1e6, UTC):{self.written}}" for at in self._starts(now))

    def spread(self, now: int, found: Iterable[tuple[int, float]]) -> tuple[float, ...]:
        """Sums by stretch of (when, how many)."""
        sums = dict.fromkeys(self._starts(now), 0.0)
        for since, many in found:
            if since in sums:
                sums[since] += many
        return tuple(sums.values())

    def _starts(self, now: int) -> list[int]:
        return [self.since(now) + i * self.step for i in range(self.count)]


MONDAY = 4 * DAY  # 1970 began on a Thursday
SPANS = {
    "hour": Span("Last hour", 2 * MINUTE, 30, "%H:%M"),
    "day": Span("Last day", HOUR, 24, "%H:%M"),
    "week": Span("Last week", 6 * HOUR, 28, "%-d %b %H:%M"),
    "month": Span("Last month", DAY, 30, "%-d %b"),
    "year": Span("Last year", 7 * DAY, 53, "%-d %b %Y", MONDAY),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A big number."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table with a bar: share in [0, 1] of the whole."""

    name: str
    cells: tuple[str, ...]
    share: float = 0.0


def figures(found: Tallies, meters: Meters, waiting: int) -> list[Figure]:
    """The numbers on top."""
    images = sum(one.count for one in found.predictions)
    refused = sum(one.count for one in found.predictions if one.refused)
    took = added(one.took for one in found.predictions)
    agreed, disagreed = (sum(getattr(one, name) for one in found.agreement) for name in ("agreed", "disagreed"))
    hits, misses = meters.cache.get("hit", 0), meters.cache.get("miss", 0)
    return [
        Figure("Images", f"{images:,}", f"{images - refused:,} answered"),
        Figure("Refused by the gate", percent(refused / images) if images else "–", f"{refused:,} of {images:,}"),
        Figure("Time to answer", spoken(quantile(took, 0.5)), _most(quantile(took, 0.95))),
        Figure(
            "Agreement",
            percent(agreed / (agreed + disagreed)) if agreed + disagreed else "–",
            f"of {agreed + disagreed:,} with feedback",
        ),
        Figure("From the cache", percent(hits / (hits + misses)) if hits + misses else "–", "since the server started"),
        Figure("Waiting now", f"{waiting:,}", f"{sum(meters.turned_away.values()):,} turned away since the start"),
    ]


def charts(found: Tallies, span: Span, now: int, known: Sequence[Task]) -> list[Chart]:
    """What changes over the span, and how it is spread; `known` tasks say what their classes are called."""
    labels = span.labels(now)

    def over_time(chosen: Callable[[Tally], bool]) -> tuple[float, ...]:
        return span.spread(now, ((one.since, one.count) for one in found.predictions if chosen(one)))

    answered, refused = over_time(lambda one: not one.refused), over_time(lambda one: one.refused)
    whole = [a + b for a, b in zip(answered, refused, strict=True)]
    turned = tuple(b / w if w else None for b, w in zip(refused, whole, strict=True))
    agreed = span.spread(now, ((one.since, one.agreed) for one in found.agreement))
    disagreed = span.spread(now, ((one.since, one.disagreed) for one in found.agreement))
    each = f"One column stands for {_length(span.step)}{', from Monday' if span.first else ''}. Times are UTC."
    took, sure = added(one.took for one in found.predictions), added(one.sure for one in found.predictions)
    return [
        Chart("traffic", "Traffic", f"Images sent in. {each}", labels,
              (Series("Answered", answered), Series("Refused", refused))),
        Chart("refused", "Refusals", "Share of the images that the gate did not let through.", labels,
              (Series("Refused", turned),), shape="lines", top=1.0, written=_whole),
        Chart("latency", "Time to answer",
              "Milliseconds from the last byte received until the answer is on record.", _edges(),
              (Series("Images", tuple(map(float, took))),), across="Milliseconds"),
        Chart("classes", "Class mix", f"Answers by class. {each}", labels, _classes(found, span, now, known)),
        Chart("sure", "Probability of the answer", "A pile on the left means many doubtful answers.",
              tuple(f"{low}–{low + 10}%" for low in range(0, 100, 10)), (Series("Answers", tuple(map(float, sure))),),
              across="Probability"),
        Chart("agreement", "Agreement with feedback", f"What people said of the answers given then. {each}", labels,
              (Series("Agreed", agreed), Series("Disagreed", disagreed)),
              empty="Nobody has said yet whether answers of this span are right."),
    ]  # fmt: skip


def by_model(found: Tallies) -> list[Line]:
    """Images, refusals and agreement of each model, the busiest first."""
    whole = sum(one.count for one in found.predictions) or 1
    lines = []
    for model in {one.model for one in found.predictions}:
        mine = [one for one in found.predictions if one.model == model]
        said = [one for one in found.agreement if one.model == model]
        images, refused = sum(one.count for one in mine), sum(one.count for one in mine if one.refused)
        agreed, told = sum(one.agreed for one in said), sum(one.agreed + one.disagreed for one in said)
        cells = (f"{images:,}", percent(refused / images), percent(agreed / told) if told else "–")
        lines.append((images, Line(model or "No model was asked", cells, images / whole)))
    return [line for _, line in sorted(lines, key=lambda pair: (-pair[0], pair[1].name))]


def reasons(meters: Meters, task: str | None) -> list[Line]:
    """Why images were refused since the start, the commonest first."""
    counts: dict[str, int] = {}
    for (one, reason), count in list(meters.refusals.items()):
        if task in (None, one):
            counts[reason] = counts.get(reason, 0) + count
    most = max(counts.values(), default=1)
    ranked = sorted(counts.items(), key=lambda pair: -pair[1])
    return [Line(why(reason), (f"{count:,}",), count / most) for reason, count in ranked]


def stages(meters: Meters) -> list[Line]:
    """How long each stage took since the start, in the order in which an image meets them."""
    known: Mapping[str, Buckets] = meters.stages
    busy = [(title, known[name]) for name, title in STAGES.items() if name in known and sum(known[name].counts) > 0]
    most = max((_mean(one) for _, one in busy), default=1.0) or 1.0
    return [Line(title, (milliseconds(_mean(one)), _quantile_of(one, 0.95)), _mean(one) / most) for title, one in busy]


def turned_away(meters: Meters) -> list[Line]:
    """Requests that were not taken since the start."""
    return [Line(AWAY.get(name, name), (f"{count:,}",)) for name, count in sorted(meters.turned_away.items())]


def added(rows: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Bins of several rows in one."""
    return tuple(sum(column) for column in zip(*rows, strict=True))


def quantile(bins: Sequence[int], share: float, edges: Sequence[float] = MILLISECONDS) -> float | None:
    """The value below which a share of what is binned lies, even spread within a bin assumed; inf in the open bin."""
    wanted, below, low = sum(bins) * share, 0, 0.0
    for count, high in zip(bins, (*edges, float("inf")), strict=False):
        if count and below + count >= wanted:
            return low + (high - low) * (wanted - below) / count
        below, low = below + count, high
    return None


def spoken(value: float | None) -> str:
    """Milliseconds in words."""
    if value is None:
        return "–"
    if value > MILLISECONDS[-1]:
        return f"over {MILLISECONDS[-1] // 1000} s"
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"


def milliseconds(seconds: float) -> str:
    """Seconds -> "3.4 ms"."""
    return f"{seconds * 1000:.2f} ms" if seconds < 0.01 else f"{seconds * 1000:,.0f} ms"


def _classes(found: Tallies, span: Span, now: int, known: Sequence[Task]) -> tuple[Series, ...]:
    tasks = {task.name: task for task in known}
    named: dict[str, list[tuple[int, float]]] = {}
    for one in found.predictions:
        if not one.refused and one.label is not None:
            title = label_of(tasks.get(one.task or ""), one.label).title
            named.setdefault(title, []).append((one.since, one.count))
    return few([Series(title, span.spread(now, named[title])) for title in sorted(named)])


def _edges() -> tuple[str, ...]:
    return (*(f"<{edge:g}" for edge in MILLISECONDS), f"≥{MILLISECONDS[-1]:g}")


def _mean(one: Buckets) -> float:
    return one.sum / max(sum(one.counts), 1)


def _quantile_of(one: Buckets, share: float) -> str:
    found = quantile(one.counts, share, one.bounds)
    beyond = found is None or found == float("inf")
    return f"over {milliseconds(one.bounds[-1])}" if beyond else milliseconds(found or 0.0)


def _most(value: float | None) -> str:
    """What 95 of 100 stayed below, where the bins can tell."""
    beyond = value is not None and value > MILLISECONDS[-1]
    return f"more than 5 of 100 took {spoken(value)}" if beyond else f"95 of 100 within {spoken(value)}"


def _length(step: int) -> str:
    """One stretch in words, in the largest unit that goes into it."""
    size, name = next((size, name) for size, name in UNITS if step % size == 0)
    return f"one {name}" if step == size else f"{step // size} {name}s"


def _whole(share: float) -> str:
    return percent(share, 0)
