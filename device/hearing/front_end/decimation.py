"""48 and 32 kHz to 16 kHz through decimation.c, in less time than a resampler for any rates takes.

48 kHz becomes 24 kHz first, by a short filter, as nothing near 8 kHz needs to be told apart yet. The long filter
then has half as many samples to weigh. Measured: up to 7.5 kHz, where the mel bands end, the level is kept to
0.05 dB; what would alias is down by 80 dB from 8 kHz on, and by 100 dB from 8.5 kHz on, from where it would reach
the mel bands.
"""

import ctypes

import numpy as np
import numpy.typing as npt

from device.hearing.front_end.compiled import Kernel, address_of
from device.sound import SAMPLE_RATE, FloatArray

_LONGEST, _ROOM = 136, 2_248
"""As decimation.c has them."""

DECIMATED_HZ = (32_000, 48_000)
"""The sample rates that this is for."""

_Band = tuple[float, float, float, float]
"""From, to (Hz), the gain wanted there, and how much an error counts."""

_EARLY: tuple[_Band, ...] = (
    (0, 7_400, 1, 1),
    (7_400, 7_800, 1, 10),
    (16_200, 16_600, 0, 10),
    (16_600, 24_000, 0, 1),
)
"""Mirrored at 12 kHz: every second tap is 0."""

_LATE: tuple[_Band, ...] = (
    (0, 7_300, 1, 1),
    (7_300, 7_510, 1, 10),
    (7_980, 8_500, 0, 3e4),
    (8_500, 24_000, 0, 3e5),
)
"""Errors are the largest at the edges of a band; counting more there makes them even."""


_HALF = 2

_NOTHING = 1e-7
"""A tap that is 0 but for rounding."""


class _Stage(ctypes.Structure):
    """`struct oido_stage`."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("taps", "begin", "end", "rows")),
        *((name, ctypes.c_int64) for name in ("length", "held", "outputs")),
    )


class Decimator:
    """One stream of mono samples, converted to 16 kHz. How it is cut changes no bit.

    It holds back 5 ms; `flush` gives them.

    Args:
        kernel: `oido_decimate`.
        sample_rate_hz: one of `DECIMATED_HZ`.
    """

    def __init__(self, kernel: Kernel, sample_rate_hz: int) -> None:
        self._kernel = kernel
        self._factor = sample_rate_hz // SAMPLE_RATE
        self._taken = self._given = 0
        late = _filter(round(0.00825 * sample_rate_hz) + 1, sample_rate_hz, _LATE)
        # Two of three samples at 24 kHz are one of three at 48 kHz.
        filters = [(late, 1)] if self._factor == _HALF else [(_filter(35, sample_rate_hz, _EARLY), 1), (late, 2)]
        # Kept, because the structures hold only their addresses.
        self._arrays: list[npt.NDArray[np.generic]] = []
        self._count = len(filters)
        self._stages = (_Stage * self._count)()
        for stage, (taps, outputs) in zip(self._stages, filters, strict=True):
            weights, held = _in_rows(taps, outputs)
            rows = np.zeros((outputs + 1, _ROOM), np.float32)
            heard = [np.flatnonzero(weights[:, row].any(axis=0)) for row in range(outputs + 1)]
            begin, end = np.array([(row[0], row[-1] + 1) for row in heard], np.int64).T.copy()
            arrays = [weights, begin, end, rows]
            self._arrays += arrays
            stage.taps, stage.begin, stage.end, stage.rows = (array.ctypes.data for array in arrays)
            stage.length, stage.held, stage.outputs = weights.shape[2], held, outputs
        self._address = ctypes.addressof(self._stages)

    def feed(self, samples: FloatArray) -> FloatArray:
        """Take (n,) float32, contiguous, in [-1, 1]; give what is ready, (m,), in [-1, 1].

        Raises:
            ValueError: the samples are not laid out as C would read them.
        """
        if samples.dtype != np.float32 or not samples.flags.c_contiguous:
            raise ValueError(f"samples are {samples.dtype}, or not contiguous")
        size = samples.size
        found = np.empty(size // self._factor + 4, np.float32)
        count: int = self._kernel(self._address, self._count, address_of(samples), size, address_of(found))
        self._taken += size
        self._given += count
        return found[:count]

    def flush(self) -> FloatArray:
        """Give what is held back, (m,). In all, n samples become n / 3 or n / 2, rounded."""
        missing = round(self._taken / self._factor) - self._given
        return self.feed(np.zeros(_ROOM, np.float32))[:missing]


def _filter(taps: int, sample_rate_hz: int, bands: tuple[_Band, ...]) -> npt.NDArray[np.float64]:
    """The symmetric filter, (taps,), odd, of the least squared error in these bands; between them it is free.

    Parks and Burrus, Digital Filter Design, 1987, section 3.2.
    """
    half = taps // 2
    places = np.arange(taps)
    weighed, wanted = np.zeros(taps), np.zeros(half + 1)
    for low, high, gain, weight in bands:
        edges = np.minimum(2 * np.array([[low], [high]]) / sample_rate_hz, 1)
        below, up_to = edges * np.sinc(edges * places)  # the integral of each cosine
        weighed += weight * (up_to - below)
        wanted += 2 * weight * gain * (up_to - below)[: half + 1]
    row, column = np.ogrid[: half + 1, : half + 1]
    cosines = np.linalg.solve(weighed[abs(row - column)] + weighed[row + column], wanted)
    sides = cosines[1:] / 2
    return np.concatenate((sides[::-1], cosines[:1], sides))


def _in_rows(taps: npt.NDArray[np.float64], outputs: int) -> tuple[FloatArray, int]:
    """A filter as decimation.c weighs rows with it, (outputs, rows, length); and how many zeros precede a stream.

    Where two outputs come from three samples, the filter is for twice their rate: every second tap meets a sample.
    """
    rows, half = outputs + 1, len(taps) // 2
    before = half // outputs
    weights = np.zeros((outputs, rows * _LONGEST), np.float32)
    for output in range(outputs):
        first = -(output * rows - half) % outputs  # the first tap that meets a sample
        start = before + (output * rows - half + first) // outputs
        met = outputs * taps[first::outputs]
        met[abs(met) < _NOTHING] = 0
        weights[output, start : start + len(met)] = met
    length = -(-int(np.flatnonzero(weights.any(axis=0))[-1] + 1) // rows)
    by_row = weights[:, : rows * length].reshape(outputs, length, rows).swapaxes(1, 2)
    return np.ascontiguousarray(by_row), before
