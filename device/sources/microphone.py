"""A microphone as a source.

It uses neither PortAudio's callbacks nor its blocking reads. sounddevice makes callbacks with cffi, which needs
memory that is writable and executable, and the service's sandbox (systemd's MemoryDenyWriteExecute) forbids that.
A blocking read may hang for ever when its device is unplugged. A thread that hangs inside PortAudio cannot be
joined, and a new PortAudio does not survive it. So one named thread asks how many frames are there
(`read_available`, which does not wait), reads just those, and sleeps in between on an event that `close` sets. It
hands them over in a bounded queue, so that a slow consumer does not overrun the device's small buffer. When the
queue is full, the newest are dropped and counted as an overrun: what is queued has no gaps.

When another microphone has been plugged in, PortAudio's list of devices is renewed (`port_audio.py`). For that
moment the thread closes the device and opens it again, which takes a tenth of a second, and another two where a
sound server has to wake the device up. What it did not hear counts as an overrun.

The thread opens and closes the device, too: with a sound server that hangs, either may take a minute, and the loss
must still be reported within `stall_s`.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from device.errors import SourceError, SourceLost
from device.sound import Block, FloatArray
from device.sources.base import BLOCK_S
from device.sources.conditioning import Conditioner
from device.sources.port_audio import OpenInput, PortAudio, port_audio

_POLL_S = 0.1
"""How long the consumer waits before it looks whether `close` was called."""
_SHORTEST_NAP_S = 0.005
_JOIN_S = 0.2
"""How long `close` waits for the device to be closed, which takes milliseconds. Where the sound system hangs, the
thread closes it as soon as it can, and until then the microphone cannot be opened again."""


class Microphone:
    """An input device, addressed by its name because its number changes when it is plugged in again.

    Args:
        device: part of its name, upper and lower case alike; None: the system's default input.
        name: as it appears in topics.
        stall_s: no sample for so long counts as a loss.
        start_s: how long the first sample may take; a sound server that wakes a device up needs up to 2 s.
        queue_s: how much sound is kept for a consumer that is late.
        audio: the library; None: the process's own.
        clock: seconds since the Unix epoch, for the blocks' wall time.
    """

    def __init__(
        self,
        device: str | None = None,
        *,
        name: str,
        stall_s: float,
        start_s: float = 5.0,
        queue_s: float = 5.0,
        audio: PortAudio | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._device = device
        self._stall_s = stall_s
        self._start_s = max(start_s, stall_s)
        self._queue_s = queue_s
        self._audio = audio
        self._clock = clock
        self._closing = threading.Event()
        self._starting = threading.Lock()
        self._capture: _Capture | None = None

    def blocks(self) -> Iterator[Block]:
        """Yield blocks until `close`. Called again after a loss, it finds what was plugged in since.

        Raises:
            SourceError: PortAudio is missing, no or several devices have that name, or it cannot be opened.
            SourceLost: the device went away, or gave no sample for `stall_s`.
        """
        with self._starting:  # so that `close` finds either no capture or this one
            if self._closing.is_set():
                return
            if self._capture is not None and self._capture.is_alive():
                raise SourceLost(f"{self._label} is still held by a sound system that does not answer")
            capture = _Capture(self._read, name=self.name, pieces=round(self._queue_s / BLOCK_S))
            capture.start()
            self._capture = capture
        try:
            yield from self._listen(capture)
        finally:
            capture.stop()

    def close(self) -> None:
        """End `blocks` and free the device. Idempotent, from any thread."""
        self._closing.set()
        with self._starting:
            if self._capture is not None:
                self._capture.stop()

    @property
    def _label(self) -> str:
        return f"microphone {self._device!r}" if self._device else "the default microphone"

    def _listen(self, capture: "_Capture") -> Iterator[Block]:
        conditioner: Conditioner | None = None
        rate_hz = 0
        waiting_since = time.monotonic()
        while not self._closing.is_set():
            try:
                piece = capture.pieces.get(timeout=_POLL_S)
            except queue.Empty:
                if self._closing.is_set():
                    return
                if capture.failure is not None:
                    raise capture.failure from None
                patience_s = self._start_s if capture.starting else self._stall_s
                if time.monotonic() - waiting_since > patience_s:
                    capture.stalled = True
                    raise SourceLost(f"{self._label} gave no sample for {patience_s:g} s") from None
                continue
            if conditioner is None:
                rate_hz = piece.sample_rate_hz
                conditioner = Conditioner(rate_hz, block_s=BLOCK_S)
            elif piece.sample_rate_hz != rate_hz:
                raise SourceLost(f"{self._label} now has {piece.sample_rate_hz} samples a second, not {rate_hz}")
            yield from conditioner.feed(piece.frames, captured_at=piece.captured_at, overruns=piece.overruns)
            waiting_since = time.monotonic()  # after the yields: the consumer's time is not the device's

    def _read(self, capture: "_Capture") -> None:
        """Open the device, read it and close it; in the capture's thread."""
        gaps = 0
        while capture.failure is None and not capture.stopping.is_set():
            capture.starting = True
            try:
                audio = self._audio or port_audio()
                # The device's buffer spans several naps; a sound server delivers by quarters of it.
                opened = audio.open(self._device, latency_s=4 * BLOCK_S)
            except SourceError as error:
                capture.failure = error
                return
            try:
                self._read_pieces(audio, opened, capture, overruns=gaps)
            except audio.error as error:
                capture.failure = SourceLost(f"microphone {opened.device.name!r} went away: {error}")
            finally:
                audio.close(opened, lost=capture.stalled or capture.failure is not None)
            gaps = 1

    def _read_pieces(self, audio: PortAudio, opened: OpenInput, capture: "_Capture", *, overruns: int) -> None:
        """Read until the capture is stopped, or PortAudio's list of devices is to be renewed."""
        stream, rate_hz = opened.stream, opened.device.sample_rate_hz
        block = max(1, round(BLOCK_S * rate_hz))
        while not capture.stopping.is_set() and not audio.renewing:
            available = stream.read_available
            if available < block:
                capture.stopping.wait(max((block - available) / rate_hz, _SHORTEST_NAP_S))
                continue
            # At most one second at a time, so that the first read after a pause is no huge block.
            frames, overflowed = stream.read(min(available, rate_hz))
            captured_at = self._clock() - (available - len(frames)) / rate_hz
            overruns += overflowed
            capture.starting = False
            try:
                capture.pieces.put_nowait(_Piece(frames, rate_hz, captured_at, overruns))
            except queue.Full:
                overruns += 1
            else:
                overruns = 0


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one read gave."""

    frames: FloatArray
    sample_rate_hz: int
    captured_at: float
    overruns: int


class _Capture(threading.Thread):
    """The thread that reads a device, and what it shares with its consumer."""

    def __init__(self, read: Callable[["_Capture"], None], *, name: str, pieces: int) -> None:
        super().__init__(target=read, args=(self,), name=f"oido-microphone-{name}", daemon=True)
        self.pieces: queue.Queue[_Piece] = queue.Queue(maxsize=max(1, pieces))
        self.failure: SourceError | None = None
        """Why it ended by itself; what was read before is in the queue."""
        self.starting = True
        """Whether the device has given nothing since it was opened."""
        self.stalled = False
        """Set by the consumer: the device list is to be renewed."""
        self.stopping = threading.Event()

    def stop(self) -> None:
        """Have the device closed. Idempotent, from any thread."""
        self.stopping.set()
        self.join(_JOIN_S)
