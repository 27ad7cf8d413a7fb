"""Reports as MQTT messages: topics and JSON payloads (contract version 1, schemas/*.json). Pure.

The same values give the same bytes: JSON is compact ASCII with keys in a fixed order, times are ISO 8601 UTC
with milliseconds, numbers are rounded to meaningful digits, and NaN or infinity never appear.
"""

import json
import math
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Literal, Self

from device.configuration.settings import Config
from device.publishing.payloads import DeviceInfo, EventReport, ProcessReport, Response, StateReport, Telemetry

EVENT_NAMESPACE = uuid.UUID("7d0c2a5e-6c56-5c3b-9f0e-0f1d0a3b9c11")
"""The UUID namespace of event ids. A change would give old recordings new ids."""

_LONGEST_TOPIC = 65_535  # bytes; MQTT 3.1.1, section 1.5.3


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to publish."""

    topic: str
    payload: str
    qos: Literal[0, 1]
    """0: lost when the broker is away. 1: kept until the broker has acknowledged it."""
    retain: bool
    """Whether the broker keeps it for those who subscribe later."""
    coalesce: bool
    """Whether only the topic's latest message matters. Without it, messages with QoS 1 wait in a queue."""
    durable: bool = True
    """Whether a message in that queue outlives the process. An event does. A response to a command does not: after
    a restart nobody waits for it any more."""
    report: EventReport | None = None
    """What an event's payload says, for the outbox and the history; None for all other messages."""

    def __post_init__(self) -> None:
        """Refuse a topic that no broker would take.

        Raises:
            ValueError: the topic is empty, too long, or holds a wildcard.
        """
        if not self.topic or len(self.topic.encode()) > _LONGEST_TOPIC or set(self.topic) & set("+#\0"):
            raise ValueError(f"{self.topic!r} is not a topic that can be published to")


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one device; `of` its configuration."""

    base: str
    """The first level, `oido` unless configured otherwise."""
    node: str
    """The device's name."""

    @classmethod
    def of(cls, config: Config) -> Self:
        """As configured."""
        return cls(config.mqtt.base_topic, config.node.name)

    @property
    def status(self) -> str:
        """Whether the device is online; the topic of the last will."""
        return f"{self.base}/{self.node}/status"

    @property
    def info(self) -> str:
        """What the device is."""
        return f"{self.base}/{self.node}/info"

    @property
    def process(self) -> str:
        """How the process is doing."""
        return f"{self.base}/{self.node}/process"

    def availability(self, source: str) -> str:
        """Whether the source can hear."""
        return self._of(source, "availability")

    def music(self, source: str) -> str:
        """Plain ON or OFF."""
        return self._of(source, "music")

    def state(self, source: str) -> str:
        """What is heard, in full."""
        return self._of(source, "state")

    def summary(self, source: str) -> str:
        """The state for Home Assistant, at longer intervals, with the music of today."""
        return self._of(source, "summary")

    def event(self, source: str) -> str:
        """Each start and stop."""
        return self._of(source, "event")

    def telemetry(self, source: str) -> str:
        """How the device is doing."""
        return self._of(source, "telemetry")

    def set(self, source: str) -> str:
        """Commands to the source; `+` as the source stands for all."""
        return self._of(source, "set")

    def response(self, source: str) -> str:
        """The result of a command."""
        return self._of(source, "response")

    def source_of(self, topic: str, leaf: Literal["set", "availability"]) -> str | None:
        """The source in a topic of this device that ends in `leaf`; None for any other topic."""
        match topic.split("/"):
            case [self.base, self.node, source, last] if last == leaf and source:
                return source
            case _:
                return None

    def _of(self, source: str, leaf: str) -> str:
        return f"{self.base}/{self.node}/{source}/{leaf}"


def event_id(node: str, source: str, started: float) -> str:
    """The id of the music that started at `started` (seconds since the epoch): the same at each replay."""
    return str(uuid.uuid5(EVENT_NAMESPACE, f"{node}/{source}/{round(started * 1000)}"))


def status_message(topics: Topics, *, online: bool) -> Message:
    """Whether the device is online; `offline` is also its last will."""
    return retained(topics.status, "online" if online else "offline")


def info_message(topics: Topics, info: DeviceInfo) -> Message:
    """What the device is."""
    return retained(topics.info, compact_json(asdict(info)))


def availability_message(topics: Topics, source: str, *, online: bool) -> Message:
    """Whether the source can hear."""
    return retained(topics.availability(source), "online" if online else "offline")


def goodbye_messages(topics: Topics, latest: Iterable[Message]) -> tuple[Message, ...]:
    """The last messages before the device stops: every source goes offline, then the device.

    Args:
        topics: of the device.
        latest: the latest retained message of each topic; a source that is offline already is left out.
    """
    hearing = [
        topics.source_of(message.topic, "availability") for message in latest if message.payload == "online"
    ]
    return (
        *(availability_message(topics, source, online=False) for source in hearing if source is not None),
        status_message(topics, online=False),
    )


def state_message(topics: Topics, source: str, report: StateReport) -> Message:
    """The state in full."""
    return retained(topics.state(source), compact_json(_state_fields(report)))


