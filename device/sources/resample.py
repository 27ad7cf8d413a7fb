"""Any sample rate to 16 kHz, as a stream: anti-aliased, no click at block edges, however it is cut.

48 and 32 kHz go through the compiled front end, where it was compiled; all else through soxr. Both keep their
filter's history and position between calls, so that the output does not depend on where the input was cut
(tests/test_resample.py holds them to that, bit for bit).
"""

from typing import Any, Protocol

import numpy as np

from device.errors import SourceError
from device.hearing.front_end.compiled import load_kernels
from device.hearing.front_end.decimation import DECIMATED_HZ, Decimator
from device.sound import SAMPLE_RATE, FloatArray

LOWEST_HZ = 4_000
HIGHEST_HZ = 768_000
"""Outside these a rate is a damaged header rather than sound, and soxr's buffers would grow without bound."""

QUALITY = "MQ"
"""soxr's recipe. Measured at 44.1 kHz on one x86 core: ms per second of audio / level of an 8.5 kHz tone,
which would alias / of a 7 kHz tone, which must pass:

    QQ 0.08 /   -3 dB / -1.5 dB     no anti-alias filter worth the name
    LQ 0.14 / -117 dB / -13 dB      cuts into the mel bands, which reach 7.5 kHz
    MQ 0.15 / -117 dB / -0.1 dB     below the noise of 16-bit sound (-98 dB)
    HQ 0.15 / -140 dB /  0.0 dB
    VHQ 0.17 / -157 dB / 0.0 dB
"""


class _Stream(Protocol):
    """What converts; `feed` and `flush` are those of `Resampler`."""

    def feed(self, samples: FloatArray) -> FloatArray: ...

    def flush(self) -> FloatArray: ...


class Resampler:
    """One stream of mono samples at `sample_rate_hz`, converted to 16 kHz. At 16 kHz it changes nothing.

    Its filter holds samples back (5 ms from 48 kHz; at most 45 ms from 44.1 kHz, 120 ms from 8 kHz); `flush` gives
    the rest.

    Raises:
        SourceError: no sound has such a sample rate.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        if not LOWEST_HZ <= sample_rate_hz <= HIGHEST_HZ:
            raise SourceError(
                f"a sample rate of {sample_rate_hz} Hz cannot be resampled; "
                f"it must lie between {LOWEST_HZ} and {HIGHEST_HZ} Hz"
            )
        self._stream: _Stream | None = None
        kernels = load_kernels() if sample_rate_hz in DECIMATED_HZ else None
        if kernels is not None:
            self._stream = Decimator(kernels.decimate, sample_rate_hz)
        elif sample_rate_hz != SAMPLE_RATE:
            self._stream = SoxrStream(sample_rate_hz)

    def feed(self, samples: FloatArray) -> FloatArray:
        """Take (n,) float32 samples in [-1, 1] at the source's rate; give those at 16 kHz, (m,), that are ready.

        What the filter overshoots is clipped.
        """
        return samples if self._stream is None or not len(samples) else self._stream.feed(samples)

    def flush(self) -> FloatArray:
        """Give what the filter still holds, (m,). In all, n samples become n * 16000 / rate, rounded."""
        return np.empty(0, np.float32) if self._stream is None else self._stream.flush()


class SoxrStream:
    """A stream of any rate, through soxr."""

    def __init__(self, sample_rate_hz: int) -> None:
        import soxr  # noqa: PLC0415 - a device that captures at 16 or 48 kHz never loads it

        self._stream: Any = soxr.ResampleStream(
            sample_rate_hz, SAMPLE_RATE, num_channels=1, dtype="float32", quality=QUALITY
        )

    def feed(self, samples: FloatArray) -> FloatArray:
        """As `Resampler.feed`."""
        return self._converted(samples)

    def flush(self) -> FloatArray:
        """As `Resampler.flush`."""
        return self._converted(np.empty(0, np.float32), last=True)

    def _converted(self, samples: FloatArray, *, last: bool = False) -> FloatArray:
        found: FloatArray = np.asarray(self._stream.resample_chunk(samples, last=last), dtype=np.float32)
        return np.minimum(np.maximum(found, np.float32(-1), out=found), np.float32(1), out=found)
