"""The transform that was compiled into this installation, spectra.c, if one was."""

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.hearing.front_end.features import LOG_MEL, LogMelParameters, Spectra, hann_window, mel_weights
from device.sound import FloatArray

LIBRARY = Path(__file__).with_name("_spectra.so")
"""Where hatch_build.py puts it."""

Kernel = Callable[..., None]
"""`oido_spectra` of spectra.c."""


class _Tables(ctypes.Structure):
    """`struct oido_tables`: addresses of arrays."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("window", "roots", "weights", "begin", "end")]


@cache
def load_kernel(library: Path = LIBRARY) -> Kernel | None:
    """None where it was not compiled, was compiled for something else, or needs instructions that are not here."""
    try:
        loaded = ctypes.CDLL(str(library))
    except OSError:
        return None
    if not loaded.oido_is_supported():
        return None
    kernel = loaded.oido_spectra
    kernel.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p]
    kernel.restype = None
    return kernel


class CompiledTransform:
    """As `NumpyTransform`, within float32's rounding of the magnitudes, and in less than half of the time.

    Raises:
        ValueError: spectra.c was not written for frames of this size.
    """

    name = "compiled"

    def __init__(self, kernel: Kernel, parameters: LogMelParameters = LOG_MEL) -> None:
        if not self.fits(parameters):
            raise ValueError(f"spectra.c does not compute {parameters}")
        self._kernel = kernel
        self._bands = parameters.mel_bands
        roots = np.exp(-2j * np.pi * np.arange(parameters.fft_size) / parameters.fft_size)
        weights = np.ascontiguousarray(mel_weights(parameters).T)
        heard = [np.flatnonzero(band) for band in weights]
        # Kept: the structure below holds their addresses, and nothing else of them.
        self._arrays: tuple[npt.NDArray[np.generic], ...] = (
            hann_window(parameters.window_samples),
            roots,
            weights,
            np.array([bins[0] for bins in heard], np.int32),
            np.array([bins[-1] + 1 for bins in heard], np.int32),
        )
        self._tables = _Tables(*(array.ctypes.data for array in self._arrays))
        self._address = ctypes.addressof(self._tables)

    @staticmethod
    def fits(parameters: LogMelParameters) -> bool:
        """Whether frames are of the size that is written into spectra.c; where the bands lie is not."""
        sizes = (parameters.window_samples, parameters.hop_samples, parameters.fft_size, parameters.mel_bands)
        return sizes == (400, 160, 512, 64)

    def __call__(self, signal: FloatArray, frames: int) -> Spectra:
        """As `Transform` says.

        Raises:
            ValueError: the signal is not what `Transform` asks for; C would read on beyond its end.
        """
        if signal.dtype != np.float32 or not signal.flags.c_contiguous or signal.size < _samples(frames):
            raise ValueError(f"{frames} frames are not in a {signal.dtype} signal of {signal.size} samples")
        mel = np.empty((frames, self._bands), np.float32)
        self._kernel(signal.ctypes.data, frames, self._address, mel.ctypes.data)
        return Spectra(mel)


def _samples(frames: int) -> int:
    return LOG_MEL.window_samples + (frames - 1) * LOG_MEL.hop_samples if frames else 0
