"""How far a long job is: one line that rewrites itself, on a terminal only."""

import time
from typing import Self, TextIO

from device.commands.terminal import columns, last_of, width_of

_EVERY_S = 0.2
_WIDTH = 30
"""Columns of a bar where there is room."""

_NAME = 40
"""Columns of the name, likewise."""

_LEAST = 8
"""Columns without which a bar or a name says nothing."""


class Progress:
    """Draws on a stream while its context is open; draws nothing where the stream is not a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = width_of(stream) is not None
        self._shown_at = time.monotonic()  # what is done at once is not shown
        self._drawn = False

    def draw(self, name: str, part: float, whole: str = "") -> None:
        """Show which part of a job, 0 to 1, is done."""
        now = time.monotonic()
        if not self._terminal or now - self._shown_at < _EVERY_S:
            return
        self._shown_at, self._drawn = now, True
        # Erased up to the line's end: what stood there before may have been longer.
        self._stream.write(f"\r{line(name, min(1.0, part), whole, width_of(self._stream) or 0)}\x1b[K")
        self._stream.flush()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Erase the line."""
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def line(name: str, part: float, whole: str, width: int) -> str:
    """Name, bar, percentage and whole, in less than `width` columns: what has no room gives way to the rest."""
    percentage = f"{part:4.0%}"
    room = width - 1 - len(percentage)
    tail = f" {whole}" if whole and room - len(whole) > _LEAST else ""
    room -= len(tail)
    inside = room - len(" [] ")
    bar = min(_WIDTH, max(inside // 2, inside - columns(name)))
    if bar < _LEAST:
        return f"{last_of(name, room - 1)} {percentage}{tail}"
    return f"{last_of(name, min(_NAME, inside - bar))} [{'#' * int(part * bar):<{bar}}] {percentage}{tail}"
