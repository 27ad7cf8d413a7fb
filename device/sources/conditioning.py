"""Raw frames of any rate and channel count -> the blocks that a `Source` promises.

In this order: what is not a number becomes silence, each channel is clipped to [-1, 1] (as every converter to
sound would), channels are mixed, and the rate becomes 16 kHz, where what the filter overshoots is clipped again.
Clipping first keeps one absurd sample of a float file from ringing through the filter.
"""

import numpy as np

from device.sound import SAMPLE_RATE, Block, FloatArray
from device.sources.mixing import Mixer
from device.sources.resample import Resampler


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
        self._mixer = Mixer(sample_rate_hz)
        self._pending = np.empty(0, np.float32)
        self._start = 0
        self._heard_s = 0.0
        """Seconds at sample rates before this one."""
        self._frames = 0
        self._invalid = 0
        self._overruns = 0
        self._captured_at: float | None = None

    @property
    def heard_s(self) -> float:
        """Seconds of sound fed so far."""
        return self._heard_s + self._frames / self._rate_hz

    def feed(
        self,
        frames: FloatArray,
        *,
        sample_rate_hz: int | None = None,
        captured_at: float | None = None,
        overruns: int = 0,
    ) -> list[Block]:
        """Take the next frames and give the blocks that are complete.

        Args:
            frames: (n, channels) float32; may be reused by the caller afterwards.
            sample_rate_hz: if it may have changed.
            captured_at: when the last of them was captured, seconds since the Unix epoch; None for
                recordings.
            overruns: how often samples were lost just before these.

        Raises:
            SourceError: no sound has the new sample rate.
        """
        if sample_rate_hz is not None and sample_rate_hz != self._rate_hz:
            self._change(sample_rate_hz)
        mono, invalid = self._mixer.feed(frames)
        self._frames += len(frames)
        self._invalid += invalid
        self._overruns += overruns
        self._captured_at = captured_at
        self._take(self._resampler.feed(mono))
        whole = len(self._pending) // self._block
        return [self._cut(self._block) for _ in range(whole)]

    def flush(self) -> list[Block]:
        """The sound has ended: give what is left, at most one of the blocks shorter than the others."""
        self._end()
        blocks = []
        while len(self._pending):
            blocks.append(self._cut(min(self._block, len(self._pending))))
        return blocks

    def _change(self, sample_rate_hz: int) -> None:
        """Go on at another sample rate."""
        resampler = Resampler(sample_rate_hz)
        self._end()
        self._heard_s, self._frames = self.heard_s, 0
        self._rate_hz, self._resampler, self._mixer = sample_rate_hz, resampler, Mixer(sample_rate_hz)

    def _end(self) -> None:
        """Take what mixer and resampler hold back."""
        self._take(self._resampler.feed(self._mixer.flush()))
        self._take(self._resampler.flush())

    def _take(self, samples: FloatArray) -> None:
        if len(samples):
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
