"""What the payloads say: dataclasses with the fields of the JSON, in its order. Pure; `message` makes the JSON.

Times are seconds since the Unix epoch, UTC. For a recording they are counted from its samples, never read
from the clock, so that a replay says the same.
"""

from dataclasses import dataclass
from typing import Literal

from device.configuration.settings import LogLevel, Mode

CONTRACT = 1
"""The version of the topics and payloads, published as `schema` in `info`."""

OnOff = Literal["ON", "OFF"]
EventType = Literal["music_started", "music_stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """What the device is."""

    version: str
    """The program's version."""
    schema: int = CONTRACT
    model: str
    model_sha256: str
    """64 lower-case hexadecimal digits, of the model file."""
    hardware: str
    """For example `Raspberry Pi Zero 2 W Rev 1.0` or `x86_64`."""
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateReport:
    """What one source hears now."""

    music: OnOff | None
    """None: unknown, because the source cannot hear or is paused."""
    score: float | None
    """The latest probability of music, 0 to 1."""
    since: float
    """When this state began."""
    updated: float
    """The end of the latest audio that was judged."""
    level_dbfs: float | None
    """Level of that audio; None or -inf for digital silence."""
    model: str
    mode: Mode
    paused: bool
    reason: str
    """Why, in a word or two: `music`, `no music`, `flat line`, `no audio`, `paused`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReport:
    """Music started or stopped. The times are those of onset and offset, not those of their detection."""

    event_type: EventType
    id: str
    """Shared by a start and its stop; see `event_id`."""
    started: float
    ended: float | None
    """None while the music plays."""
    duration_s: float | None
    """None while the music plays."""
    peak: float
    """The highest score so far, 0 to 1."""
    mean: float
    """The mean score so far, 0 to 1."""
    node: str
    """The device that heard it."""
    source: str
    """The source that it heard it with."""
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """How one source and the process are doing."""

    level_dbfs: float | None
    """None or -inf for digital silence."""
    clipping: float
    """Fraction of the samples at full scale since the last telemetry, 0 to 1."""
    inference_p50_ms: float | None
    """Median time of one inference; None before the first."""
    inference_p95_ms: float | None
    """The 95th percentile; None before the first."""
    overruns: int
    """How often the audio device lost samples, since the start."""
    rss_mb: float
    """Resident memory of the process, 2**20 bytes."""
    cpu_temperature_c: float | None
    """None where the machine does not say."""
    uptime_s: float
    queued_events: int
    """Events that wait for the broker."""
    dropped_events: int
    """Events dropped since the start because the queue was full."""
    refused_events: int = 0
    """Events set aside because the broker refuses them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReport:
    """How the process is doing, whatever its sources do. The fields mean the same as in `Telemetry`."""

    rss_mb: float
    cpu_temperature_c: float | None
    uptime_s: float
    queued_events: int
    dropped_events: int
    refused_events: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The result of a command. The settings are those in force afterwards."""

    transaction: str | None
    """As the command gave it."""
    ok: bool
    error: str | None
    """One sentence, None if `ok`."""
    warning: str | None = None
    """One sentence: the command was carried out, but something about it is not as it should be."""
    paused: bool
    mode: Mode
    model: str
    log_level: LogLevel
