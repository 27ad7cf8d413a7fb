"""Pictures as SVG: widths in percent, letters in pixels, so that a phone shows them as legibly as a desk. Pure.

Every row has its words above its track: nothing is cut off where there is little width.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from export.evaluation.metrics import Figure
from export.reporting.html import Markup, join, tag
from export.reporting.style import series

_ROW = 44
"""Pixels that a row takes."""
_TRACK = 28
"""From its top to its track."""
_AXIS = 34
"""Below the rows."""
_HIGH = 300
"""Of a cloud of points."""

_FEWEST_TICKS = 3
_STEPS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """What a position stands for."""

    label: str
    """With its unit."""
    low: float
    high: float
    places: int = 2
    """Decimals at the ticks."""
    mark: float | None = None
    """Where to draw a line across, to compare with."""
    logarithmic: bool = False

    def part(self, value: float) -> float:
        """Where it is, 0 to 1; what lies outside stands at the edge."""
        low, high, at = self.low, self.high, value
        if self.logarithmic:
            low, high, at = (math.log10(max(each, 1e-12)) for each in (low, high, at))
        return min(1.0, max(0.0, (at - low) / (high - low)))

    def ticks(self) -> list[float]:
        """Round numbers, three to seven of them."""
        if self.logarithmic:
            return _decades(self.low, self.high)
        raw = (self.high - self.low) / 4
        size = 10.0 ** math.floor(math.log10(raw))
        step = next(size * each for each in _STEPS if size * each >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [step * number for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten; and what lies between them, where that is all there is room for."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for steps in ((1,), (1, 2, 5), range(1, 10)):
        found = [step * 10.0**power for power in powers for step in steps]
        found = [each for each in found if low <= each <= high]
        if len(found) >= _FEWEST_TICKS:
            break
    return found


def axis_around(values: Sequence[Figure], label: str, *, top: float | None = None, places: int = 2) -> Axis:
    """An axis on which every value and interval finds room.

    Args:
        values: at least one.
        label: with the unit.
        top: where it ends; None: above the largest.
        places: decimals at the ticks.
    """
    ends = [each for figure in values for each in (figure.value, figure.low, figure.high) if math.isfinite(each)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    end = high if top is None else max(top, high)
    room = max(end - low, 10.0**-places)
    step = 10.0 ** math.floor(math.log10(room))
    if room / step < 3:  # noqa: PLR2004 - then half steps still make few ticks
        step /= 2
    return Axis(label, max(0.0, math.floor(low / step) * step), math.ceil(end / step - 1e-9) * step, places)


@dataclass(frozen=True, slots=True)
class Range:
    """A value with its interval."""

    label: str
    figure: Figure
    shown: str
    """As it stands beside its label."""
    colour: int = 0


def ranges(title: str, rows: Sequence[Range], axis: Axis) -> Markup:
    """Values with their intervals, a row each.

    Args:
        title: said of the picture to those who cannot see it.
        rows: from the top.
        axis: at the bottom.
    """
    height = _ROW * len(rows)
    parts = [_grid(axis, height)]
    for number, row in enumerate(rows):
        top, at = _ROW * number, f"{100 * axis.part(row.figure.value):.2f}%"
        parts.append(_words(row.label, row.shown, top))
        parts.append(_across("track", "0%", "100%", top + _TRACK))
        if math.isfinite(row.figure.low) and math.isfinite(row.figure.high):
            # Interval and point apart: an interval of the bootstrap need not hold the point in its middle.
            low, high = (f"{100 * axis.part(end):.2f}%" for end in (row.figure.low, row.figure.high))
            parts.append(_across("span", low, high, top + _TRACK, style=f"stroke:{series(row.colour)}"))
        if math.isfinite(row.figure.value):
            style = f"fill:{series(row.colour)}"
            parts.append(tag("circle", class_="dot", cx=at, cy=top + _TRACK, r=6, style=style))
    described = "; ".join(f"{row.label} {row.shown}" for row in rows)
    return _svg(f"{title}. {axis.label}: {described}", height + _AXIS, join(parts))


@dataclass(frozen=True, slots=True)
class Stack:
    """Parts that make up a whole."""

    label: str
    shown: str
    parts: tuple[float, ...]
    """In the order of the legend; 0 where one is missing."""


def stacks(title: str, rows: Sequence[Stack], axis: Axis, names: Sequence[str]) -> Markup:
    """Bars made of parts, a row each.

    Args:
        title: said of the picture to those who cannot see it.
        rows: from the top.
        axis: at the bottom; begins at 0.
        names: of the parts.
    """
    height = _ROW * len(rows)
    drawn = [_grid(axis, height)]
    for number, row in enumerate(rows):
        top = _ROW * number
        drawn.append(_words(row.label, row.shown, top))
        begun = 0.0
        for colour, part in enumerate(row.parts):
            x, width = 100 * axis.part(begun), 100 * (axis.part(begun + part) - axis.part(begun))
            begun += part
            style = f"fill:{series(colour)}"
            at, wide = f"{x:.2f}%", f"{width:.2f}%"
            drawn.append(tag("rect", x=at, width=wide, y=top + _TRACK - 6, height=13, style=style))
    described = "; ".join(
        f"{row.label} {row.shown}: "
        + ", ".join(f"{name} {part:.3g}" for name, part in zip(names, row.parts, strict=True) if part)
        for row in rows
    )
    return _svg(f"{title}. {axis.label}. {described}", height + _AXIS, join(drawn))


@dataclass(frozen=True, slots=True)
class Point:
    """One of a cloud."""

    label: str
    x: float
    y: Figure
    colour: int


def cloud(title: str, points: Sequence[Point], x: Axis, y: Axis) -> Markup:
    """Points with vertical intervals.

    Args:
        title: said of the picture to those who cannot see it.
        points: in any order.
        x: at the bottom.
        y: at the left.
    """
    parts = [_grid(x, _HIGH)]
    for tick in y.ticks():
        level = _HIGH * (1 - y.part(tick))
        parts.append(tag("line", class_="grid", x1="0%", x2="100%", y1=level, y2=level))
        parts.append(tag("text", f"{tick:.{y.places}f}", class_="quiet", x=2, y=level - 4))
    for point in points:
        at, colour = f"{100 * x.part(point.x):.2f}%", series(point.colour)
        middle = _HIGH * (1 - y.part(point.y.value))
        low, high = (_HIGH * (1 - y.part(end)) for end in (point.y.low, point.y.high))
        parts.append(
            tag(
                "g",
                tag("title", point.label),
                tag("line", x1=at, x2=at, y1=low, y2=high, style=f"stroke:{colour};stroke-width:2;opacity:.3"),
                tag("circle", class_="dot", cx=at, cy=middle, r=6, style=f"fill:{colour}"),
            )
        )
    described = "; ".join(point.label for point in points)
    heading = tag("text", y.label, class_="quiet", x=0, y=-22)
    svg = _svg(f"{title}. {y.label} over {x.label}: {described}", _HIGH + _AXIS, join(heading, parts))
    return tag("div", svg, style="padding-top:1.8rem")


def legend(names: Sequence[str]) -> Markup:
    """Which colour is what, in the order of the numbers."""
    swatches = (
        tag("li", tag("span", class_="swatch", style=f"background:{series(number)}"), name)
        for number, name in enumerate(names)
    )
    return tag("ul", swatches, class_="legend")


def _svg(description: str, height: int, content: Markup) -> Markup:
    drawing = tag("svg", content, role="img", aria_label=description, width="100%", height=height)
    return tag("div", drawing, class_="plot")


def _words(left: str, right: str, top: int) -> Markup:
    return join(
        tag("text", left, x="0%", y=top + 13),
        tag("text", right, x="100%", y=top + 13, text_anchor="end", class_="quiet"),
    )


def _across(class_: str, x1: str, x2: str, y: int, *, style: str | None = None) -> Markup:
    return tag("line", class_=class_, x1=x1, x2=x2, y1=y, y2=y, style=style)


def _grid(axis: Axis, height: int) -> Markup:
    """Ticks, their numbers, what they mean; and the line to compare with."""
    parts = []
    for tick in axis.ticks():
        part = axis.part(tick)
        x = f"{100 * part:.2f}%"
        parts.append(tag("line", class_="grid", x1=x, x2=x, y1=0, y2=height))
        number = f"{tick:g}" if axis.logarithmic else f"{tick:.{axis.places}f}"
        parts.append(tag("text", number, class_="quiet", x=x, y=height + 14, text_anchor="middle"))
    if axis.mark is not None:
        x = f"{100 * axis.part(axis.mark):.2f}%"
        parts.append(tag("line", class_="mark", x1=x, x2=x, y1=0, y2=height))
    parts.append(tag("text", axis.label, class_="quiet", x="50%", y=height + 31, text_anchor="middle"))
    return join(parts)
