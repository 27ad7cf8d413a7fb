"""Sound that comes through a pipe: standard input, and whatever ffmpeg can open."""

import math
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np

from device.errors import SourceError, SourceLost
from device.masking import masked_url
from device.sound import SAMPLE_RATE, Block, FloatArray
from device.sources.base import BLOCK_S
from device.sources.conditioning import Conditioner
from device.sources.ffmpeg import AuReader, FfmpegChild, is_finite, is_local
from device.sources.playlist import MOST_BYTES, is_playlist, target

_POLL_S = 0.1
"""How long a read may wait before it looks whether `close` was called."""
_READ_BYTES = 1 << 16
_MOST_PLAYLISTS = 3
"""That lead from one to the next."""
_FASTEST_CRYSTAL = 0.0005
"""How much faster than this machine's clock a sound card's may run; that is not faster than live."""


class PcmReader:
    """Cuts bytes, in pieces of any length, into whole frames of signed 16-bit little-endian samples."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._rest = b""

    def feed(self, data: bytes) -> FloatArray:
        """Give the complete frames, (n, channels) float32 in [-1, 1); a begun one waits for its rest."""
        data = self._rest + data
        whole = len(data) - len(data) % (2 * self._channels)
        self._rest = data[whole:]
        samples = np.frombuffer(data, "<i2", count=whole // 2).astype(np.float32)
        samples /= 32_768
        return samples.reshape(-1, self._channels)


class Pace:
    """Dates sound that may be fed faster than it would be heard: each piece begins where the last one ended.

    Otherwise each piece would end now, and music that was found in it would overlap the music before it. What is
    fed too fast is dated into the future, as far as it is ahead.

    Args:
        clock: seconds since the Unix epoch.
        monotonic: seconds that never jump.
    """

    def __init__(self, *, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._at = monotonic()
        self._ahead_s = -math.inf

    def captured_at(self, seconds: float) -> float:
        """When the end of a piece of so many seconds, which has just been read, was or will be heard."""
        now = self._monotonic()
        passed_s, self._at = now - self._at, now
        self._ahead_s = max(0.0, self._ahead_s + seconds - passed_s * (1 + _FASTEST_CRYSTAL))
        return self._clock() + self._ahead_s


class StandardInput:
    """Signed 16-bit little-endian interleaved samples, as `arecord -t raw -f S16_LE` writes them.

    Args:
        name: as it appears in topics.
        sample_rate_hz: of the samples.
        channels: interleaved.
        stream: where to read; None: standard input. Never closed here.
        stall_s: no sample for so long counts as a loss, after which `blocks` may be called again.
        clock: seconds since the Unix epoch, for the blocks' wall time.
        monotonic: seconds that never jump, to tell whether sound comes faster than it would be heard.
    """

    def __init__(
        self,
        *,
        name: str,
        stall_s: float,
        sample_rate_hz: int = SAMPLE_RATE,
        channels: int = 1,
        stream: BinaryIO | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._rate_hz = sample_rate_hz
        self._stream = stream
        self._stall_s = stall_s
        self._pace = Pace(clock=clock, monotonic=monotonic)
        self._closing = threading.Event()
        # Outlives a loss: the second half of a sample may come after it.
        self._reader = PcmReader(channels)

    def blocks(self) -> Iterator[Block]:
        """Yield blocks until the input ends.

        Raises:
            SourceError: the input is a terminal or closed, cannot be read, or ended before a single sample.
            SourceLost: no sample came for `stall_s`.
        """
        stream = self._stream or (sys.stdin.buffer if sys.stdin is not None else None)
        if stream is None:
            raise SourceError(
                "standard input is closed; pipe signed 16-bit samples into it, "
                "for example from arecord -t raw -f S16_LE -r 16000"
            )
        if stream.isatty():
            raise SourceError(
                "standard input is a terminal; pipe signed 16-bit samples into it, "
                "for example from arecord -t raw -f S16_LE -r 16000"
            )
        conditioner = Conditioner(self._rate_hz, block_s=BLOCK_S)
        while data := self._read(stream):
            frames = self._reader.feed(data)
            captured_at = self._pace.captured_at(len(frames) / self._rate_hz)
            yield from conditioner.feed(frames, captured_at=captured_at)
        if data is None:  # closed meanwhile
            return
        if not conditioner.heard_s:
            raise SourceError("standard input ended before a single sample came")
        yield from conditioner.flush()

    def close(self) -> None:
        """End `blocks`; the stream itself stays open. Idempotent, from any thread."""
        self._closing.set()

    def _read(self, stream: BinaryIO) -> bytes | None:
        """The next bytes; b"" at the end; None once closed."""
        poll = select.poll()
        poll.register(stream, select.POLLIN)
        began = time.monotonic()
        while not self._closing.is_set():
            try:
                if poll.poll(_POLL_S * 1_000):
                    return os.read(stream.fileno(), _READ_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:
                raise SourceError(f"standard input cannot be read: {error.strerror}") from error
            if time.monotonic() - began > self._stall_s:
                raise SourceLost(f"standard input gave no sample for {self._stall_s:g} s")
        return None


class FfmpegStream:
    """Whatever ffmpeg opens: a camera (rtsp://), a radio (http://), a file in a rare format.

    A password in the URL is masked in every message. But while ffmpeg runs, other users of the machine can see it
    in the list of processes.

    Args:
        url: a URL, or the name of a file.
        name: as it appears in topics.
        stall_s: no sample for so long counts as a loss.
        start_s: how long the first sample may take: a camera needs seconds to answer and to be understood.
        program: the ffmpeg to run.
        clock: seconds since the Unix epoch, for the blocks' wall time.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        stall_s: float,
        start_s: float = 15.0,
        program: str = "ffmpeg",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._url = url
        self._stall_s = stall_s
        self._start_s = max(start_s, stall_s)
        self._program = program
        self._clock = clock
        self._closing = threading.Event()
        self._starting = threading.Lock()
        self._child: FfmpegChild | None = None

    def blocks(self) -> Iterator[Block]:
        """Yield blocks until a file ends; a live stream has no end. Each call starts a new ffmpeg.

        Raises:
            SourceError: ffmpeg is missing, or the file cannot be decoded or holds no audio.
            SourceLost: the stream cannot be had, ended, or gave no sample for `stall_s`.
        """
        url = self._followed()
        child = self._started(url)
        if child is None:
            return
        try:
            yield from self._listen(child)
        finally:
            child.close()

    def close(self) -> None:
        """End ffmpeg and `blocks`. Idempotent, from any thread."""
        self._closing.set()
        with self._starting:
            if self._child is not None:
                self._child.stop()

    def _started(self, url: str, *, fetch: bool = False) -> FfmpegChild | None:
        """Start an ffmpeg; None once closed."""
        with self._starting:  # so that `close` finds either no child or this one
            if self._closing.is_set():
                return None
            self._child = FfmpegChild(url, program=self._program, fetch=fetch)
            return self._child

    def _followed(self) -> str:
        """The stream's own URL: where playlists lead."""
        url = self._url
        for _ in range(_MOST_PLAYLISTS):
            if is_local(url) or not is_playlist(url):
                return url
            found = target(url, self._fetched(url))
            if found in {None, url}:
                break
            url = str(found)
        if found is None and not self._closing.is_set():
            raise SourceLost(f"{masked_url(self._url)}: it is a playlist that names no stream")
        return url

    def _fetched(self, url: str) -> str:
        """What stands in a playlist."""
        child = self._started(url, fetch=True)
        if child is None:
            return ""
        try:
            text, began = b"", time.monotonic()
            while (data := child.read(_POLL_S)) != b"" and len(text) < MOST_BYTES:
                text += data or b""
                if self._closing.is_set():
                    return ""
                if time.monotonic() - began > self._start_s:
                    break
            if not text:
                why = child.complaint if data is None else child.last_words()[1]
                why = why or f"the playlist did not come within {self._start_s:g} s"
                raise SourceLost(f"{masked_url(self._url)}: {why}")
            return text.decode(errors="replace")
        finally:
            child.close()

    def _listen(self, child: FfmpegChild) -> Iterator[Block]:
        finite = is_finite(self._url)
        reader = AuReader()
        conditioner = Conditioner(SAMPLE_RATE, block_s=BLOCK_S)
        waiting_since = time.monotonic()
        while not self._closing.is_set():
            data = child.read(_POLL_S)
            if data is None:
                patience_s = self._stall_s if conditioner.heard_s else self._start_s
                if time.monotonic() - waiting_since > patience_s:
                    child.stop()
                    complaint = f" ({child.complaint})" if child.complaint else ""
                    raise SourceLost(f"{masked_url(self._url)}: no sample for {patience_s:g} s{complaint}")
                continue
            if not data:
                if not self._closing.is_set():
                    yield from conditioner.flush()
                    self._judge(child, finite=finite, heard_s=conditioner.heard_s)
                return
            now = None if finite else self._clock()
            yield from conditioner.feed(reader.feed(data), captured_at=now)
            waiting_since = time.monotonic()  # after the yields: the consumer's time is not the stream's

    def _judge(self, child: FfmpegChild, *, finite: bool, heard_s: float) -> None:
        """Decide what the end of ffmpeg's output means; returns where it is the file's own end."""
        status, complaint = child.last_words()
        url = masked_url(self._url)
        why = complaint or f"ffmpeg ended without saying why (exit status {status})"
        if not finite:
            raise SourceLost(f"{url}: {f'ended after {heard_s:.1f} s: ' if heard_s else ''}{why}")
        if status:
            raise SourceError(f"{url}: ffmpeg cannot decode it beyond {heard_s:.1f} s: {why}")
        if not heard_s:
            raise SourceError(f"{url}: holds no audio")
