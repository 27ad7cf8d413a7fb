"""How far a long command is: a bar on a terminal, plain lines where standard error goes elsewhere."""

import sys
from typing import Self


class Progress:
    """Counts so many steps on standard error, as a context manager; a step is called `unit`."""

    def __init__(self, *, total: int, unit: str) -> None:
        self._total = total
        self._done = 0
        self._bar = None
        # Off a terminal there is no bar at all: it would start a thread, and processes are forked meanwhile.
        if sys.stderr.isatty():
            from tqdm import tqdm  # noqa: PLC0415 - an extra

            self._bar = tqdm(total=total, unit=f" {unit}", leave=False)

    def __enter__(self) -> Self:
        """Start counting."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar off the terminal."""
        if self._bar is not None:
            self._bar.close()

    def step(self, message: str) -> None:
        """One step is done, and what it gave."""
        self._done += 1
        if self._bar is not None:
            self._bar.write(message, file=sys.stderr)
            self._bar.update()
        else:
            print(f"[{self._done}/{self._total}] {message}", file=sys.stderr, flush=True)
