"""Real, small stand-ins for the world, for tests of any module."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from device.sound import SAMPLE_RATE, Block, FloatArray


def blocks_of(samples: FloatArray, *, block: int = SAMPLE_RATE // 10) -> list[Block]:
    """Cut (n,) samples into consecutive blocks of `block` samples; the last may be shorter."""
    return [Block(samples=samples[at : at + block], start=at) for at in range(0, len(samples), block)]


class FakeSource:
    """A source that yields the given blocks, then ends, or fails, or (`stays_open`) waits to be closed.

    Args:
        blocks: what is heard each time it is opened.
        name: as it appears in topics.
        failures: raised after the blocks, one each time it is opened, in order; then it no longer fails.
        stays_open: wait for `close` after the last block, like a live source that has gone quiet.
    """

    def __init__(
        self,
        blocks: Iterable[Block] = (),
        *,
        name: str = "fake",
        failures: Sequence[Exception] = (),
        stays_open: bool = False,
    ) -> None:
        self.name = name
        self.opened = 0
        self.closed = threading.Event()
        self._blocks = tuple(blocks)
        self._failures = list(failures)
        self._stays_open = stays_open

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks."""
        self.opened += 1
        for block in self._blocks:
            if self.closed.is_set():
                return
            yield block
        if self._failures:
            raise self._failures.pop(0)
        if self._stays_open:
            self.closed.wait()

    def close(self) -> None:
        """End `blocks`."""
        self.closed.set()


class FakePortAudioError(Exception):
    """Stands for sounddevice.PortAudioError."""


class FakeStream:
    """A `sounddevice.InputStream` whose frames the test provides with `give`."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.arguments = arguments
        self.started = False
        self.closed = False
        self.answers = threading.Event()
        """Cleared: stopping it hangs, as with a sound server that does."""
        self.answers.set()
        self._changed = threading.Condition()
        self._frames = np.empty((0, arguments["channels"]), np.float32)
        self._overflowed = False
        self._failure: str | None = None

    def give(self, frames: FloatArray, *, overflowed: bool = False) -> None:
        """Let the device capture (n, channels) frames, perhaps after some were lost."""
        with self._changed:
            self._frames = np.concatenate((self._frames, frames))
            self._overflowed = self._overflowed or overflowed

    def unplug(self, reason: str = "Unanticipated host error") -> None:
        """Let every further call fail."""
        with self._changed:
            self._failure = reason

    def start(self) -> None:
        """Begin to capture."""
        self.started = True

    @property
    def read_available(self) -> int:
        """Frames that can be read at once."""
        with self._changed:
            if self._failure and not len(self._frames):
                raise FakePortAudioError(self._failure)
            return len(self._frames)

    def read(self, frames: int) -> tuple[FloatArray, bool]:
        """Take frames off; refuses what would block."""
        with self._changed:
            assert frames <= len(self._frames), "this read would block"
            taken, self._frames = self._frames[:frames], self._frames[frames:]
            overflowed, self._overflowed = self._overflowed, False
            return taken, overflowed

    def abort(self) -> None:
        """Stop capturing."""
        self.answers.wait(10)
        self.started = False

    def close(self) -> None:
        """Free the device."""
        self.closed = True


class FakeSoundDevice:
    """The parts of the sounddevice module that are used, with a device list that is frozen like PortAudio's.

    Args:
        names: the inputs that are plugged in; `plugged` may be changed later, and shows after `_initialize`.
        default: which of them is the system's default.
        channels: how many each has.
        sample_rate_hz: each one's default.
    """

    PortAudioError = FakePortAudioError

    def __init__(
        self,
        names: Sequence[str] = ("Built-in Audio: ALC (hw:0,0)", "USB PnP Sound Device: Audio (hw:1,0)"),
        *,
        default: str | None = None,
        channels: int = 1,
        sample_rate_hz: float = 16_000.0,
    ) -> None:
        self.plugged = list(names)
        self.default = default
        self.refuses_to_open: str | None = None
        self.streams: list[FakeStream] = []
        self.opened = threading.Event()
        self.initialisations = 0
        self._channels = channels
        self._sample_rate_hz = sample_rate_hz
        self._initialize()

    def _initialize(self) -> None:
        self._listed = list(self.plugged)
        self.initialisations += 1

    def _terminate(self) -> None:
        assert all(stream.closed for stream in self.streams), "terminated under an open stream"
        self._listed = []

    def query_hostapis(self) -> list[dict[str, Any]]:
        """One host API."""
        return [{"name": "ALSA"}]

    def query_devices(self, kind: str | None = None) -> Any:
        """All devices, an output among them, or the default input."""
        entries = [self._entry(index, name, self._channels) for index, name in enumerate(self._listed, 1)]
        if kind is None:
            return [self._entry(0, "HDMI 0 output", 0), *entries]
        for entry in entries:
            if entry["name"] == self.default:
                return entry
        raise FakePortAudioError("Error querying device -1")

    def InputStream(self, **arguments: Any) -> FakeStream:  # noqa: N802 - the name of the class it stands for
        """Open an input."""
        if self.refuses_to_open:
            raise FakePortAudioError(self.refuses_to_open)
        stream = FakeStream(arguments)
        self.streams.append(stream)
        self.opened.set()
        return stream

    def _entry(self, index: int, name: str, channels: int) -> dict[str, Any]:
        return {
            "index": index,
            "name": name,
            "hostapi": 0,
            "max_input_channels": channels,
            "default_samplerate": self._sample_rate_hz,
        }
