"""How sound moves: spectral flux, the modulation of its loudness, and whether it repeats."""

import math
from itertools import pairwise

import numpy as np

from device.hearing.statistics.numerics import FLOOR, averaging, dft_magnitude, moments, taper
from device.sound import FloatArray

BANDS = 32
"""Pairs of mel bands: enough for statistics, half the logarithms."""

_FRAME_RATE_HZ = 100.0

_GROUPS = (0, 4, 8, 12, 16, 24, 32)
"""Edges, in bands, of six groups from bass to air."""

_MODULATION_HZ = (0.4, 1.0, 2.0, 3.2, 6.0, 11.0, 25.0)
"""Edges of the modulation bands; 3.2 to 6 Hz is where syllables are."""

_MODULATION_FFT = 1024

FLUX_NAMES = ("flux_mean", "flux_std", "flux_skew", "flux_p90")


def flux_statistics(flux: FloatArray) -> FloatArray:
    """Spectral flux, what rises from one frame to the next: moments and 90th percentile."""
    rank = int(0.9 * flux.size)
    return np.append(moments(flux[:, None]), np.partition(flux, rank)[rank])


MODULATION_NAMES = (
    *(f"modulation_{part}_{i}" for part in ("low", "high") for i in range(len(_MODULATION_HZ) - 1)),
    "modulation_peak",
    "modulation_depth",
)

_GROUPING = np.zeros((BANDS, len(_GROUPS) - 1), np.float32)
for _column, (_low, _high) in enumerate(pairwise(_GROUPS)):
    _GROUPING[_low:_high, _column] = 1 / (_high - _low)

_MODULATION_BINS = np.searchsorted(np.fft.rfftfreq(_MODULATION_FFT, 1 / _FRAME_RATE_HZ), _MODULATION_HZ).astype(
    int
)


_HALVES = np.repeat(np.eye(2, dtype=np.float32), len(_GROUPING.T) // 2, axis=1) / np.float32(len(_GROUPING.T) // 2)
"""(2, groups): takes groups of bands to the mean of the lower and of the upper half."""

_BEAT_BINS = slice(2 * int(_MODULATION_BINS[0]), int(_MODULATION_BINS[5]))
"""0.8 to 11 Hz: from the slowest beat to the fastest figure."""


def modulation(bands: FloatArray, level: np.float32) -> FloatArray:
    """How fast the loudness of six groups of bands moves: share of each modulation band, in log."""
    envelope = np.log(_GROUPING.T @ bands.T / level + FLOOR)
    envelope -= (envelope @ averaging(envelope.shape[1]))[:, None]
    envelope *= taper(envelope.shape[1])
    power = np.square(dft_magnitude(envelope, _MODULATION_FFT)[:, : _MODULATION_BINS[-1]])
    share = np.add.reduceat(power, _MODULATION_BINS[:-1], axis=1)
    total = np.add.reduce(share, axis=1) + np.float32(1e-6)
    share = np.log(share / total[:, None] + np.float32(1e-3))
    beat = np.add.reduce(power[:, _BEAT_BINS], axis=0)
    beat_mean = float(np.add.reduce(beat)) / beat.size
    depth = float(np.add.reduce(total)) / total.size / len(bands)
    return np.concatenate(
        (
            (_HALVES @ share).ravel(),
            (math.log(float(beat.max()) / (beat_mean + 1e-9) + 1e-3), math.log(depth + 1e-3)),
        )
    )


RHYTHM_NAMES = ("rhythm_max", "rhythm_std", "rhythm_min", "rhythm_fast")

_RHYTHM_FFT = 1024
_SLOWEST_LAG = 200
"""Frames: 2 s, 30 beats a minute."""
_FASTEST_LAG = 20
"""Frames: 0.2 s, 300 beats a minute."""
_SYLLABLE_LAG = 5


def rhythm(flux: FloatArray) -> tuple[float, ...]:
    """Does the flux repeat itself? Its autocorrelation between 0.2 and 2 s, and faster than any beat."""
    power = np.square(dft_magnitude(flux - averaging(flux.size) @ flux, _RHYTHM_FFT))
    correlation = np.fft.irfft(power)[:_SLOWEST_LAG]
    correlation /= correlation[0] + 1e-6
    slow = correlation[_FASTEST_LAG:]
    mean = float(np.add.reduce(slow)) / slow.size
    deviation = math.sqrt(max(0.0, float(slow @ slow) / slow.size - mean * mean))
    return slow.max(), deviation, slow.min(), correlation[_SYLLABLE_LAG:_FASTEST_LAG].max()
