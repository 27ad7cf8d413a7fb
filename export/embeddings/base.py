"""What every extractor does: a sound becomes one vector for each patch of 0.96 s."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from device.hearing.front_end.features import LOG_MEL, PATCH_FRAMES
from device.hearing.front_end.stream import FrontEnd
from device.hearing.patch_cutter import FIRST_PATCH_SAMPLES, PATCH_SAMPLES
from device.sound import SAMPLE_RATE, FloatArray

_FED_AT_ONCE = 30 * SAMPLE_RATE
"""The front end works in float64: half a minute takes 12 MB, an hour at once would take 1.5 GB."""


class Extractor(Protocol):
    """Something that turns sounds into embeddings."""

    @property
    def name(self) -> str:
        """As it stands in tables."""

    @property
    def size(self) -> int:
        """Values in an embedding."""

    @property
    def version(self) -> str:
        """Changes with the weights and with the code: embeddings of another version are others."""

    def embed(self, samples: FloatArray) -> FloatArray:
        """One embedding a patch.

        Args:
            samples: (n,) float32 in [-1, 1], 16 kHz mono.

        Returns:
            (patches, size) float32. Patch k covers samples 15,360 k to 15,360 k + 15,600. What is left at the end
            is dropped; a sound shorter than one patch is padded with silence.
        """


def patch_count(samples: int) -> int:
    """How many patches a sound of so many samples has."""
    return max(1, (samples - FIRST_PATCH_SAMPLES) // PATCH_SAMPLES + 1)


def whole_patches(samples: FloatArray) -> FloatArray:
    """The samples that the patches of a sound cover, (15,360 patches + 240,): padded or cut."""
    wanted = (patch_count(samples.size) - 1) * PATCH_SAMPLES + FIRST_PATCH_SAMPLES
    return samples[:wanted] if samples.size >= wanted else np.pad(samples, (0, wanted - samples.size))


def log_mel_patches(samples: FloatArray, *, log_offset: float = LOG_MEL.log_offset) -> FloatArray:
    """(patches, 96, 64) float32 log-mel of a sound, (n,), from the device's own front end.

    The offset of the logarithm is 0.001 for YAMNet and 0.01 for VGGish.
    """
    whole = whole_patches(samples)
    front_end = FrontEnd()
    fed = [
        front_end.feed(whole[begin : begin + _FED_AT_ONCE]).log_mel(log_offset)
        for begin in range(0, whole.size, _FED_AT_ONCE)
    ]
    return np.concatenate(fed).reshape(-1, PATCH_FRAMES, LOG_MEL.mel_bands)


def in_batches(compute: Callable[[FloatArray], FloatArray], rows: FloatArray, *, size: int) -> FloatArray:
    """Compute over rows a few at a time: the networks' inner layers take megabytes a row."""
    parts = [np.asarray(compute(rows[begin : begin + size])) for begin in range(0, len(rows), size)]
    return np.concatenate(parts).astype(np.float32, copy=False)
