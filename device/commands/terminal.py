"""How wide a terminal is, and how wide text is on it."""

import os
import unicodedata
from typing import TextIO

_USUAL = 80


def width_of(stream: TextIO) -> int | None:
    """Columns of the terminal behind a stream, now; None where there is no terminal."""
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL  # a terminal that nobody measured says 0
    except OSError:
        return _USUAL


def columns(text: str) -> int:
    """How many columns the text takes: letters of East Asia take two, accents that stand alone none."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def last_of(text: str, width: int) -> str:
    """As much of the end of the text as fits, on one line: of a path, the end says most."""
    shown = "".join(each if each.isprintable() else "?" for each in text)
    while columns(shown) > max(0, width):
        shown = shown[1:]
    return shown
