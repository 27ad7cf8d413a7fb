"""Numbers as a person reads them. Pure."""

import math
from collections.abc import Sequence

from export.evaluation.metrics import Figure

NONE = "-"
"""Where there is no number."""


def decimals(value: float | None, places: int) -> str:
    """With a fixed number of decimals."""
    return NONE if value is None or not math.isfinite(value) else f"{value:.{places}f}"


def significant(value: float | None, digits: int = 2) -> str:
    """Rounded to so many figures that count, written out, thousands apart: 0.00085, 590, 1,200."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")  # before its size is looked at: 9.96 is 10
    places = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(0, places)}f}"


def shown(figure: Figure, places: int = 3) -> str:
    """A figure with its interval, for a sentence or a picture."""
    return f"{decimals(figure.value, places)} ({interval(figure, places)})"


def interval(figure: Figure, places: int = 3) -> str:
    """From where to where."""
    return f"{decimals(figure.low, places)} to {decimals(figure.high, places)}"


def listed(words: Sequence[str]) -> str:
    """One, two and three."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def counted(number: int, noun: str) -> str:
    """1 start, 2 starts."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
