"""The scale of a chart. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from export.evaluation.metrics import Figure

_FEWEST_TICKS = 3
_STEPS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """From which value to which a chart reaches."""

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
        """Where a value stands, from 0 to 1; one outside stands at the edge."""
        low, high, at = self.low, self.high, value
        if self.logarithmic:
            low, high, at = (math.log10(max(each, 1e-12)) for each in (low, high, at))
        return min(1.0, max(0.0, (at - low) / (high - low)))

    def at(self, value: float) -> str:
        """The same in percent of the width, for an attribute."""
        return f"{100 * self.part(value):.2f}%"

    def tick_label(self, tick: float) -> str:
        """The number at a tick."""
        return f"{tick:g}" if self.logarithmic else f"{tick:.{self.places}f}"

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
    """Powers of ten; with steps between them where there are too few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for steps in ((1,), (1, 2, 5), range(1, 10)):
        found = [step * 10.0**power for power in powers for step in steps]
        found = [each for each in found if low <= each <= high]
        if len(found) >= _FEWEST_TICKS:
            break
    return found


def axis_around(values: Sequence[Figure], label: str, *, top: float | None = None, places: int = 2) -> Axis:
    """An axis with room for every value and interval.

    Args:
        values: in any order.
        label: with the unit.
        top: where it ends at the earliest; None: above the largest.
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
