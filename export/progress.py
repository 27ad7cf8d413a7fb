"""How far a long command is: a bar on a terminal, plain lines where standard error goes elsewhere."""

import sys
from types import TracebackType
from typing import Self, TextIO

from tqdm import tqdm


class Progress:
    """Counts steps on standard error; use it as a context manager.

    Args:
        total: how many steps there will be.
        unit: what one step is called, for example `package`.
        stream: where it is shown; None is standard error.
    """

    def __init__(self, *, total: int, unit: str, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._total = total
        self._done = 0
        self._bar = (
            tqdm(total=total, unit=f" {unit}", file=self._stream, leave=False) if self._stream.isatty() else None
        )

    def __enter__(self) -> Self:
        """Start counting."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take the bar off the terminal."""
        if self._bar is not None:
            self._bar.close()

    def step(self, message: str) -> None:
        """One step is done, and what it gave."""
        self._done += 1
        if self._bar is not None:
            self._bar.write(message, file=self._stream)
            self._bar.update()
        else:
            print(f"[{self._done}/{self._total}] {message}", file=self._stream, flush=True)
