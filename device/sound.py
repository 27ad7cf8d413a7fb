"""What sources, hearing and the workstation have in common: how sound is held."""

from dataclasses import dataclass

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
