"""Small sums over short tracks, written for speed: a patch calls them dozens of times."""

from functools import lru_cache

import numpy as np

from device.sound import FloatArray

FLOOR = np.float32(0.01)
"""Everything 40 dB below the window's level counts as silence, whatever the microphone's noise."""


@lru_cache(maxsize=32)
def averaging(frames: int) -> FloatArray:
    """Multiplying by it is the mean over the frames, several times faster than `mean(axis=0)`."""
    return np.full(frames, 1 / frames, np.float32)


@lru_cache(maxsize=32)
def taper(frames: int) -> FloatArray:
    """(frames,) Hann window."""
    return np.hanning(frames).astype(np.float32)


def moments(tracks: FloatArray) -> FloatArray:
    """Mean, standard deviation and skewness of each column of (frames, tracks): (3, tracks)."""
    each = averaging(len(tracks))
    mean = each @ tracks
    centred = tracks - mean
    square = centred * centred
    deviation = np.sqrt(each @ square)
    square *= centred
    return np.stack((mean, deviation, (each @ square) / (deviation + np.float32(1e-6)) ** 3))


def standard_deviation(tracks: FloatArray) -> FloatArray:
    """Standard deviation of each column of (frames, tracks): (tracks,)."""
    each = averaging(len(tracks))
    centred = tracks - each @ tracks
    centred *= centred
    deviation: FloatArray = np.sqrt(each @ centred)
    return deviation


def dft_magnitude(signal: FloatArray, size: int | None = None) -> FloatArray:
    """|DFT| of the last axis, padded with zeros to `size`: (..., size // 2 + 1)."""
    # numpy 1 transforms in double precision whatever it is given.
    magnitude: FloatArray = np.abs(np.fft.rfft(signal, size)).astype(np.float32, copy=False)
    return magnitude
