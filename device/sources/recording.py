"""A recording as a source: any file that libsndfile or ffmpeg reads, of any length, in constant memory."""

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
        path: the file, or one that is open already.
        name: as it appears in topics.
        block_s: length of the blocks, seconds.
        pace: "fast": without waiting; "live": no block comes before its last sample would have sounded.
        clock: seconds that never go back, for pace "live".
        wait: sleeps so many seconds and says whether `close` was called; None: a wait that `close` interrupts.
    """

    def __init__(
        self,
        path: str | Path | AudioFile,
        *,
        name: str,
        block_s: float = BLOCK_S,
        pace: Pace = "fast",
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self.name = name
        self._file = path if isinstance(path, AudioFile) else AudioFile(Path(path))
        self._block_s = block_s
        self._pace = pace
        self._clock = clock
        self._closing = threading.Event()
        self._wait = wait or self._closing.wait

    @property
    def part(self) -> float | None:
        """How far in the file the last block was, 0 to 1, to show progress; None: unknown."""
        return self._file.part

    @property
    def remarks(self) -> list[str]:
        """What is odd about the file though it was heard to its end, one sentence each."""
        return self._file.remarks

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
        self._file.close()

    def _decoded(self) -> Iterator[Block]:
        conditioner: Conditioner | None = None
        try:
            for rate_hz, frames in self._file.frames():
                try:
                    conditioner = conditioner or Conditioner(rate_hz, block_s=self._block_s)
                    blocks = conditioner.feed(frames, sample_rate_hz=rate_hz)
                except SourceError as error:  # of an absurd sample rate
                    raise SourceError(f"{self._file.path}: {error}") from error
                yield from blocks
        except SourceError:
            if conditioner is not None:
                yield from conditioner.flush()
            raise
        if conditioner is not None:
            yield from conditioner.flush()
