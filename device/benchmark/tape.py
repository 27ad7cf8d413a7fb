"""The bundled sound, prepared once and then played again and again as a microphone would give it."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from device.benchmark.stages import Stopwatch
from device.sound import Block, FloatArray
from device.sources.conditioning import Conditioner
from device.sources.decoding import AudioFile
from device.sources.mixing import mix_down

AUDIO = Path(__file__).resolve().parents[1] / "audio"
"""Where it comes from stands in SOURCES.md there."""

PARTS = ("music.ogg", "speech.ogg")

BLOCK_S = 0.1
"""As live sources cut it."""

READING = "reading"
"""The stage, outside the pipeline, in which the tape is read or waits for live sound's pace."""

_FULL_SCALE = 32_768


def prepare(path: Path, rate_hz: int) -> None:
    """Write the bundled music and speech one after the other: 16-bit mono at `rate_hz`, no header.

    Raises:
        SourceError: a bundled recording is not there any more, or damaged.
    """
    import soxr  # noqa: PLC0415 - the processes that measure load it only if their sound must be resampled

    with path.open("wb") as file:
        for part in PARTS:
            pieces = [(rate, mix_down(frames)[0]) for rate, frames in AudioFile(AUDIO / part).frames()]
            sound = np.concatenate([piece for _, piece in pieces])
            sound = soxr.resample(sound, pieces[0][0], rate_hz)
            file.write(np.clip(sound * _FULL_SCALE, 1 - _FULL_SCALE, _FULL_SCALE - 1).astype("<i2").tobytes())


class Tape:
    """An endless source of the prepared sound.

    Args:
        path: what `prepare` wrote.
        rate_hz: as `prepare` was told.
        watch: times the stages `resample` and `READING`.
        clock: seconds that never go back, for `live`.
        wait: sleeps this many seconds, for `live`.
    """

    name = "tape"

    def __init__(
        self,
        path: Path,
        *,
        rate_hz: int,
        watch: Stopwatch,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._file = path.open("rb")
        self._frames = round(BLOCK_S * rate_hz)
        self._conditioner = Conditioner(rate_hz, block_s=BLOCK_S)
        self._watch = watch
        self._clock = clock
        self._wait = wait
        self._queue: deque[Block] = deque()
        self._due: float | None = None  # when what is read next will have sounded; None: at once

    def live(self) -> None:
        """From now on, give sound at its own pace."""
        self._due = self._clock()

    def fetch(self, seconds: float) -> None:
        """Read and resample this much sound, so that the next blocks come without delay."""
        while len(self._queue) * BLOCK_S < seconds:
            frames = self._watch.time(READING, self._read)
            self._queue.extend(self._watch.time("resample", self._conditioner.feed, frames))

    def blocks(self) -> Iterator[Block]:
        """Yield blocks until `close`."""
        while not self._file.closed:
            if not self._queue:
                self.fetch(BLOCK_S)
            yield self._queue.popleft()

    def close(self) -> None:
        """End soon."""
        self._file.close()

    def _read(self) -> FloatArray:
        if self._due is not None:
            self._due += BLOCK_S
            self._wait(max(0.0, self._due - self._clock()))
        pcm = self._file.read(2 * self._frames)
        if len(pcm) < 2 * self._frames:
            self._file.seek(0)
            pcm += self._file.read(2 * self._frames - len(pcm))
        return np.frombuffer(pcm, "<i2").astype(np.float32)[:, None] / np.float32(_FULL_SCALE)
