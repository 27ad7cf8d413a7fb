"""Raw frames of any rate and channel count -> the blocks that a `Source` promises.

In this order: what is not a number becomes silence, each channel is clipped to [-1, 1] (as every converter to
sound would), channels are averaged, the rate becomes 16 kHz, and what the resampler's filter overshoots is
clipped again. Clipping first keeps one absurd sample of a float file from ringing through the filter.
"""

import numpy as np

from device.sound import SAMPLE_RATE, Block, FloatArray
from device.sources.resample import Resampler


def mix_down(frames: FloatArray) -> tuple[FloatArray, int]:
    """Mix channels to mono by their mean.

    Args:
        frames: (n, channels) float32, any values; not changed.

    Returns:
        (n,) float32 in [-1, 1], never a view of `frames`; and how many values were not finite.
    """
    invalid = 0
    # One pass tells for nearly all sound that nothing is to be done; NaN makes either comparison false.
    if not (frames.size and frames.min() >= -1 and frames.max() <= 1):
        finite = np.isfinite(frames)
        invalid = frames.size - int(np.count_nonzero(finite))
        frames = np.clip(np.where(finite, frames, np.float32(0)), -1, 1)
    # Column by column: numpy's mean over a short last axis is several times slower.
    channels = frames.shape[1]
    mono = frames[:, 0].copy()
    for channel in range(1, channels):
        mono += frames[:, channel]
    if channels > 1:
        mono /= np.float32(channels)
    return mono, invalid


class Conditioner:
    """One opened source's frames, turned into blocks of equal length.

    Args:
        sample_rate_hz: of the frames that will be fed.
        block_s: length of the blocks, seconds; only the last one may be shorter.

    Raises:
        SourceError: no sound has such a sample rate.
    """

    def __init__(self, sample_rate_hz: int, *, block_s: float) -> None:
        self._rate_hz = sample_rate_hz
        self._block = max(1, round(block_s * SAMPLE_RATE))
        self._resampler = Resampler(sample_rate_hz)
        self._pending = np.empty(0, np.float32)
        self._start = 0
        self._frames = 0
        self._invalid = 0
        self._overruns = 0
        self._captured_at: float | None = None

    @property
    def heard_s(self) -> float:
        """Seconds of sound fed so far."""
        return self._frames / self._rate_hz

    def feed(self, frames: FloatArray, *, captured_at: float | None = None, overruns: int = 0) -> list[Block]:
        """Take the next frames and give the blocks that are complete.

        Args:
            frames: (n, channels) float32; may be reused by the caller afterwards.
            captured_at: when the last of them was captured, seconds since the Unix epoch; None for
                recordings.
            overruns: how often samples were lost just before these.
        """
        mono, invalid = mix_down(frames)
        self._frames += len(mono)
        self._invalid += invalid
        self._overruns += overruns
        self._captured_at = captured_at
        self._take(self._resampler.feed(mono))
        whole = len(self._pending) // self._block
        return [self._cut(self._block) for _ in range(whole)]

    def flush(self) -> list[Block]:
        """The sound has ended: give what is left, at most one of the blocks shorter than the others."""
        self._take(self._resampler.flush())
        blocks = []
        while len(self._pending):
            blocks.append(self._cut(min(self._block, len(self._pending))))
        return blocks

    def _take(self, samples: FloatArray) -> None:
        if len(samples):
            np.clip(samples, -1, 1, out=samples)
            self._pending = np.concatenate((self._pending, samples)) if len(self._pending) else samples

    def _cut(self, length: int) -> Block:
        """Take a block off the front; what was counted since the last one goes with it."""
        wall_time = None
        if self._captured_at is not None:
            # Sample time tells how long before the newest frame this block began, the filter's delay
            # included.
            wall_time = self._captured_at - (self.heard_s - self._start / SAMPLE_RATE)
        block = Block(
            samples=self._pending[:length],
            start=self._start,
            wall_time=wall_time,
            overruns=self._overruns,
            invalid=self._invalid,
        )
        self._pending = self._pending[length:]
        self._start += length
        self._overruns = self._invalid = 0
        return block
