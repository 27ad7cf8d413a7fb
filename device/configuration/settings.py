"""Settings: frozen dataclasses with defaults that work, read from TOML and the environment.

`load` is the only way in. Units stand in the names (`min_on_s`), the allowed values beside the field, and an
error names the key, the value and what is allowed. Passwords are never settings: only the path of a file is.
"""

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_type_hints

from device.configuration.tables import SHOWN_NAME, TOPIC_LEVEL, build, check, parse, suggest, within
from device.errors import ConfigurationError

DEFAULT_PATH = Path("/etc/oido/config.toml")

_PREFIX = "OIDO_"

_NO_SETTINGS = frozenset({"OIDO_CORPUS"})
"""Variables of this name that belong to `oido-export`."""

SourceKind = Literal["microphone", "file", "stdin", "stream"]
Mode = Literal["balanced", "precision", "recall"]
Runtime = Literal["auto", "ai-edge-litert", "tflite-runtime"]
LogLevel = Literal["debug", "info", "warning", "error"]
MqttProtocol = Literal["3.1.1", "5"]
Language = Literal["en", "es"]


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """`[node]`: this device."""

    name: str = field(default="oido", metadata=TOPIC_LEVEL)
    """The `<node>` of every topic."""
    state_dir: str | None = None
    """Where events wait for the broker and the history is kept. None: $STATE_DIRECTORY under systemd, otherwise
    $XDG_STATE_HOME/oido or ~/.local/state/oido."""


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """`[[source]]`: one thing to listen to; several may run side by side."""

    name: str = field(default="microphone", metadata=TOPIC_LEVEL)
    """The `<source>` of every topic."""
    label: str | None = field(default=None, metadata=SHOWN_NAME)
    """What people call it: the name of its device in Home Assistant. None: node and name."""
    suggested_area: str | None = field(default=None, metadata=SHOWN_NAME)
    """The area that Home Assistant puts a new device into."""
    kind: SourceKind = "microphone"
    device: str | None = None
    """Microphone: part of its name, as `oido devices` prints it. None: the system's default."""
    path: str | None = None
    """File: what to play."""
    url: str | None = field(default=None, repr=False)  # it may hold a password
    """Stream: anything ffmpeg opens (http, rtsp, a file)."""
    sample_rate_hz: int = field(default=16_000, metadata=within(4_000, 384_000))
    """stdin: the rate of the signed 16-bit little-endian samples."""
    channels: int = field(default=1, metadata=within(1, 64))
    """stdin: interleaved channels."""
    stall_s: float = field(default=2.0, metadata=within(0.5, 3_600))
    """Live sources: after this long without a single sample, the source counts as lost."""
    flat_line_s: float | None = field(default=None, metadata=within(0, 86_400))
    """Exact digital silence for this long means "cannot hear". 0: never. None: 5 for microphones and
    0 elsewhere, because a recording or a radio may well be silent while a microphone never is."""
    retry_longest_s: float | None = field(default=None, metadata=within(0.5, 3_600))
    """Live sources: the longest wait before a lost one is tried again. The first wait is half a second, and each
    is twice the one before. None: 2 for microphones, and 30 for streams, whose servers notice each try."""

    @property
    def retry_limit_s(self) -> float:
        """The longest wait before a lost source is looked for again."""
        if self.retry_longest_s is not None:
            return self.retry_longest_s
        return 2.0 if self.kind == "microphone" else 30.0

    @property
    def flat_line_limit_s(self) -> float:
        """Seconds of flat line after which this source cannot hear; infinite where silence is legitimate."""
        seconds = self.flat_line_s
        if seconds is None:
            seconds = 5.0 if self.kind == "microphone" else 0.0
        return seconds or math.inf


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """`[model]`: which model hears, and how careful it is."""

    name: str = "attention"
    """The NAME of NAME.json among the models in `directory` and those that came with the program."""
    directory: str | None = None
    """Searched before the bundled models."""
    mode: Mode = "balanced"
    """balanced: best F1; precision: rarely wrong when ON; recall: rarely misses music."""
    runtime: Runtime = "auto"
    """Which TFLite runtime to use; auto takes the faster one that is installed."""


