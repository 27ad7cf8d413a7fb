"""A recording as a source: any file that libsndfile reads, of any length, in constant memory."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from device.errors import SourceError
from device.sound import SAMPLE_RATE, Block
from device.sources.base import BLOCK_S
from device.sources.conditioning import Conditioner
from device.sources.decoding import AudioFile

Pace = Literal["fast", "live"]


class Recording:
    """A file, heard as fast as it is asked for or as it would sound.

    Samples beyond [-1, 1] (float files, decoders' overshoot) are clipped, as a sound card would.

    Args:
        path: the file.
        name: as it appears in topics.
        block_s: length of the blocks, seconds.
        pace: "fast": without waiting; "live": no block comes before its last sample would have sounded.
        clock: seconds that never go back, for pace "live".
        wait: sleeps so many seconds and says whether `close` was called; None: a wait that `close` interrupts.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        name: str,
        block_s: float = BLOCK_S,
        pace: Pace = "fast",
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self.name = name
        self._file = AudioFile(Path(path))
        self._block_s = block_s
        self._pace = pace
        self._clock = clock
        self._closing = threading.Event()
        self._wait = wait or self._closing.wait

    @property
    def duration_s(self) -> float | None:
        """Seconds that the header promises, to show progress; None if it does not say or is unreadable."""
        try:
            return self._file.info().duration_s
        except SourceError:
            return None

    def blocks(self) -> Iterator[Block]:
        """Yield the file's blocks from its beginning; each call opens it anew.

        Raises:
            SourceError: it cannot be read, is not audio, holds none, or breaks off, after what was good of it.
        """
        began = self._clock()
        for block in self._decoded():
            if self._closing.is_set():
                return
            end_s = (block.start + len(block.samples)) / SAMPLE_RATE
            if self._pace == "live":
                ahead_s = end_s - (self._clock() - began)
                if ahead_s > 0 and self._wait(ahead_s):
                    return
            yield block

    def close(self) -> None:
        """End `blocks`, also in the middle of a wait. Idempotent, from any thread."""
        self._closing.set()

    def _decoded(self) -> Iterator[Block]:
        conditioner: Conditioner | None = None
        try:
            for rate_hz, frames in self._file.frames():
                conditioner = conditioner or self._conditioner(rate_hz)
                yield from conditioner.feed(frames)
        except SourceError:
            if conditioner is not None:
                yield from conditioner.flush()
            raise
        if conditioner is not None:
            yield from conditioner.flush()

    def _conditioner(self, rate_hz: int) -> Conditioner:
        try:
            return Conditioner(rate_hz, block_s=self._block_s)
        except SourceError as error:
            raise SourceError(f"{self._file.path}: {error}") from error
