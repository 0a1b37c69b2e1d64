"""Numbers -> a chart as inline SVG whose colours come from the report's stylesheet; knows no figure's meaning.

Drawn here rather than by a plotting library: the page stays small, follows light and dark, and every mark has a title.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

Points = Sequence[tuple[float, float]]

_LEFT, _TOP, _RIGHT, _BOTTOM = 52, 12, 22, 46


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of a chart."""

    label: str
    low: float = 0.0
    high: float = 1.0
    ticks: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    percent: bool = True

    def written(self, tick: float) -> str:
        """The tick as it stands on the axis."""
        return f"{round(100 * tick, 6):g}%" if self.percent else f"{tick:g}"


@dataclass(frozen=True, slots=True)
class Line:
    """A curve; `style` 1 to 6 is a colour and a dash of the stylesheet, 0 the thin guide line."""

    name: str
    points: Points
    style: int = 1


@dataclass(frozen=True, slots=True)
class Dot:
    """One marked point."""

    name: str
    x: float
    y: float
    size: float = 5.0
    style: int = 1


@dataclass(frozen=True, slots=True)
class Bars:
    """Columns between `edges` (B + 1) of heights (B)."""

    name: str
    edges: Sequence[float]
    heights: Sequence[float]
    style: int = 1


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn, in data units."""

    title: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...] = ()
    dots: tuple[Dot, ...] = ()
    bars: tuple[Bars, ...] = ()
    mark: float | None = None  # an upright at this x, id "mark", which a script may move
    mark_name: str = ""
    size: tuple[int, int] = (380, 340)

    def svg(self) -> Markup:
        """The chart and its legend."""
        width, height = self.size
        parts = [
            f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(self.title)}">',
            *self._axes(),
            *(part for bars in self.bars for part in self._bars(bars)),
            *(self._line(line) for line in self.lines),
            *(self._dot(dot) for dot in self.dots),
            *self._mark(),
            "</svg>",
        ]
        return Markup("".join(parts) + self._legend())  # noqa: S704  built and escaped here

    def _px(self, x: float) -> float:
        share = (x - self.x.low) / (self.x.high - self.x.low)
        return round(_LEFT + (self.size[0] - _LEFT - _RIGHT) * min(max(share, 0.0), 1.0), 2)

    def _py(self, y: float) -> float:
        share = (y - self.y.low) / (self.y.high - self.y.low)
        return round(self.size[1] - _BOTTOM - (self.size[1] - _TOP - _BOTTOM) * min(max(share, 0.0), 1.0), 2)

    def _axes(self) -> list[str]:
        width, height = self.size
        bottom, right = height - _BOTTOM, width - _RIGHT
        drawn = [f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>']
        for tick in self.x.ticks:
            at = self._px(tick)
            drawn.append(f'<path class="axis" d="M{at} {bottom}v5"/>')
            drawn.append(f'<text x="{at}" y="{bottom + 18}" text-anchor="middle">{self.x.written(tick)}</text>')
        for tick in self.y.ticks:
            at = self._py(tick)
            drawn.append(f'<path class="axis" d="M{_LEFT - 5} {at}H{right}"/>')
            drawn.append(f'<text x="{_LEFT - 9}" y="{at + 4}" text-anchor="end">{self.y.written(tick)}</text>')
        middle_x, middle_y = (_LEFT + right) / 2, (_TOP + bottom) / 2
        drawn.append(f'<text x="{middle_x}" y="{height - 8}" text-anchor="middle">{escape(self.x.label)}</text>')
        turned = f"rotate(-90 12 {middle_y})"
        drawn.append(
            f'<text x="12" y="{middle_y}" text-anchor="middle" transform="{turned}">{escape(self.y.label)}</text>'
        )
        return drawn

    def _line(self, line: Line) -> str:
        places = [(self._px(x), self._py(y)) for x, y in line.points if math.isfinite(x) and math.isfinite(y)]
        kind = f"line s{line.style}" if line.style else "mark"
        joined = " ".join(f"{x:g},{y:g}" for x, y in places)
        return f'<polyline class="{kind}" fill="none" points="{joined}"><title>{escape(line.name)}</title></polyline>'

    def _dot(self, dot: Dot) -> str:
        return (
            f'<circle class="dot s{dot.style}" cx="{self._px(dot.x)}" cy="{self._py(dot.y)}" r="{dot.size:g}">'
            f"<title>{escape(dot.name)}</title></circle>"
        )

    def _bars(self, bars: Bars) -> list[str]:
        drawn = []
        for left, right, height in zip(bars.edges, bars.edges[1:], bars.heights, strict=False):
            x, top, bottom = self._px(left), self._py(height), self._py(self.y.low)
            if height > 0:
                wide = max(self._px(right) - x - 1, 0.5)
                drawn.append(
                    f'<rect class="column s{bars.style}" x="{x:g}" y="{top:g}" width="{wide:g}" '
                    f'height="{bottom - top:g}"><title>{escape(bars.name)}: {height:.3g}</title></rect>'
                )
        return drawn

    def _mark(self) -> list[str]:
        if self.mark is None:
            return []
        at = self._px(self.mark)
        upright = (
            f'<path class="mark" data-mark data-left="{_LEFT}" data-right="{self.size[0] - _RIGHT}" '
            f'transform="translate({at} 0)" d="M0 {_TOP}V{self.size[1] - _BOTTOM}">'
            f"<title>{escape(self.mark_name)}</title></path>"
        )
        return [upright]

    def _legend(self) -> str:
        shown = [_key(bars.name, bars.style, filled=True) for bars in self.bars if bars.name]
        shown += [_key(line.name, line.style, filled=False) for line in self.lines if line.name]
        return '<ul class="legend">' + "".join(shown) + "</ul>" if shown else ""


def _key(name: str, style: int, filled: bool) -> str:
    mark = (
        f'<rect class="column s{style}" x="6" y="1" width="20" height="10"/>'
        if filled
        else f'<path class="{f"line s{style}" if style else "mark"}" fill="none" d="M0 6H32"/>'
    )
    return f'<li><svg viewBox="0 0 32 12" class="chart" aria-hidden="true">{mark}</svg>{escape(name)}</li>'
