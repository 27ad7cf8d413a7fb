"""The log-mel front end: samples in, mel magnitudes out, each 10 ms frame computed once.

This is the only implementation: training (`export`) and the device both call it. The definition is the one of
YAMNet and VGGish (github.com/tensorflow/models, research/audioset/yamnet/features.py and
vggish/mel_features.py), so that their published weights see the features they were trained on.
"""

from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt

from device.sources.base import SAMPLE_RATE, FloatArray

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


def mel_weights(parameters: LogMelParameters = LOG_MEL) -> FloatArray:
    """Triangular bands, straight in mel, that take magnitudes to mel bands.

    Returns:
        (fft_size // 2 + 1, mel_bands) float32. The row of 0 Hz is zero, as in the reference.
    """
    bins = hertz_to_mel(np.linspace(0.0, parameters.sample_rate_hz / 2, parameters.fft_size // 2 + 1))[:, None]
    low, high = hertz_to_mel(parameters.mel_low_hz), hertz_to_mel(parameters.mel_high_hz)
    edges = np.linspace(low, high, parameters.mel_bands + 2)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    single: FloatArray = weights.astype(np.float32)
    return single


@dataclass(frozen=True, slots=True)
class Spectra:
    """Consecutive 10 ms frames."""

    magnitude: FloatArray
    """(frames, 257): the FFT's magnitude, bins 31.25 Hz apart."""
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


class FrontEnd:
    """Turns blocks of samples into frames. Keeps the 15 ms that the next frame shares with the last.

    Not thread-safe: one per stream.
    """

    def __init__(self, parameters: LogMelParameters = LOG_MEL) -> None:
        self._parameters = parameters
        size = parameters.window_samples
        self._window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
        self._groups = [_BandGroup.of(mel_weights(parameters), bands) for bands in _GROUPS]
        self._rest = np.zeros(0)
        self._bench = _Bench.of(0, parameters)

    def feed(self, samples: FloatArray) -> Spectra:
        """Frames that became complete with these samples.

        Args:
            samples: (n,) float32 in [-1, 1], 16 kHz mono.

        Returns:
            Spectra of zero or more frames; frame k of a stream covers samples 160 k to 160 k + 400.
        """
        known = self._rest.size
        if known + samples.size != self._bench.signal.size:
            self._bench = _Bench.of(known + samples.size, self._parameters)
        bench = self._bench
        bench.signal[:known] = self._rest
        bench.signal[known:] = samples
        frames = len(bench.framed)
        self._rest = bench.signal[frames * self._parameters.hop_samples :].copy()
        if not frames:
            bins = self._parameters.fft_size // 2 + 1
            empty = np.zeros((0, self._parameters.mel_bands), np.float32)
            return Spectra(np.zeros((0, bins), np.float32), empty)
        np.multiply(bench.framed, self._window, out=bench.windowed)
        bench.single[...] = np.fft.rfft(bench.padded)
        magnitude: FloatArray = np.abs(bench.single)
        mel = np.empty((frames, self._parameters.mel_bands), np.float32)
        for group in self._groups:
            np.matmul(magnitude[:, group.bins], group.weights, out=mel[:, group.bands])
        return Spectra(magnitude, mel)


_GROUPS = (slice(0, 40), slice(40, 64))
"""Bands that are summed together. Most weights are zero: two products, each of the bins that its bands hear, take
0.6 of the time of one product of all; more of them gain nothing."""


@dataclass(frozen=True, slots=True)
class _BandGroup:
    """Neighbouring mel bands, and the bins that they hear."""

    bins: slice
    bands: slice
    weights: FloatArray
    """(bins, bands)"""

    @classmethod
    def of(cls, weights: FloatArray, bands: slice) -> Self:
        """Cut out of the weights of all, (257, 64)."""
        heard = np.flatnonzero(weights[:, bands].any(axis=1))
        bins = slice(int(heard[0]), int(heard[-1]) + 1)
        return cls(bins, bands, np.ascontiguousarray(weights[bins, bands]))


@dataclass(frozen=True, slots=True)
class _Bench:
    """Arrays for blocks of one size: a stream's blocks are all alike, and making these anew cost a tenth."""

    signal: npt.NDArray[np.float64]
    """(n,) what was left of the block before, and the block."""
    framed: npt.NDArray[np.float64]
    """(frames, 400) the signal's windows, a view."""
    windowed: npt.NDArray[np.float64]
    """(frames, 400) where they go once weighted, a view of `padded`."""
    padded: npt.NDArray[np.float64]
    """(frames, 512) each window with zeros after it.

    In float64, and the transform with it: float32 rounds a loud tone's leakage into the empty bands, where the
    logarithm shows it (1e-3 against 4e-7 from the definition). Padded here, once: numpy.fft is then as fast as
    scipy.fft, whose import costs a device 26 MB and 0.14 s.
    """
    single: npt.NDArray[np.complex64]
    """(frames, 257) the transform: precise enough from here on, and its magnitude costs half."""

    @classmethod
    def of(cls, samples: int, parameters: LogMelParameters) -> Self:
        """For signals of so many samples."""
        window, hop = parameters.window_samples, parameters.hop_samples
        frames = max(0, (samples - window) // hop + 1)
        signal = np.zeros(samples)
        padded = np.zeros((frames, parameters.fft_size))
        return cls(
            signal=signal,
            framed=overlapping(signal, frames, window, hop),
            windowed=padded[:, :window],
            padded=padded,
            single=np.zeros((frames, parameters.fft_size // 2 + 1), np.complex64),
        )
