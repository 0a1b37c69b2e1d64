"""Named rows of numbers -> the geometry of a small chart, for a template that writes it as SVG. Knows no record."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 400, 190  # of the drawing, in its own units
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 8, 24
SERIES_MOST = 6  # colours and dashes that can be told apart
TICKS = 4
TICK_LONGEST = 8  # letters; of a longer label the last word is left out


@dataclass(frozen=True, slots=True)
class Series:
    """One row of numbers, one for each label; None where nothing was measured."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn and told: `labels` along the bottom, `series` stacked as columns or each as a line.

    shape: "columns" or "lines". counts: the values come whole. top: what the upper edge stands for; 0: whatever fits.
    written: a value in words. across: what the labels are. empty: what is said where there is nothing to draw.
    """

    id: str
    title: str
    says: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    shape: str = "columns"
    top: float = 0.0
    counts: bool = True
    across: str = "Time"
    empty: str = "Nothing yet in this span."
    written: Callable[[float], str] = lambda value: f"{value:,.0f}"

    @property
    def drawn(self) -> Drawn | None:
        """The geometry; None where there is nothing to draw."""
        return draw(self) if any(self._says(value) for one in self.series for value in one.values) else None

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The same as a table, without the lines that say nothing."""
        lines = [(label, [one.values[i] for one in self.series]) for i, label in enumerate(self.labels)]
        return [(label, [_cell(self, v) for v in line]) for label, line in lines if any(map(self._says, line))]

    def _says(self, value: float | None) -> bool:
        """Whether a value says something: a column of 0 shows nothing, a point of a line at 0 was measured there."""
        return value is not None and (self.shape == "lines" or value != 0)


@dataclass(frozen=True, slots=True)
class Box:
    """One column, or its part."""

    x: float
    y: float
    width: float
    height: float
    number: int
    says: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """Everything at its place. ticks: (place, text). lines: (path, number)."""

    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    boxes: tuple[Box, ...]
    lines: tuple[tuple[str, int], ...]
    dots: tuple[Box, ...]


def draw(chart: Chart) -> Drawn:
    """Lay a chart out."""
    steps = _steps(chart.top or _highest(chart), whole=not chart.top and chart.counts)
    top = steps[-1]
    places = [LEFT + (i + 0.5) * _pitch(chart) for i in range(len(chart.labels))]
    up = tuple((round(_y(step, top), 1), chart.written(step)) for step in steps)
    across = tuple((round(places[i], 1), _tick(chart.labels[i])) for i in _ticks(len(places)))
    if chart.shape == "columns":
        return Drawn(across, up, _columns(chart, places, top), (), ())
    return Drawn(across, up, (), _lines(chart, places, top), _dots(chart, places, top))


def few(series: Sequence[Series]) -> tuple[Series, ...]:
    """At most as many as can be told apart: the rest in one."""
    if len(series) <= SERIES_MOST:
        return tuple(series)
    ranked = sorted(series, key=lambda one: -sum(value or 0.0 for value in one.values))
    rest = zip(*(one.values for one in ranked[SERIES_MOST - 1 :]), strict=True)
    return (*ranked[: SERIES_MOST - 1], Series("Others", tuple(sum(value or 0.0 for value in line) for line in rest)))


def _columns(chart: Chart, places: Sequence[float], top: float) -> tuple[Box, ...]:
    wide, boxes = max(_pitch(chart) * 0.72, 1.5), []
    for i, place in enumerate(places):
        below = 0.0
        for number, one in enumerate(chart.series, 1):
            value = one.values[i] or 0.0
            if value <= 0:
                continue
            upper, lower = _y(below + value, top), _y(below, top)
            says = f"{chart.labels[i]}: {one.name} {chart.written(value)}"
            boxes.append(
                Box(round(place - wide / 2, 1), round(upper, 1), round(wide, 1), round(lower - upper, 2), number, says)
            )
            below += value
    return tuple(boxes)


def _lines(chart: Chart, places: Sequence[float], top: float) -> tuple[tuple[str, int], ...]:
    """A gap where nothing was measured is bridged: the dots say where it was."""
    found = []
    for number, one in enumerate(chart.series, 1):
        points = [(x, _y(v, top)) for x, v in zip(places, one.values, strict=True) if v is not None]
        if len(points) > 1:
            found.append(("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points), number))
    return tuple(found)


def _dots(chart: Chart, places: Sequence[float], top: float) -> tuple[Box, ...]:
    if len(places) > 60:
        return ()
    return tuple(
        Box(round(place, 1), round(_y(value, top), 1), 0, 0, number, f"{label}: {one.name} {chart.written(value)}")
        for number, one in enumerate(chart.series, 1)
        for place, value, label in zip(places, one.values, chart.labels, strict=True)
        if value is not None
    )


def _highest(chart: Chart) -> float:
    columns = zip(*([value or 0.0 for value in one.values] for one in chart.series), strict=True)
    return max((sum(line) if chart.shape == "columns" else max(line) for line in columns), default=1.0)


def _steps(highest: float, *, whole: bool) -> list[float]:
    """Round numbers from 0 to at least the highest; whole: things that are counted."""
    raw = max(highest, 1e-9) / TICKS
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw * 0.999)
    step = max(step, 1.0) if whole else step
    return [step * i for i in range(math.ceil(highest / step - 1e-9) + 1)]


def _ticks(count: int) -> list[int]:
    """Which labels are written: evenly spread, the last one too where it can be."""
    least = max(math.ceil(count / (TICKS + 1)), 1)
    return list(range(0, count, next((step for step in range(least, 2 * least) if (count - 1) % step == 0), least)))


def _tick(label: str) -> str:
    return label if len(label) <= TICK_LONGEST else label.rsplit(" ", 1)[0]


def _pitch(chart: Chart) -> float:
    return (WIDTH - LEFT - RIGHT) / max(len(chart.labels), 1)


def _y(value: float, top: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(value / top, 1.0) if top else 1.0)


def _cell(chart: Chart, value: float | None) -> str:
    return "–" if value is None else chart.written(value)
