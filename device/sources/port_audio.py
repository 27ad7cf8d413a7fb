"""PortAudio, one for the process, and its list of devices.

PortAudio lists devices once, when it is initialised: a microphone that is plugged in later does not exist for it,
and one that was unplugged stays on the list. Terminating and initialising it again renews the list, but would take
every open stream away from its reader. So one object counts the streams, and all calls but reads take turns.

While one microphone is heard, another may be plugged in. A short-lived child process, whose list is new, finds
that out; it costs up to a second of processor time every half minute, and the open streams nothing. Only when it
has found the missing microphone, all readers let go of theirs for the moment that the renewal takes.
"""

import contextlib
import functools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from device.errors import SourceError

_MAX_CHANNELS = 2
"""Beyond a stereo pair, channels of one device are rarely microphones that it makes sense to average."""


_LOOK_EVERY_S = 30.0
"""How often a missing microphone is looked for in a child process, unless the kernel's list of cards changes."""
_LOOKING_S = 15.0
"""How long that child may take on a slow machine."""
_LETTING_GO_S = 1.0
"""How long all readers may take to let go. Then the renewal is put off, so that none of them counts as lost."""
_CARDS = Path("/proc/asound/cards")


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
        look: the inputs that a new list would have; called while streams are open. None: nobody can say.
        look_every_s: how often it is called at most, unless the kernel's list of sound cards has changed.

    Raises:
        SourceError: the PortAudio library is not installed.
    """

    def __init__(
        self,
        sounddevice: Any = None,
        *,
        look: Callable[[], Sequence[InputDevice]] | None = None,
        look_every_s: float = _LOOK_EVERY_S,
    ) -> None:
        self._library = sounddevice if sounddevice is not None else _load()
        self.error: type[Exception] = self._library.PortAudioError
        """What its streams raise."""
        self.renewing = False
        """Whether every reader shall close its stream and open it again, so that the list can be renewed."""
        self._lock = threading.Condition(threading.RLock())
        self._open_streams = 0
        self._stale = False
        """Whether anything went wrong since the list was made."""
        self._look, self._look_every_s = look, look_every_s
        self._looked: tuple[float, str] | None = None
        """When the latest look was, monotonic, and the kernel's sound cards at that time."""

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

        The device list is renewed first if anything went wrong since it was made and no stream is open. If others
        are open, they are asked to let go (`renewing`), provided that the device has been plugged in meanwhile.

        Args:
            wanted: part of its name, upper and lower case alike; None: the system's default input.
            latency_s: how much sound the device's buffer should hold.

        Raises:
            SourceError: none or several match, or it cannot be opened.
        """
        try:
            return self._open(wanted, latency_s=latency_s)
        except SourceError:
            if not self._open_streams or not self._is_new(wanted) or not self._renewed_for_all():
                raise
        return self._open(wanted, latency_s=latency_s)

    def _open(self, wanted: str | None, *, latency_s: float) -> OpenInput:
        with self._lock:
            self._lock.wait_for(lambda: not self.renewing)
            if self._stale and not self._open_streams:
                self._renew()
            stale, self._stale = self._stale, True  # until it has been opened
            device = find(self.input_devices(), wanted)
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
            self._stale = stale
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
            self._stale |= lost
            self._lock.notify_all()

    def _renew(self) -> None:
        self._library._terminate()  # noqa: SLF001 - sounddevice documents no other way
        self._library._initialize()  # noqa: SLF001 - the same
        self._stale = False

    def _is_new(self, wanted: str | None) -> bool:
        """Whether a new list has the device."""
        cards = ""
        with contextlib.suppress(OSError):
            cards = _CARDS.read_text(encoding="utf-8", errors="replace")
        now = time.monotonic()
        with self._lock:
            if self._look is None:
                return False
            if self._looked is not None:
                at, cards_then = self._looked
                if now - at < self._look_every_s and cards == cards_then:
                    return False
            self._looked = now, cards
        try:
            find(self._look(), wanted)
        except SourceError:
            return False
        return True

    def _renewed_for_all(self) -> bool:
        """Have every stream closed, and renew the list; False if one was not closed in time."""
        with self._lock:
            self._lock.wait_for(lambda: not self.renewing)
            self.renewing = True
            try:
                free = self._lock.wait_for(lambda: not self._open_streams, _LETTING_GO_S)
                if free:
                    self._renew()
                return free
            finally:
                self.renewing = False
                self._lock.notify_all()


def find(inputs: Sequence[InputDevice], wanted: str | None) -> InputDevice:
    """The input that is meant.

    Args:
        inputs: those that there are.
        wanted: part of its name, upper and lower case alike; None: the system's default input.

    Raises:
        SourceError: none or several match.
    """
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


_CHILD = "from device.sources.port_audio import print_inputs; print_inputs()"


def print_inputs() -> None:
    """Print the input devices as JSON; what the child process does."""
    json.dump([asdict(device) for device in PortAudio().input_devices()], sys.stdout)


def inputs_now() -> list[InputDevice]:
    """The input devices that there are now, listed by a process of its own; none if it fails."""
    root = str(Path(__file__).parents[2])
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r}); {_CHILD}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,  # ALSA comments on what it does not find
            timeout=_LOOKING_S,
            check=True,
        )
        return [InputDevice(**entry) for entry in json.loads(done.stdout)]
    except (OSError, subprocess.SubprocessError, ValueError, TypeError):
        return []


@functools.cache
def _only() -> PortAudio:
    return PortAudio(look=inputs_now)


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
