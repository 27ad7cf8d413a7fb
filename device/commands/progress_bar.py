"""How far a long job is: one line that rewrites itself, on a terminal only."""

import time
from typing import Self, TextIO

_EVERY_S = 0.2
_WIDTH = 30


class Progress:
    """Draws on a stream while its context is open; draws nothing where the stream is not a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._shown_at = time.monotonic()  # what is done at once is not shown
        self._drawn = False

    def draw(self, name: str, part: float, whole: str = "") -> None:
        """Show which part of a job, 0 to 1, is done."""
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
        """Erase the line."""
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
