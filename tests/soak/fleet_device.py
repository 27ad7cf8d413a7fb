"""One device of a fleet: what `oido run` makes, but for its ears."""

import random
import time
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from device.configuration.settings import Config, MqttConfig, NodeConfig, SourceConfig
from device.hearing.decision import Event, Music, Score, Step
from device.hearing.health import Health
from device.pipeline import Observation
from device.publishing.discovery import birth_topic, discoveries
from device.publishing.message import Message, Topics, info_message, telemetry_message
from device.publishing.mqtt import Birth, MqttPublisher
from device.publishing.outbox import Outbox
from device.publishing.payloads import DeviceInfo, Telemetry
from device.publishing.reporter import Reporter
from device.sound import SAMPLE_RATE
from device.storage.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the devices of one process are."""

    directory: str
    """For their state and the report."""
    port: int
    first: int
    """The number of the first device."""
    count: int
    events_per_minute: float
    """Of each device, on average."""
    seed: int


class NotingOutbox(Outbox):
    """The device's own outbox; notes when the broker has acknowledged which event."""

    def __init__(self, inner: Outbox) -> None:
        super().__init__(1)  # nothing waits here: everything is the inner one's
        self.acknowledged: dict[str, float] = {}
        """By payload."""
        self._inner = inner
        self._payloads: dict[int, str] = {}

    @property
    def dropped(self) -> int:
        """As the inner one says."""
        return self._inner.dropped

    @property
    def lasting(self) -> bool:
        """As the inner one says."""
        return self._inner.lasting

    def add(self, message: Message) -> int:
        """Keep it."""
        key = self._inner.add(message)
        self._payloads[key] = message.payload
        return key

    def pending(self) -> Iterator[tuple[int, Message]]:
        """What waits."""
        return self._inner.pending()

    def first(self, held: Container[str]) -> tuple[int, Message] | None:
        """What is sent next."""
        return self._inner.first(held)

    def set_aside(self, key: int, reason: str) -> None:
        """The broker refuses it."""
        self._inner.set_aside(key, reason)

    def acknowledge(self, key: int) -> None:
        """Forget it, and note when."""
        self._inner.acknowledge(key)
        self.acknowledged[self._payloads.pop(key)] = time.monotonic()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._inner)


class Device:
    """One device: what `oido run` makes, but for the listener."""

    def __init__(self, number: int, settings: Settings) -> None:
        """Open the state; nothing is connected yet."""
        self.node = f"ear-{number:04d}"
        self._draw = random.Random(f"{settings.seed}/{number}")  # noqa: S311 - a soak that can be repeated
        self._pause_s = 60 / settings.events_per_minute
        home = Path(settings.directory, self.node)
        mqtt = MqttConfig(host="127.0.0.1", port=settings.port)
        source = SourceConfig(name="room")
        self._config = Config(node=NodeConfig(name=self.node, state_dir=str(home)), source=(source,), mqtt=mqtt)
        self._topics = Topics(mqtt.base_topic, self.node)
        self._state = State(self._config, environment={"XDG_RUNTIME_DIR": str(home / "run")})
        if self._state.outbox is None:
            raise SystemExit(f"{home} takes no outbox; choose another --directory")
        self.outbox = NotingOutbox(self._state.outbox)
        wanted = self._config.homeassistant
        self.publisher = MqttPublisher(
            mqtt,
            topics=self._topics,
            on_command=lambda _source, _payload: None,
            birth=Birth(topic=birth_topic(wanted.discovery_prefix), longest_delay_s=wanted.birth_delay_s),
            outbox=self.outbox,
        )
        self._origin = time.time()
        self._reporter = Reporter(
            topics=self._topics,
            source=source.name,
            model="attention",
            mode="balanced",
            state_interval_s=mqtt.state_interval_s,
            origin=self._origin,
        )
        self._music_since: int | None = None
        self._changed_at = 0
        self._telemetry_at = 0.0
        self.recorded: list[tuple[float, str]] = []
        """When each event was decided, monotonic, and its payload."""
        self.sessions: list[float] = []
        """When each session began, monotonic."""
        self.published = 0
        """Messages of all kinds handed to the publisher."""

    @property
    def client_id(self) -> str:
        """Under which it connects."""
        return f"{self._topics.base}-{self.node}"

    @property
    def settings(self) -> MqttConfig:
        """Of the broker."""
        return self._config.mqtt

    def start(self) -> None:
        """Connect, and say what this is, as the daemon does."""
        self.publisher.start()
        info = DeviceInfo(version="0", model="attention", model_sha256="0" * 64, hardware="fleet", python="3")
        for message in (info_message(self._topics, info), *discoveries(self._config, info)):
            self._publish(message)

    def next_change_s(self) -> float:
        """How long until music starts or stops."""
        return self._pause_s * self._draw.uniform(0.5, 1.5)

    def change(self) -> None:
        """Music starts or stops."""
        heard = self._heard()
        if self._music_since is None:
            event = Event("music_started", heard, None, 0.9, 0.8)
            self._music_since = heard
        else:
            event = Event("music_stopped", self._music_since, heard, 0.9, 0.8)
            self._music_since = None
        self._changed_at = heard
        decided = time.monotonic()
        for message in self._reporter.observed(self._observation(heard, Step(events=(event,)))):
            if message.topic.endswith("/event"):
                self.recorded.append((decided, message.payload))
            self._publish(message)

    def go_on(self) -> None:
        """Nothing new: the state now and then, the telemetry more rarely."""
        for message in self._reporter.observed(self._observation(self._heard(), Step())):
            self._publish(message)
        if time.monotonic() >= self._telemetry_at:
            self._telemetry_at = time.monotonic() + self.settings.telemetry_interval_s
            telemetry = Telemetry(
                level_dbfs=-30.0,
                clipping=0.0,
                inference_p50_ms=1.0,
                inference_p95_ms=2.0,
                overruns=0,
                rss_mb=75.0,
                cpu_temperature_c=50.0,
                uptime_s=time.time() - self._origin,
                queued_events=self.publisher.queued_events,
                dropped_events=self.publisher.dropped_events,
            )
            self._publish(telemetry_message(self._topics, "room", telemetry))

    def close(self) -> None:
        """Say goodbye, and let the state go."""
        self.publisher.close()
        self._state.close()

    def _publish(self, message: Message) -> None:
        self.published += 1
        self.publisher.publish(message)

    def _heard(self) -> int:
        return int((time.time() - self._origin) * SAMPLE_RATE)

    def _observation(self, heard: int, step: Step) -> Observation:
        probability = 0.2 if self._music_since is None else 0.9
        return Observation(
            score=Score(heard, heard, heard, probability),
            state=Music.OFF if self._music_since is None else Music.ON,
            since=self._changed_at,
            heard=heard,
            origin=self._origin,
            health=Health(level_dbfs=-30.0),
            step=step,
            condition="hearing",
            cost_s=0.0,
        )
