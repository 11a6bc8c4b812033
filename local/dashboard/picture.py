"""Draws a dashboard as SVG: CloudWatch's grid, one panel per widget."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from local.dashboard.alarms import Alarm
from local.dashboard.series import Measured, key, statistic

_COLUMN, _ROW = 68, 52  # pixels of a cell of the grid, which is 24 wide
_GAP, _HEAD = 10, 64
_COLOURS: Final = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
    "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf",
)  # fmt: skip
_FONT: Final = "Helvetica, Arial, sans-serif"
_GOOD, _BAD = "#b7dfb0", "#d13212"
_TILES: Final = 5  # alarms side by side
_STEPS: Final = 5  # gridlines of a chart
_MINUTE: Final = 60.0


@dataclass(frozen=True)
class Clock:
    """UNIX seconds of the run, and how much faster it was than production."""

    begun: float
    ended: float
    speed: float

    def moments(self, period: float) -> list[float]:
        """Beginnings of the periods of a metric; ``period`` is seconds of production."""
        length = period / self.speed
        return [self.begun + step * length for step in range(math.ceil((self.ended - self.begun) / length))]


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Line:
    """One metric of a chart: its label, and its points in seconds of the run."""

    label: str
    colour: str
    points: tuple[tuple[float, float], ...]


def draw(
    widgets: Sequence[Mapping[str, Any]],
    alarms: Mapping[str, Alarm],
    measured: Measured,
    clock: Clock,
    title: str,
    subtitle: str,
) -> str:
    """The whole picture; ``alarms`` by ARN."""
    width = 24 * _COLUMN
    height = _HEAD + max(widget["y"] + widget["height"] for widget in widgets) * _ROW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="{_FONT}">',
        f'<rect width="{width}" height="{height}" fill="#f2f3f3"/>',
        _text(_GAP, 28, title, size=20, weight="bold"),
        _text(_GAP, 50, subtitle, colour="#545b64"),
    ]
    for widget in widgets:
        box = Box(
            widget["x"] * _COLUMN + _GAP / 2,
            widget["y"] * _ROW + _HEAD + _GAP / 2,
            widget["width"] * _COLUMN - _GAP,
            widget["height"] * _ROW - _GAP,
        )
        properties = widget["properties"]
        parts.append(
            f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="4" fill="#fff"/>'
        )
        parts.append(_text(box.x + 14, box.y + 24, properties["title"], size=16, weight="bold"))
        if widget["type"] == "alarm":
            parts += _tiles(box, [alarms[arn] for arn in properties["alarms"]], measured, clock)
        else:
            parts += _chart(box, properties, _lines(properties, measured, clock), clock)
    return "\n".join([*parts, "</svg>", ""])


def _lines(properties: Mapping[str, Any], measured: Measured, clock: Clock) -> list[Line]:
    lines = []
    for place, (namespace, name, *rest) in enumerate(properties["metrics"]):
        options = rest.pop() if isinstance(rest[-1], dict) else {}
        metric = key(namespace, name, dict(zip(rest[::2], rest[1::2], strict=True)))
        period = properties["period"]
        points = []
        for moment in clock.moments(period):
            values = measured.within(metric, moment, moment + period / clock.speed)
            value = statistic(options.get("stat", properties["stat"]), values)
            if value is not None:
                points.append((moment - clock.begun, value))
        lines.append(Line(options.get("label", name), _COLOURS[place % len(_COLOURS)], tuple(points)))
    return lines


def _tiles(box: Box, alarms: Sequence[Alarm], measured: Measured, clock: Clock) -> Iterator[str]:
    """Each alarm's name over a strip of its states from the run's beginning to its end."""
    rows = -(-len(alarms) // _TILES)
    width, height = (box.width - 28) / _TILES, (box.height - 40) / rows
    common = _common_prefix([alarm.name for alarm in alarms])
    moments = clock.moments(_MINUTE)
    for place, alarm in enumerate(alarms):
        x, y = box.x + 14 + place // rows * width, box.y + 40 + place % rows * height
        step = (width - 16) / len(moments)
        states = [alarm.raised(measured, moment, clock.speed) for moment in moments[1:]] or [False]
        colour = _BAD if any(states) else "#16191f"
        yield _text(x, y + height * 0.42, alarm.name.removeprefix(common), colour=colour)
        for number, raised in enumerate(states):
            yield (
                f'<rect x="{x + number * step:.1f}" y="{y + height * 0.55:.1f}" width="{step + 0.3:.1f}"'
                f' height="{height * 0.22:.1f}" fill="{_BAD if raised else _GOOD}"/>'
            )


def _common_prefix(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:same]


def _chart(box: Box, properties: Mapping[str, Any], lines: Sequence[Line], clock: Clock) -> Iterator[str]:
    columns = 3 if len(lines) > _TILES else 2
    legend_rows = -(-len(lines) // columns)
    plot = Box(box.x + 66, box.y + 58, box.width - 84, box.height - 58 - 30 - 19 * legend_rows)
    top = _nice(max((value for line in lines for _, value in line.points), default=0.0))
    duration = clock.ended - clock.begun
    yield _text(box.x + 14, box.y + 45, properties["yAxis"]["left"]["label"], size=12, colour="#545b64")
    for step in range(_STEPS):
        y = plot.y + plot.height * (1 - step / (_STEPS - 1))
        yield f'<path d="M{plot.x} {y:.1f}h{plot.width}" stroke="#e3e6e8"/>'
        label = _number(top * step / (_STEPS - 1))
        yield _text(plot.x - 8, y + 4, label, size=12, colour="#545b64", anchor="end")
    for step in range(_STEPS):
        minutes = round(duration * clock.speed / _MINUTE * step / (_STEPS - 1))
        x, anchor = plot.x + plot.width * step / (_STEPS - 1), "end" if step == _STEPS - 1 else "middle"
        yield _text(x, plot.y + plot.height + 18, f"{minutes} min", size=12, colour="#545b64", anchor=anchor)
    for line in lines:
        yield from _curve(plot, line, top, duration, properties["period"] / clock.speed)
    for place, line in enumerate(lines):
        x = box.x + 14 + place % columns * (box.width - 20) / columns
        y = box.y + box.height - 19 * legend_rows + 19 * (place // columns) + 8
        faint = "" if line.points else ' opacity="0.35"'
        yield f'<g{faint}><rect x="{x:.1f}" y="{y - 9:.1f}" width="11" height="11" fill="{line.colour}"/>'
        yield _text(x + 16, y, line.label, size=11) + "</g>"


def _curve(plot: Box, line: Line, top: float, duration: float, length: float) -> Iterator[str]:
    """Points of neighbouring periods are joined; where a period has no value the line is interrupted."""
    runs: list[list[tuple[float, float]]] = []
    for at, value in line.points:
        x = plot.x + min(at + length / 2, duration) / duration * plot.width
        y = plot.y + plot.height * (1 - value / top)
        if runs and x - runs[-1][-1][0] <= 1.5 * length / duration * plot.width:
            runs[-1].append((x, y))
        else:
            runs.append([(x, y)])
    for run in runs:
        if len(run) == 1:
            yield f'<circle cx="{run[0][0]:.1f}" cy="{run[0][1]:.1f}" r="3" fill="{line.colour}"/>'
        else:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
            yield f'<polyline points="{path}" fill="none" stroke="{line.colour}" stroke-width="2"/>'


def _nice(most: float) -> float:
    """The end of an axis: 1, 2, 4 or 8 times a power of ten, and at least 1."""
    end = 1.0
    while end < most:
        end *= 10
    return next((end * share for share in (0.1, 0.2, 0.4, 0.8) if end * share >= max(most, 1.0)), end)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


def _text(  # noqa: PLR0913 - what SVG's text element takes
    x: float,
    y: float,
    text: str,
    *,
    size: int = 13,
    weight: str = "normal",
    colour: str = "#16191f",
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" fill="{colour}"'
        f' text-anchor="{anchor}">{escape(text)}</text>'
    )
