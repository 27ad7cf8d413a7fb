"""The log-mel front end of a stream: blocks of samples in, mel magnitudes out, each 10 ms frame computed once.

Training (`export`) and the device both call it.
"""

import numpy as np

from device.hearing.front_end.features import LOG_MEL, Spectra
from device.hearing.front_end.transforms import Transform, fastest
from device.sound import FloatArray


class FrontEnd:
    """Turns blocks of samples into frames. Keeps the 15 ms that the next frame shares with the last.

    Not thread-safe: one per stream.

    Args:
        transform: None: the fastest that there is.
    """

    def __init__(self, transform: Transform | None = None) -> None:
        self._transform = transform or fastest()
        self._signal = np.zeros(0, np.float32)
        self._rest = self._signal

    def feed(self, samples: FloatArray) -> Spectra:
        """Frames that became complete with these samples.

        Args:
            samples: (n,) float32 in [-1, 1], 16 kHz mono.

        Returns:
            Spectra of zero or more frames; frame k of a stream covers samples 160 k to 160 k + 400.
        """
        known = self._rest.size
        if known + samples.size != self._signal.size:  # a stream's blocks are all alike
            self._signal = np.empty(known + samples.size, np.float32)
        signal = self._signal
        signal[:known] = self._rest
        signal[known:] = samples
        frames = max(0, (signal.size - LOG_MEL.window_samples) // LOG_MEL.hop_samples + 1)
        self._rest = signal[frames * LOG_MEL.hop_samples :].copy()
        return self._transform(signal, frames)
