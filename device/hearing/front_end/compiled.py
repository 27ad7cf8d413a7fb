"""What is compiled when oido is installed, where a compiler is found: spectra.c and decimation.c."""

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from device.hearing.front_end.features import LOG_MEL, Spectra, hann_window, mel_weights
from device.sound import FloatArray

LIBRARY = Path(__file__).with_name("_spectra.so")
"""Where hatch_build.py puts it."""

Kernel = Callable[..., Any]


class Kernels(NamedTuple):
    """The functions of the library."""

    spectra: Kernel
    """`oido_spectra` of spectra.c."""
    decimate: Kernel
    """`oido_decimate` of decimation.c."""


class _Tables(ctypes.Structure):
    """`struct oido_tables`: addresses of arrays."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("window", "roots", "weights", "begin", "end")]


@cache
def load_kernels(library: Path = LIBRARY) -> Kernels | None:
    """None where they were not compiled, or not for this release, or need instructions that are not here."""
    try:
        loaded = ctypes.CDLL(str(library))
        kernels = Kernels(loaded.oido_spectra, loaded.oido_decimate)
    except (OSError, AttributeError):
        return None
    if not loaded.oido_is_supported():
        return None
    address, number = ctypes.c_void_p, ctypes.c_int64
    loaded.oido_spectra.argtypes, loaded.oido_spectra.restype = [address, number, address, address], None
    loaded.oido_decimate.argtypes, loaded.oido_decimate.restype = (
        [address, number, address, number, address],
        number,
    )
    return kernels


def address_of(array: FloatArray) -> int:
    """Where a contiguous array's numbers are: `array.ctypes.data`, which takes five times as long."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array.data))
    except (TypeError, ValueError):  # it is read-only, or empty
        return array.ctypes.data


class CompiledTransform:
    """As `NumpyTransform`, within float32's rounding of the magnitudes, and in less than half of the time.

    The size of a frame is written into spectra.c; where the mel bands lie is given to it.
    """

    name = "compiled"

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        roots = np.exp(-2j * np.pi * np.arange(LOG_MEL.fft_size) / LOG_MEL.fft_size)
        weights = np.ascontiguousarray(mel_weights().T)
        heard = [np.flatnonzero(band) for band in weights]
        # Kept, because the structure below holds only their addresses.
        self._arrays: tuple[npt.NDArray[np.generic], ...] = (
            hann_window(LOG_MEL.window_samples),
            roots,
            weights,
            np.array([bins[0] for bins in heard], np.int32),
            np.array([bins[-1] + 1 for bins in heard], np.int32),
        )
        self._tables = _Tables(*(array.ctypes.data for array in self._arrays))
        self._address = ctypes.addressof(self._tables)

    def __call__(self, signal: FloatArray, frames: int) -> Spectra:
        """As `Transform` says.

        Raises:
            ValueError: the signal is not what `Transform` asks for; C would read on beyond its end.
        """
        wanted = LOG_MEL.window_samples + (frames - 1) * LOG_MEL.hop_samples if frames else 0
        if signal.dtype != np.float32 or not signal.flags.c_contiguous or signal.size < wanted:
            raise ValueError(f"{frames} frames are not in a {signal.dtype} signal of {signal.size} samples")
        mel = np.empty((frames, LOG_MEL.mel_bands), np.float32)
        self._kernel(address_of(signal), frames, self._address, address_of(mel))
        return Spectra(mel)
