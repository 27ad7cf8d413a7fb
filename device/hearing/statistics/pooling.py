"""What a segment model reads where it is not the sequence itself: pooled, standardised, or both.

The workstation trains on the output of the same functions, so that the device computes it to the last bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from device.sound import FloatArray

Pooling = Literal["sequence", "mean_std"]

POOLINGS: tuple[Pooling, ...] = get_args(Pooling)

Preparation = Callable[[FloatArray], FloatArray]
"""From a segment, (1, patches, size) float32, to what the model reads, (1, ...) float32."""


@dataclass(frozen=True, slots=True)
class Standardisation:
    """Brings columns of any size to one, in float32."""

    mean: FloatArray
    """(size,) subtracted."""
    scale: FloatArray
    """(size,) divided by."""
    limit: float
    """In units of the scale: values beyond it are clipped. An int8 tensor has one step for all its columns, so a
    single wild value would make that step too coarse for the others."""

    def __call__(self, values: FloatArray) -> FloatArray:
        """(..., size) standardised."""
        standardised: FloatArray = np.clip((values - self.mean) / self.scale, -self.limit, self.limit)
        return standardised


def preparation(pooling: Pooling, standardisation: Standardisation | None) -> Preparation | None:
    """What turns a segment into what the model reads; None where that is the segment itself."""
    if standardisation is None:
        return None if pooling == "sequence" else mean_std
    if pooling == "sequence":
        return standardisation
    return lambda segment: standardisation(mean_std(segment))


def mean_std(segments: FloatArray) -> FloatArray:
    """(n, patches, size) to (n, 2 x size): the mean of each value over the patches, then its standard deviation.

    Of the population: divided by the number of patches.
    """
    mean, deviation = segments.mean(axis=1, dtype=np.float64), segments.std(axis=1, dtype=np.float64)
    return np.concatenate([mean, deviation], axis=1).astype(np.float32)
