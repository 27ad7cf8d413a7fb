"""From windows of a signal to their spectra: with numpy anywhere, or compiled, more than twice as fast."""

from typing import Protocol

import numpy as np

from device.hearing.front_end.compiled import CompiledTransform, load_kernels
from device.hearing.front_end.features import LOG_MEL, Spectra, hann_window, mel_weights, overlapping
from device.sound import FloatArray


class Transform(Protocol):
    """What a front end does with the frames of a block."""

    name: str
    """As a report calls it."""

    def __call__(self, signal: FloatArray, frames: int) -> Spectra:
        """Spectra of so many frames.

        Args:
            signal: (n,) float32, contiguous, of at least as many samples as the frames cover.
            frames: zero or more.
        """
        ...


def fastest() -> Transform:
    """The compiled one, where it was built and this processor can run it."""
    kernels = load_kernels()
    return NumpyTransform() if kernels is None else CompiledTransform(kernels.spectra)


_GROUPS = (slice(0, 40), slice(40, 64))
"""Bands that are summed together. Most weights are zero: two products, each of the bins that its bands hear, take
0.6 of the time of one product of all. More groups gain nothing."""


class NumpyTransform:
    """With numpy alone. Keeps its arrays from one block to the next, so it is one stream's."""

    name = "numpy"

    def __init__(self) -> None:
        self._window = hann_window(LOG_MEL.window_samples)
        weights = mel_weights()
        self._groups: list[tuple[slice, slice, FloatArray]] = []  # bands, the bins that they hear, (bins, bands)
        for bands in _GROUPS:
            heard = np.flatnonzero(weights[:, bands].any(axis=1))
            bins = slice(int(heard[0]), int(heard[-1]) + 1)
            self._groups.append((bands, bins, np.ascontiguousarray(weights[bins, bands])))
        self._bench = _Bench(0, 0)

    def __call__(self, signal: FloatArray, frames: int) -> Spectra:
        """As `Transform` says."""
        if (signal.size, frames) != (self._bench.signal.size, len(self._bench.framed)):
            self._bench = _Bench(signal.size, frames)
        bench = self._bench
        mel = np.empty((frames, LOG_MEL.mel_bands), np.float32)
        if not frames:
            return Spectra(mel)
        bench.signal[:] = signal
        np.multiply(bench.framed, self._window, out=bench.windowed)
        bench.single[...] = np.fft.rfft(bench.padded)
        magnitude: FloatArray = np.abs(bench.single)
        for bands, bins, weights in self._groups:
            np.matmul(magnitude[:, bins], weights, out=mel[:, bands])
        return Spectra(mel)


class _Bench:
    """Arrays for blocks of one size, which hold so many frames: to make them anew costs a tenth."""

    def __init__(self, samples: int, frames: int) -> None:
        self.signal = np.zeros(samples)
        self.framed = overlapping(self.signal, frames, LOG_MEL.window_samples, LOG_MEL.hop_samples)
        """(frames, 400) the signal's windows, a view."""
        self.padded = np.zeros((frames, LOG_MEL.fft_size))
        """(frames, 512) each window with zeros after it.

        In float64, and the transform with it: float32 rounds a loud tone's leakage into the empty bands, where the
        logarithm shows it (1e-3 against 4e-7 from the definition). Padded here, once: numpy.fft is then as fast as
        scipy.fft, whose import costs a device 26 MB and 0.14 s.
        """
        self.windowed = self.padded[:, : LOG_MEL.window_samples]
        """(frames, 400) where the weighted windows go, a view of `padded`."""
        self.single = np.zeros((frames, LOG_MEL.fft_size // 2 + 1), np.complex64)
        """(frames, 257) the transform: precise enough from here on, and its magnitude costs half."""
