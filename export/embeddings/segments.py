"""Sections of sound as segments: ten patches of 0.96 s each, as embeddings."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from device.hearing.patch_cutter import FIRST_PATCH_SAMPLES, PATCH_SAMPLES
from device.hearing.statistics.pooling import mean_std
from device.sound import FloatArray
from export.columns import Columns
from export.embeddings.base import Extractor
from export.estimators.base import Reads
from export.evaluation.hearing import SEGMENT_PATCHES, segment_ends
from export.evaluation.takes import Section

_REACH = FIRST_PATCH_SAMPLES - PATCH_SAMPLES

_POOLED_AT_ONCE = 1_024


@dataclass(frozen=True, slots=True)
class Segments(Columns):
    """Rows of one extractor, with what is known of each."""

    sequences: FloatArray
    """(n, 10, size) float32."""
    music: npt.NDArray[np.int8]
    """(n,) 1 for music."""
    package: npt.NDArray[np.str_]
    """(n,) the unit of splitting and of the bootstrap."""
    variation: npt.NDArray[np.str_]
    """(n,) `clean`, `room` or `mixture`."""

    def read(self, reads: Reads) -> FloatArray:
        """As an estimator reads them."""
        if reads == "sequence":
            return self.sequences
        # A few at a time: deviations are taken in float64, of all rows at once that would be twice their size.
        parts = range(0, max(1, len(self)), _POOLED_AT_ONCE)
        return np.concatenate([mean_std(self.sequences[begin : begin + _POOLED_AT_ONCE]) for begin in parts])

    @classmethod
    def of(cls, section: Section, extractor: Extractor, variation: str) -> Self:
        """The segments of one section: one for each of `segment_ends`, as `oido-export evaluate` counts them."""
        # The last patch of 48 s wants 15 ms more than there is: silence.
        embeddings = extractor.embed(np.pad(section.samples, (0, _REACH)))
        sequences = cut(embeddings, section.samples.size)
        count = len(sequences)
        return cls(
            sequences,
            np.full(count, section.music, np.int8),
            np.full(count, section.package),
            np.full(count, variation),
        )


def cut(embeddings: FloatArray, samples: int) -> FloatArray:
    """(patches, size) embeddings of a section of so many samples -> (segments, 10, size).

    A segment is the ten patches up to its end. Where there are fewer, they are repeated, oldest first, as on the
    device.
    """
    found = []
    for end in segment_ends(samples):
        last = min(len(embeddings), max(1, end // PATCH_SAMPLES))
        there = embeddings[max(0, last - SEGMENT_PATCHES) : last]
        found.append(there[np.arange(SEGMENT_PATCHES) % len(there)])
    return np.stack(found)
