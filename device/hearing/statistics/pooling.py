"""What a head is given of a segment, where it is not the embeddings as they are: pooled, standardised, or both.

To the last bit what heads learn from: `pooled` and `Standardisation` of `export.estimators.base`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from device.sound import FloatArray

Pooling = Literal["sequence", "mean_std"]

POOLINGS: tuple[Pooling, ...] = get_args(Pooling)

Preparation = Callable[[FloatArray], FloatArray]
"""From a segment, (1, patches, size) float32, to what the head is given, (1, ...) float32."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """Brings values of any size to one; what lies beyond the limit is taken to it."""

    mean: tuple[float, ...]
    """Taken away from each value."""
    scale: tuple[float, ...]
    """What each is divided by then, as many."""
    limit: float
    """In units of the scale."""


def preparation(pooling: Pooling, scaling: Scaling | None) -> Preparation | None:
    """What makes what the head is given; None where it is given the segment as it is."""
    if scaling is None:
        return None if pooling == "sequence" else mean_std
    standardise = _standardise(scaling)
    if pooling == "sequence":
        return standardise
    return lambda segment: standardise(mean_std(segment))


def mean_std(segment: FloatArray) -> FloatArray:
    """(n, patches, size) to (n, 2 x size): the mean of each value over the patches, then its standard deviation.

    Of the population: divided by the number of patches.
    """
    mean, deviation = segment.mean(axis=1, dtype=np.float64), segment.std(axis=1, dtype=np.float64)
    return np.concatenate([mean, deviation], axis=1).astype(np.float32)


def _standardise(scaling: Scaling) -> Preparation:
    mean, scale = np.array(scaling.mean, np.float32), np.array(scaling.scale, np.float32)
    limit = np.float32(scaling.limit)

    def standardised(values: FloatArray) -> FloatArray:
        inside: FloatArray = np.clip((values - mean) / scale, -limit, limit)
        return inside

    return standardised