@dataclass(frozen=True, slots=True)
class DecisionConfig:
    """`[decision]`: how scores become a state."""

    min_on_s: float | None = field(default=None, metadata=within(0, 3_600))
    """Music must last this long before the state turns ON; None: what the model's description says, else 1.5."""
    min_off_s: float | None = field(default=None, metadata=within(0, 3_600))
    """Music must be gone this long before the state turns OFF: a pause inside a piece is still music. None: what
    the model's description says, else 4."""
    on: float | None = field(default=None, metadata=within(0, 1))
    """Probability that counts as music; None: the model's threshold for the chosen mode."""
    off: float | None = field(default=None, metadata=within(0, 1))
    """Probability under which music has stopped; None: 0.7 times `on`."""


@dataclass(frozen=True, slots=True)
class MqttConfig:
    """`[mqtt]`: the broker. With no host, messages go to standard output as JSON lines."""

    host: str | None = None
    port: int = field(default=1883, metadata=within(1, 65_535))
    protocol: MqttProtocol = "3.1.1"
    """With 5, a broker says why it refuses something; every broker understands 3.1.1."""
    base_topic: str = field(default="oido", metadata=TOPIC_LEVEL)
    username: str | None = None
    password_file: str | None = None
    """A file whose first line is the password; a relative name is looked up among systemd's credentials."""
    client_id: str | None = None
    """None: made from the base topic and the node, so that a restarted device takes its old session over."""
    keepalive_s: int = field(default=30, metadata=within(5, 3_600))
    """After this long without a message the broker is pinged. A broker that hangs is noticed after twice as long
    at most; then the device connects again."""
    timeout_s: float = field(default=10.0, metadata=within(0.5, 300))
    """How long the broker may take to answer: to the connection, to TLS, to the session, and to each message with
    QoS 1. So while states are published, one that hangs is noticed after `state_interval_s` and this."""
    tls: bool = False
    ca_file: str | None = None
    """TLS: who signed the broker's certificate; None: the system's authorities."""
    cert_file: str | None = None
    """TLS: this device's own certificate, for brokers that want one, and those that signed it (PEM). A relative
    name is looked up among systemd's credentials."""
    key_file: str | None = None
    """TLS: the key of `cert_file`, without a passphrase; None: it is in the same file."""
    state_interval_s: float = field(default=5.0, metadata=within(0.5, 3_600))
    """The state is published on every change, and otherwise at this interval."""
    telemetry_interval_s: float = field(default=60.0, metadata=within(1, 86_400))
    max_queued_events: int = field(default=10_000, metadata=within(1, 100_000))
    """Events kept while the broker is away; of more, the oldest is dropped, with a warning."""


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """`[metrics]`: figures for Prometheus, at http://host:port/metrics. With no port, none."""

    host: str = "127.0.0.1"
    """Which of this machine's addresses answers; anybody who can reach it may read."""
    port: int | None = field(default=None, metadata=within(1, 65_535))


@dataclass(frozen=True, slots=True)
class HomeAssistantConfig:
    """`[homeassistant]`: how Home Assistant, at the same broker, finds this device by itself."""

    enabled: bool = True
    """On by default: users of Home Assistant expect a new device to appear, and for everybody else it is one
    retained message for each source. `oido check --forget-discovery` removes it."""
    discovery_prefix: str = field(default="homeassistant", metadata=TOPIC_LEVEL)
    """As set in Home Assistant's MQTT integration, where its own birth message is left at PREFIX/status."""
    birth_delay_s: float = field(default=5.0, metadata=within(0, 300))
    """After Home Assistant has started, everything is published again at a random moment within this time, so that
    many devices do not answer at once."""
    language: Language = "en"
    """Of the names that it shows."""
    summary_interval_s: float = field(default=30.0, metadata=within(1, 3_600))
    """Home Assistant is told score, level and music of today on every change of the state, and otherwise at this
    interval: its recorder keeps each new value."""


