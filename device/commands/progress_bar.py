"""How far through a long recording: one line that rewrites itself, on a terminal only."""

import time
from typing import Self, TextIO

SHOWN_FROM_S = 300.0
"""Recordings shorter than this are done before one could read it."""

_EVERY_S = 0.2
_WIDTH = 30


class Progress:
    """Draws on a stream while its context is open; draws nothing where the stream is not a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._shown_at = 0.0
        self._drawn = False

    def show(self, name: str, done_s: float, total_s: float | None) -> None:
        """Say how many seconds of how many have been heard."""
        if total_s and total_s >= SHOWN_FROM_S:
            self.draw(name, done_s / total_s, f"of {total_s / 60:.0f} min ")

    def draw(self, name: str, part: float, whole: str = "") -> None:
        """Say which part of something, 0 to 1, is done."""
        now = time.monotonic()
        if not self._terminal or now - self._shown_at < _EVERY_S:
            return
        self._shown_at, self._drawn = now, True
        part = min(1.0, part)
        bar = "#" * int(part * _WIDTH)
        # Erased up to the line's end: what stood there before may have been longer.
        self._stream.write(f"\r{name[-40:]} [{bar:<{_WIDTH}}] {part:4.0%} {whole}\x1b[K")
        self._stream.flush()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wipe the line away."""
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
