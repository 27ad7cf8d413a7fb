"""PortAudio, one for the process, and its list of devices.

PortAudio lists devices once, when it is initialised: a microphone that is plugged in later does not exist for it,
and one that was unplugged stays on the list. Terminating and initialising it again renews the list, but would take
every open stream away from its reader. So one object counts the streams, and all calls but reads take turns.
"""

import functools
import threading
from dataclasses import dataclass
from typing import Any

from device.errors import SourceError

_MAX_CHANNELS = 2
"""Beyond a stereo pair, channels of one device are rarely microphones that it makes sense to average."""


@dataclass(frozen=True, slots=True)
class InputDevice:
    """A microphone, as PortAudio describes it."""

    index: int
    """Its place in the present list."""
    name: str
    channels: int
    """The most it gives at once."""
    sample_rate_hz: int
    """Its own default."""
    is_default: bool
    host_api: str
    """For example `ALSA`."""


@dataclass(frozen=True, slots=True)
class OpenInput:
    """A started `sounddevice.InputStream`, and whose it is."""

    stream: Any
    device: InputDevice


class PortAudio:
    """The library, its device list and how many streams are open.

    Args:
        sounddevice: the module or something like it; None: import it.

    Raises:
        SourceError: the PortAudio library is not installed.
    """

    def __init__(self, sounddevice: Any = None) -> None:
        self._library = sounddevice if sounddevice is not None else _load()
        self.error: type[Exception] = self._library.PortAudioError
        """What its streams raise."""
        self._lock = threading.RLock()
        self._open_streams = 0
        self._stale = False

    def input_devices(self) -> list[InputDevice]:
        """All devices that can be heard, in the library's order."""
        with self._lock:
            try:
                default = int(self._library.query_devices(kind="input")["index"])
            except (self.error, ValueError):
                default = -1  # no default, which is no reason to hide the others
            apis = self._library.query_hostapis()
            return [
                InputDevice(
                    index=index,
                    name=entry["name"],
                    channels=entry["max_input_channels"],
                    sample_rate_hz=round(entry["default_samplerate"]),
                    is_default=index == default,
                    host_api=apis[entry["hostapi"]]["name"],
                )
                for index, entry in enumerate(self._library.query_devices())
                if entry["max_input_channels"] > 0
            ]

    def open(self, wanted: str | None, *, latency_s: float) -> OpenInput:
        """Find an input by part of its name and start it at its own rate, with at most two channels.

        The device list is renewed first if anything went wrong since it was made and no stream is open.

        Args:
            wanted: part of its name, upper and lower case alike; None: the system's default input.
            latency_s: how much sound the device's buffer should hold.

        Raises:
            SourceError: none or several match, or it cannot be opened.
        """
        with self._lock:
            if self._stale and not self._open_streams:
                self._library._terminate()  # noqa: SLF001 - sounddevice documents no other way
                self._library._initialize()  # noqa: SLF001 - the same
            self._stale = True  # until it has been opened and closed without a loss
            device = self._find(wanted)
            try:
                stream = self._library.InputStream(
                    device=device.index,
                    channels=min(device.channels, _MAX_CHANNELS),
                    samplerate=device.sample_rate_hz,
                    dtype="float32",
                    latency=latency_s,
                )
                try:
                    stream.start()
                except self.error:
                    stream.close()
                    raise
            except self.error as error:
                raise SourceError(
                    f"microphone {device.name!r} cannot be opened: {error}; is another program using it?"
                ) from error
            self._open_streams += 1
            return OpenInput(stream, device)

    def close(self, opened: OpenInput, *, lost: bool) -> None:
        """Stop a stream that nobody reads any more; `lost`: because the device went away."""
        # Both calls ignore errors by default: of a device that is gone there is nothing left to stop. The first
        # may take a minute where a sound server hangs, and touches only this stream: others need not wait.
        opened.stream.abort()
        with self._lock:
            opened.stream.close()
            self._open_streams -= 1
            self._stale = lost

    def _find(self, wanted: str | None) -> InputDevice:
        inputs = self.input_devices()
        if not inputs:
            raise SourceError("there is no microphone: plug one in, or see whether `arecord -l` lists it")
        listed = ", ".join(repr(device.name) for device in inputs)
        if wanted is None:
            for device in inputs:
                if device.is_default:
                    return device
            raise SourceError(f"the system has no default microphone; set device to part of one of: {listed}")
        key = wanted.casefold()
        matches = [device for device in inputs if key in device.name.casefold()]
        # The same name under several host APIs is one device; the first is the API that PortAudio prefers.
        exact = [device for device in matches if device.name.casefold() == key]
        if exact:
            return exact[0]
        if not matches:
            raise SourceError(f"no microphone has {wanted!r} in its name; there is: {listed}")
        if len({device.name for device in matches}) > 1:
            several = ", ".join(repr(device.name) for device in matches)
            raise SourceError(f"{wanted!r} fits several microphones: {several}; write more of the name")
        return matches[0]


_only = functools.cache(PortAudio)

_MAKING = threading.Lock()
"""functools.cache alone would let two microphones that start at once make two."""


def port_audio() -> PortAudio:
    """The process's own, as the library is; made on first use.

    Raises:
        SourceError: the PortAudio library is not installed.
    """
    with _MAKING:
        return _only()


def _load() -> Any:
    try:
        import sounddevice  # noqa: PLC0415 - a device that plays recordings never loads it
    except OSError as error:
        raise SourceError(
            "microphones need the PortAudio library, which is not installed: sudo apt install libportaudio2"
        ) from error
    return sounddevice
