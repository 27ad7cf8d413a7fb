"""Can this device hear at all? Level, clipping and flat line of what arrives."""

import math
from dataclasses import dataclass

import numpy as np

from device.sound import SAMPLE_RATE, FloatArray

CLIPPED = 0.999
"""Magnitude from which a sample counts as clipped."""


@dataclass(frozen=True, slots=True)
class Health:
    """The condition of a source after its latest patch."""

    level_dbfs: float = -math.inf
    """RMS of the latest patch in dB relative to full scale; -inf for digital silence."""
    clipping: float = 0.0
    """Fraction of the latest patch's samples at full scale."""
    flat_s: float = 0.0
    """For how long every sample has been the same value; 0 while there is sound."""
    overruns: int = 0
    """Losses reported by the device since the start."""
    invalid: int = 0
    """Samples since the start that were not finite numbers."""


class HealthMeter:
    """Watches one source."""

    def __init__(self) -> None:
        self.health = Health()
        self._flat_samples = 0
        self._last: np.float32 | None = None
        self._overruns = 0
        self._invalid = 0

    def count(self, *, overruns: int, invalid: int) -> None:
        """Add what a block reports of itself."""
        self._overruns += overruns
        self._invalid += invalid

    def update(self, samples: FloatArray) -> Health:
        """Say how the source is doing after its next samples, (n,) float32 with n > 0."""
        self._count_flat(samples)
        power = float(np.dot(samples, samples)) / samples.size
        self.health = Health(
            # Relative to a full-scale square wave. Silence is -inf, never 0, which would be full scale.
            level_dbfs=10 * math.log10(power) if power > 0 else -math.inf,
            clipping=float(np.count_nonzero(np.abs(samples) >= CLIPPED)) / samples.size,
            flat_s=self._flat_samples / SAMPLE_RATE,
            overruns=self._overruns,
            invalid=self._invalid,
        )
        return self.health

    def _count_flat(self, samples: FloatArray) -> None:
        """A dead microphone gives one value for ever: zero, or its DC offset."""
        if samples.size > 1 and samples[-1] != samples[-2]:  # so it is as long as there is sound
            self._flat_samples = 1
        elif (changes := np.flatnonzero(samples[1:] != samples[:-1])).size:
            self._flat_samples = samples.size - 1 - int(changes[-1])
        elif self._last is None or samples[0] == self._last:
            self._flat_samples += samples.size
        else:
            self._flat_samples = samples.size
        self._last = samples[-1]
