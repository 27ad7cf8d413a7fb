"""The seam between the world and the pipeline: a `Source` gives `Block`s of samples."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16_000
"""Hertz. Everything behind a source is 16 kHz mono."""

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive samples of one source."""

    samples: FloatArray
    """(n,) float32 in [-1, 1], mono, 16 kHz, all finite."""
    start: int
    """Index of the first sample since the source was opened, at 16 kHz."""
    wall_time: float | None = None
    """When the first sample was captured, seconds since the Unix epoch; None for recordings."""
    overruns: int = 0
    """How often the device lost samples just before this block."""
    invalid: int = 0
    """Samples that were not finite numbers and were replaced with silence."""


class Source(Protocol):
    """Somewhere sound comes from. Constructing one opens nothing; iterating `blocks` does."""

    name: str
    """As it appears in topics, for example `living-room`."""

    def blocks(self) -> Iterator[Block]:
        """Yield blocks in order until the sound ends or `close` is called.

        Raises:
            SourceError: there is no sound to be had here.
            SourceLost: there was, and it stopped.
        """
        ...

    def close(self) -> None:
        """End `blocks` soon (within 0.2 s), from any thread, and free the device or child. Idempotent."""
        ...
