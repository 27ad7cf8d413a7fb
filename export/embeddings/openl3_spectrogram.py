"""What OpenL3 (music, 256 mel bands) sees of a second of sound: decibels over 256 bands and 199 frames.

As release 0.4.0 of github.com/marl/openl3 computes it (openl3/models.py, with kapre 0.3): at 48 kHz, frames of
2,048 samples under a periodic Hann window, one every 242, silence after the end; magnitudes in mel bands of
Slaney's scale, each of unit area; decibels below the loudest band of the second, 80 at most.
"""

import math

import numpy as np
import soxr

from device.hearing.front_end.features import overlapping
from device.sound import SAMPLE_RATE, FloatArray

RATE_HZ = 48_000
SECOND_SAMPLES = RATE_HZ

WINDOW_SAMPLES = 2048
HOP_SAMPLES = 242
BANDS = 256
FRAMES = -(-SECOND_SAMPLES // HOP_SAMPLES)
"""199: a frame begins at every hop within the second."""

_LOWEST_MAGNITUDE = 1e-10
_RANGE_DB = 80.0

_LINEAR_HZ_A_MEL = 200 / 3
_LINEAR_UNTIL_HZ = 1000.0
_LOG_STEP = math.log(6.4) / 27


def slaney_mel_to_hertz(mel: np.ndarray) -> np.ndarray:
    """Slaney's scale (Auditory Toolbox, 1998): straight up to 1 kHz, 27 steps to a factor of 6.4 above."""
    corner = _LINEAR_UNTIL_HZ / _LINEAR_HZ_A_MEL
    above: np.ndarray = _LINEAR_UNTIL_HZ * np.exp(_LOG_STEP * (mel - corner))
    return np.where(mel < corner, mel * _LINEAR_HZ_A_MEL, above)


def slaney_hertz_to_mel(hertz: float) -> float:
    """The inverse."""
    if hertz < _LINEAR_UNTIL_HZ:
        return hertz / _LINEAR_HZ_A_MEL
    return _LINEAR_UNTIL_HZ / _LINEAR_HZ_A_MEL + math.log(hertz / _LINEAR_UNTIL_HZ) / _LOG_STEP


def band_weights() -> FloatArray:
    """Triangles, straight in hertz, from 0 to 24 kHz; an area of 1 each.

    Returns:
        (1025, 256) float32.
    """
    mel = np.linspace(0.0, slaney_hertz_to_mel(RATE_HZ / 2), BANDS + 2)
    edges = slaney_mel_to_hertz(mel)
    bins = np.linspace(0.0, RATE_HZ / 2, WINDOW_SAMPLES // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))
    single: FloatArray = weights.astype(np.float32)
    return single


def upsampled(samples: FloatArray) -> FloatArray:
    """(n,) at 16 kHz -> (3 n,) at 48 kHz."""
    faster: FloatArray = soxr.resample(samples, SAMPLE_RATE, RATE_HZ)
    return faster


class DecibelSpectrogram:
    """Seconds of sound to what the network reads."""

    def __init__(self) -> None:
        phase = 2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES
        self._window = 0.5 - 0.5 * np.cos(phase)
        self._weights = band_weights()

    def __call__(self, second: FloatArray) -> FloatArray:
        """(48,000,) samples at 48 kHz -> (256, 199) float32 in [-80, 0], the loudest at 0."""
        padded = np.pad(second, (0, (FRAMES - 1) * HOP_SAMPLES + WINDOW_SAMPLES - second.size))
        frames = overlapping(padded, FRAMES, WINDOW_SAMPLES, HOP_SAMPLES) * self._window
        bands = np.abs(np.fft.rfft(frames)).astype(np.float32) @ self._weights
        decibels = 10 * np.log10(np.maximum(bands, _LOWEST_MAGNITUDE))
        below: FloatArray = np.maximum(decibels - decibels.max(), -_RANGE_DB).T.astype(np.float32)
        return below