def summary_message(topics: Topics, source: str, report: StateReport, music_today_min: int) -> Message:
    """The state in full, and how many minutes of music were heard since local midnight."""
    fields = _state_fields(report) | {"music_today_min": music_today_min}
    return retained(topics.summary(source), compact_json(fields))


def state_messages(
    topics: Topics, source: str, report: StateReport, music_today_min: int | None = None
) -> tuple[Message, ...]:
    """A new state: in full, as plain ON or OFF where it is known, and as the availability that follows from it.

    With `music_today_min`, the summary too.

    Availability goes first when the source turns deaf and last when it hears again, so that nobody sees
    `online` beside a stale state. While the state is unknown, `music` is left alone.
    """
    state = [state_message(topics, source, report)]
    if music_today_min is not None:
        state.append(summary_message(topics, source, report, music_today_min))
    if report.music is None:
        return availability_message(topics, source, online=False), *state
    music = retained(topics.music(source), report.music)
    return music, *state, availability_message(topics, source, online=True)


def event_message(topic: str, report: EventReport) -> Message:
    """One start or stop; the message carries the report, with its numbers rounded as in the payload.

    Args:
        topic: of the source's events.
        report: what happened.

    Raises:
        ValueError: a time or score is not a finite number, `music_started` has an end or `music_stopped` has none.
    """
    stopped = report.event_type == "music_stopped"
    if (report.ended is not None, report.duration_s is not None) != (stopped, stopped):
        raise ValueError(f"{report.event_type} with ended={report.ended} and duration_s={report.duration_s}")
    report = replace(
        report,
        started=_milliseconds(report.started) / 1000,
        ended=None if report.ended is None else _milliseconds(report.ended) / 1000,
        duration_s=_rounded(report.duration_s, 3),
        peak=_number(report.peak, 4),
        mean=_number(report.mean, 4),
    )
    fields = asdict(report) | {
        "started": timestamp(report.started),
        "ended": None if report.ended is None else timestamp(report.ended),
    }
    return Message(topic, compact_json(fields), qos=1, retain=False, coalesce=False, report=report)


def telemetry_message(topics: Topics, source: str, telemetry: Telemetry) -> Message:
    """How the device is doing.

    Raises:
        ValueError: `clipping`, `rss_mb` or `uptime_s` is not a finite number.
    """
    fields = asdict(telemetry) | {
        "level_dbfs": _rounded(telemetry.level_dbfs, 1),
        "clipping": _number(telemetry.clipping, 6),
        "inference_p50_ms": _rounded(telemetry.inference_p50_ms, 3),
        "inference_p95_ms": _rounded(telemetry.inference_p95_ms, 3),
        "rss_mb": _number(telemetry.rss_mb, 1),
        "cpu_temperature_c": _rounded(telemetry.cpu_temperature_c, 1),
        "uptime_s": _number(telemetry.uptime_s, 1),
    }
    return Message(topics.telemetry(source), compact_json(fields), qos=0, retain=True, coalesce=True)


def process_message(topics: Topics, report: ProcessReport) -> Message:
    """How the process is doing.

    Raises:
        ValueError: `rss_mb` or `uptime_s` is not a finite number.
    """
    fields = asdict(report) | {
        "rss_mb": _number(report.rss_mb, 1),
        "cpu_temperature_c": _rounded(report.cpu_temperature_c, 1),
        "uptime_s": _number(report.uptime_s, 1),
    }
    return Message(topics.process, compact_json(fields), qos=0, retain=True, coalesce=True)


def response_message(topics: Topics, source: str, response: Response) -> Message:
    """The result of a command."""
    fields = asdict(response)
    return Message(
        topics.response(source), compact_json(fields), qos=1, retain=False, coalesce=False, durable=False
    )


def retained(topic: str, payload: str) -> Message:
    """A message that the broker keeps, and of which only the latest matters."""
    return Message(topic, payload, qos=1, retain=True, coalesce=True)


def clearing_message(topic: str) -> Message:
    """Empties a retained topic: the broker forgets it, and Home Assistant removes a device described there."""
    return retained(topic, "")


def compact_json(fields: Mapping[str, object]) -> str:
    """JSON without spaces, in ASCII: a lone surrogate in a command's transaction cannot be encoded as UTF-8."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _state_fields(report: StateReport) -> dict[str, object]:
    return asdict(report) | {
        "score": _rounded(report.score, 4),
        "since": timestamp(report.since),
        "updated": timestamp(report.updated),
        "level_dbfs": _rounded(report.level_dbfs, 1),
    }


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as payloads say them."""
    whole, milliseconds = divmod(_milliseconds(seconds), 1000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def _milliseconds(seconds: float) -> int:
    if not math.isfinite(seconds):
        raise ValueError(f"{seconds} is not a time")
    return round(seconds * 1000)


def _number(value: float, digits: int) -> float:
    """Round a number that must not be missing."""
    rounded = _rounded(value, digits)
    if rounded is None:
        raise ValueError(f"{value} is not a finite number")
    return rounded


def _rounded(value: float | None, digits: int) -> float | None:
    """Round; None for what is not a finite number, as the level of digital silence (-inf dBFS)."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), digits) + 0.0  # + 0.0: no negative zero
