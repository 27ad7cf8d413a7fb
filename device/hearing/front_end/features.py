"""What the log-mel front end computes: its definition, and the frames that come out.

The definition is the one of YAMNet and VGGish (github.com/tensorflow/models, research/audioset/yamnet/features.py
and vggish/mel_features.py), so that their published weights see the features they were trained on.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from device.sound import SAMPLE_RATE, FloatArray

Signal = TypeVar("Signal", FloatArray, npt.NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class LogMelParameters:
    """What a model's sidecar must agree with."""

    sample_rate_hz: int = SAMPLE_RATE
    window_samples: int = 400
    """25 ms, periodic Hann."""
    hop_samples: int = 160
    """10 ms."""
    fft_size: int = 512
    mel_bands: int = 64
    mel_low_hz: float = 125.0
    mel_high_hz: float = 7500.0
    log_offset: float = 0.001
    """VGGish: 0.01."""


LOG_MEL = LogMelParameters()

PATCH_FRAMES = 96
"""Frames in a patch: 0.96 s."""


def hertz_to_mel(hertz: np.ndarray | float) -> np.ndarray:
    """The HTK mel scale, 1127 ln(1 + f / 700) (Young et al., The HTK Book, eq. 5.13)."""
    return 1127.0 * np.log1p(np.asarray(hertz, np.float64) / 700.0)


def mel_weights() -> FloatArray:
    """Triangular bands, straight in mel, that take magnitudes to mel bands.

    Returns:
        (fft_size // 2 + 1, mel_bands) float32. The row of 0 Hz is zero, as in the reference.
    """
    bins = hertz_to_mel(np.linspace(0.0, LOG_MEL.sample_rate_hz / 2, LOG_MEL.fft_size // 2 + 1))[:, None]
    low, high = hertz_to_mel(LOG_MEL.mel_low_hz), hertz_to_mel(LOG_MEL.mel_high_hz)
    edges = np.linspace(low, high, LOG_MEL.mel_bands + 2)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    single: FloatArray = weights.astype(np.float32)
    return single


def hann_window(samples: int) -> npt.NDArray[np.float64]:
    """Periodic: the sample after the last would be zero again."""
    window: npt.NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)
    return window


@dataclass(frozen=True, slots=True)
class Spectra:
    """Consecutive 10 ms frames."""

    mel: FloatArray
    """(frames, 64): mel band magnitudes, before the logarithm."""

    def log_mel(self, log_offset: float = LOG_MEL.log_offset) -> FloatArray:
        """(frames, 64): log(mel + offset), what the log-mel networks read."""
        logarithm: FloatArray = np.log(self.mel + np.float32(log_offset))
        return logarithm


def overlapping(signal: Signal, frames: int, size: int, hop: int) -> Signal:
    """A read-only view, (frames, size), of windows that begin every `hop` samples; no sample is copied."""
    step = signal.itemsize
    windows: Signal = np.lib.stride_tricks.as_strided(signal, (frames, size), (hop * step, step), writeable=False)
    return windows