@dataclass(frozen=True, slots=True)
class HistoryConfig:
    """`[history]`: when music played, for `oido history`."""

    enabled: bool = False
    retention_days: float = field(default=400.0, metadata=within(1, 36_525))
    """An interval is deleted this long after it ended."""


@dataclass(frozen=True, slots=True)
class LogConfig:
    """`[log]`: goes to standard error."""

    level: LogLevel = "info"


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be set."""

    node: NodeConfig = field(default_factory=NodeConfig)
    source: tuple[SourceConfig, ...] = (SourceConfig(),)
    model: ModelConfig = field(default_factory=ModelConfig)
    decision: DecisionConfig = field(default_factory=DecisionConfig)
    mqtt: MqttConfig = field(default_factory=MqttConfig)
    homeassistant: HomeAssistantConfig = field(default_factory=HomeAssistantConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    history: HistoryConfig = field(default_factory=HistoryConfig)
    log: LogConfig = field(default_factory=LogConfig)


def load(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Config:
    """Read the configuration file, then lay `OIDO_SECTION_KEY` variables over it.

    Args:
        path: the file; None reads `/etc/oido/config.toml` where it exists, and otherwise only defaults.
        environment: where overrides are looked up, for example `OIDO_MQTT_HOST`.

    Raises:
        ConfigurationError: the file cannot be read, or a key, a variable or a value is wrong.
    """
    table: dict[str, Any] = {}
    where = "the environment"
    if path is not None or DEFAULT_PATH.exists():
        path = path or DEFAULT_PATH
        where = str(path)
        try:
            # "-sig": editors of Windows begin a file with a byte order mark.
            table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigurationError(f"{path}: cannot read the configuration: {reason}") from error
        except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, endless nesting
            raise ConfigurationError(f"{path}: not valid TOML: {error}") from error
    config = build(Config, table, where, "")
    return _check_whole(_override(config, environment), where)


def _check_whole(config: Config, where: str) -> Config:
    """Refuse values that are only wrong together."""
    names = [source.name for source in config.source]
    if not names:
        raise ConfigurationError(f"{where}: [[source]] is empty; name at least one source or leave it out")
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"{where}: two [[source]] are named {name!r}; give each its own name")
    needed: dict[SourceKind, str] = {"file": "path", "stream": "url"}
    for source in config.source:
        key = needed.get(source.kind)
        if key and not getattr(source, key):
            raise ConfigurationError(
                f"{where}: [[source]] {source.name!r} has kind = {source.kind!r} and needs {key!r}"
            )
    on, off = config.decision.on, config.decision.off
    if on is not None and off is not None and off > on:
        raise ConfigurationError(
            f"{where}: [decision] off = {off} is above on = {on}; music would start and stop at once"
        )
    return config


def _override(config: Config, environment: Mapping[str, str]) -> Config:
    """Apply `OIDO_SECTION_KEY`; lists of sources cannot be overridden this way."""
    known = set(_NO_SETTINGS)
    for section in fields(Config):
        if section.name == "source":
            continue
        current = getattr(config, section.name)
        hints = get_type_hints(type(current))
        for entry in fields(current):
            variable = f"{_PREFIX}{section.name}_{entry.name}".upper()
            known.add(variable)
            if variable not in environment:
                continue
            value = check(parse(environment[variable], hints[entry.name]), hints[entry.name], entry, variable)
            current = replace(current, **{entry.name: value})
        config = replace(config, **{section.name: current})
    for variable in environment:
        if variable.startswith(_PREFIX) and variable not in known:
            raise ConfigurationError(f"{variable}: unknown variable{suggest(variable, sorted(known))}")
    return config
