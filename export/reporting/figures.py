"""Numbers and text as the page writes them: the filters of its templates. Pure."""

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from export.evaluation.metrics import Figure

if TYPE_CHECKING:
    from markupsafe import Markup

NONE = "-"
"""Where there is no number."""

SOUND_NAMES = {
    "clean": "clean: as recorded",
    "level": "level: quiet or loud, with noise",
    "room": "room: across a room",
    "mixture": "mixture: under speech",
}

_TOGETHER = re.compile(r"(?<=\d) (?=(?:%|MB|KB|ms|s|h)(?!\w))|(?<=\bPi) (?=\d|Zero)")
"""A space at which no line may break: before a unit, and in the name of a board."""


def decimals(value: float | None, places: int) -> str:
    """With a fixed number of decimals."""
    return NONE if value is None or not math.isfinite(value) else f"{value:.{places}f}"


def significant(value: float | None, digits: int = 2) -> str:
    """Rounded to so many significant digits, with commas between thousands: 0.00085, 590, 1,200."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")  # before its size is looked at: 9.96 is 10
    places = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(0, places)}f}"


def shown(figure: Figure, places: int = 3) -> str:
    """A figure and its interval, for a sentence or a chart."""
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


def sound_name(sound: str) -> str:
    """What a kind of sound is called on the page."""
    return SOUND_NAMES.get(sound, sound)


def prose(text: str) -> "Markup":
    """Escaped text in which `backticks` mark code; a number and its unit stay on one line."""
    from markupsafe import Markup, escape  # noqa: PLC0415 - an extra

    parts = str(escape(text)).split("`")
    parts[::2] = [_TOGETHER.sub("\N{NO-BREAK SPACE}", part) for part in parts[::2]]
    parts[1::2] = [f"<code>{part}</code>" for part in parts[1::2]]
    return Markup("".join(parts))  # noqa: S704 - escaped above
