"""Home Assistant's device discovery: each source is shown as a device, without configuration there. Pure.

The payload (www.home-assistant.io/integrations/mqtt/#device-discovery-payload) holds the device (`dev`), its
origin (`o`), and components (`cmps`), each with its platform (`p`) and `unique_id`.

The node itself is a device too: the sources are connected through it, and it has the diagnostics of the process.

When an entity is available:

- music, score and level: while the device is online *and* the source can hear;
- the event: always. Its state is the time of the latest event, so coming back from `unavailable` would look like
  a new one. Home Assistant shows it as unavailable while it is itself without a broker;
- all others: while the device is online. When a source is paused or lost, people look at its switch, its
  diagnostics and the reason.
"""

import json
import unicodedata
from collections.abc import Mapping
from typing import Any, get_args

from device.configuration.settings import Config, Language, Mode, MqttConfig, SourceConfig
from device.publishing.entity_names import translated
from device.publishing.message import Message, Topics, compact_json, retained
from device.publishing.payloads import DeviceInfo, EventType

ORIGIN = "oido"
"""The `name` under `o`, by which our own retained payloads are recognised."""

SUPPORT_URL = "https://www.home-assistant.io/integrations/mqtt/"
"""Where Home Assistant sends who asks about the origin of a device: oido has no page of its own yet."""

REASONS = ("music", "no music", "starting", "flat line", "no audio", "paused", "ended")
"""Every `reason` of a state."""

_NODE = ""
"""Stands for the node itself where a source's name would stand; no source has an empty name."""

_USUAL_BASE = MqttConfig().base_topic
"""Left out of discovery topics."""

_ESCAPES = str.maketrans({"-": "--", "_": "-u", ".": "-d"})

Component = Mapping[str, Any]


def birth_topic(prefix: str) -> str:
    """Where Home Assistant publishes `online` when it has started."""
    return f"{prefix}/status"


def discovery_topic(topics: Topics, source: str, *, prefix: str) -> str:
    """Where the payload of a source is retained."""
    base = () if topics.base == _USUAL_BASE else (topics.base,)
    return f"{prefix}/device/{unique_id(*base, topics.node, source)}/config"


def trial_topic(topics: Topics, name: str, *, prefix: str) -> str:
    """Beside those of the sources, and never one of them: to try whether the device may write there."""
    return f"{prefix}/device/{unique_id(topics.base, topics.node, name, 'trial')}/config"


def former_discovery_topic(topics: Topics, source: str, *, prefix: str) -> str:
    """Where version 0.1 retained it; sources with different names could share that topic."""
    node, source = (name.replace(".", "_dot_") for name in (topics.node, source))
    return f"{prefix}/device/{node}_{source}/config"


def discovery_filter(prefix: str) -> str:
    """Every device's discovery topic, for a subscription."""
    return f"{prefix}/device/+/config"


def discoveries(config: Config, info: DeviceInfo) -> tuple[Message, ...]:
    """The discovery messages of this configuration: none without a broker, or where discovery is switched off.

    A recording has none: it ends, and its device would stay behind, unavailable for ever.
    """
    topics, wanted = Topics.of(config), config.homeassistant
    sources = discovered_sources(config)
    node = node_discovery_message(topics, info, prefix=wanted.discovery_prefix, language=wanted.language)
    messages = [
        discovery_message(
            topics,
            source.name,
            info,
            prefix=wanted.discovery_prefix,
            label=source.label,
            suggested_area=source.suggested_area,
            language=wanted.language,
        )
        for source in sources
    ]
    # The node first: the others refer to it.
    return (node, *messages) if messages else ()


def separate_components(message: Message) -> tuple[Message, ...]:
    """A discovery message as one message for each entity, for a broker that takes no large ones.

    Home Assistant then finds the same entities of the same device, by their unique ids
    (www.home-assistant.io/integrations/mqtt/#single-component-discovery-payload). Empty for any other message.
    """
    try:
        prefix, kind, device, _ = message.topic.split("/")
        payload = json.loads(message.payload) if kind == "device" else {}
        components = payload.pop("cmps")
    except (ValueError, KeyError):
        return ()
    return tuple(
        retained(
            f"{prefix}/{component['p']}/{device}/{key}/config",
            compact_json(payload | {name: value for name, value in component.items() if name != "p"}),
        )
        for key, component in components.items()
    )


def discovery_topics(config: Config) -> tuple[str, ...]:
    """Where those messages are retained."""
    topics, prefix = Topics.of(config), config.homeassistant.discovery_prefix
    names = [source.name for source in discovered_sources(config)]
    return tuple(discovery_topic(topics, name, prefix=prefix) for name in ([_NODE, *names] if names else []))


def discovered_sources(config: Config) -> tuple[SourceConfig, ...]:
    """The sources that have a discovery message."""
    if not (config.mqtt.host and config.homeassistant.enabled):
        return ()
    return tuple(source for source in config.source if source.kind != "file")


def node_discovery_message(topics: Topics, info: DeviceInfo, *, prefix: str, language: Language = "en") -> Message:
    """The node as a device, with how its process is doing."""
    return _message(topics, _NODE, info, _node_components(topics), {"name": topics.node}, prefix, language)


def discovery_message(
    topics: Topics,
    source: str,
    info: DeviceInfo,
    *,
    prefix: str,
    label: str | None = None,
    suggested_area: str | None = None,
    language: Language = "en",
) -> Message:
    """One source as a device with all its entities.

    Args:
        topics: of the device.
        source: the source's name.
        info: what the device is.
        prefix: of Home Assistant's discovery topics.
        label: the device's name there; None: node and source.
        suggested_area: where Home Assistant puts the device when it is new.
        language: of the names of entities.
    """
    device = {"name": label or f"{topics.node} {source}", "via_device": _device_id(topics, _NODE)}
    if suggested_area is not None:
        device["sa"] = suggested_area
    return _message(topics, source, info, _components(topics, source), device, prefix, language)


def _message(
    topics: Topics,
    source: str,
    info: DeviceInfo,
    components: Mapping[str, Component],
    device: Mapping[str, str],
    prefix: str,
    language: Language,
) -> Message:
    payload = {
        "dev": {
            "ids": [_device_id(topics, source)],
            **device,
            "mf": ORIGIN,
            "mdl": translated("Music detector", language),
            "sw": info.version,
            "hw": info.hardware,
        },
        "o": {"name": ORIGIN, "sw": info.version, "url": SUPPORT_URL},
        "cmps": {
            key: _component(f"{_device_id(topics, source)}_{key}", each, device["name"], language)
            for key, each in components.items()
        },
        # Defaults of the components.
        "avty": [{"t": topics.status}],
        "avty_mode": "all",
        "qos": 1,
    }
    return retained(discovery_topic(topics, source, prefix=prefix), compact_json(payload))


def is_of(topics: Topics, payload: bytes) -> bool:
    """Whether this device made a discovery payload, for a source that it has or once had."""
    try:
        fields = json.loads(payload)
        return bool(fields["o"]["name"] == ORIGIN and fields["avty"][0]["t"] == topics.status)
    except (ValueError, RecursionError, KeyError, IndexError, TypeError):
        return False


def _components(topics: Topics, source: str) -> dict[str, Component]:
    hearing = {"avty": [{"t": topics.status}, {"t": topics.availability(source)}], "avty_mode": "all"}
    # The summary rather than the state: the recorder would keep a row of every value.
    state = {"stat_t": topics.summary(source)}
    telemetry = {"stat_t": topics.telemetry(source), "ent_cat": "diagnostic"}
    command = {**state, "cmd_t": topics.set(source), "ent_cat": "config"}
    score = "{{ none if value_json.score is none else (value_json.score * 100) | round(1) }}"

    return {
        # The plain topic: no template and no other source stands between. No expire_after: the state is retained,
        # and availability says when it does not hold.
        "music": {
            "p": "binary_sensor",
            "name": "Music",
            "stat_t": topics.music(source),
            # No icon: the device class has one for each state.
            "dev_cla": "sound",
            **hearing,
        },
        "score": _sensor(
            "Music score", state, score, unit_of_meas="%", **_measured(0), ic="mdi:percent-outline", **hearing
        ),
        # No device class: `sound_pressure` is dB SPL, which only a calibrated microphone can tell.
        "level": _sensor(
            "Level",
            state,
            _field("level_dbfs"),
            unit_of_meas="dBFS",
            **_measured(0),
            ic="mdi:volume-medium",
            en=False,  # its value is a new one each time
            **hearing,
        ),
        "music_today": _sensor(
            "Music today",
            state,
            _field("music_today_min"),
            dev_cla="duration",
            unit_of_meas="min",
            stat_cla="total_increasing",
            ic="mdi:timer-music",
        ),
        "event": {
            "p": "event",
            "name": "Music event",
            "stat_t": topics.event(source),
            "evt_typ": list(get_args(EventType)),
            "avty": [],
            "ic": "mdi:music-note",
        },
        "paused": {
            "p": "switch",
            "name": "Paused",
            **command,
            "val_tpl": "{{ 'ON' if value_json.paused else 'OFF' }}",
            "stat_on": "ON",
            "stat_off": "OFF",
            "pl_on": '{"paused": true}',
            "pl_off": '{"paused": false}',
            "ic": "mdi:microphone-off",
        },
        "mode": {
            "p": "select",
            "name": "Mode",
            **command,
            "val_tpl": _field("mode"),
            "cmd_tpl": '{"mode": "{{ value }}"}',
            "ops": list(get_args(Mode)),
            "ic": "mdi:tune",
        },
        "reason": _sensor(
            "Reason",
            state,
            _field("reason"),
            dev_cla="enum",
            ops=list(REASONS),
            ent_cat="diagnostic",
            ic="mdi:information-outline",
        ),
        "model": _sensor("Model", state, _field("model"), ent_cat="diagnostic", ic="mdi:brain"),
        "inference": _sensor(
            "Inference time",
            telemetry,
            _field("inference_p50_ms"),
            dev_cla="duration",
            unit_of_meas="ms",
            **_measured(2),
            en=False,
        ),
        "overruns": _sensor(
            "Overruns", telemetry, _field("overruns"), stat_cla="total_increasing", ic="mdi:debug-step-over"
        ),
    }


def _node_components(topics: Topics) -> dict[str, Component]:
    process = {"stat_t": topics.process, "ent_cat": "diagnostic"}

    def diagnostic(name: str, template: str, **more: str | int) -> Component:
        return _sensor(name, process, template, **more)

    return {
        "version": _sensor(
            "Version", {"stat_t": topics.info}, _field("version"), ent_cat="diagnostic", ic="mdi:tag-outline"
        ),
        # Rounded: the recorder keeps each new value.
        "rss": diagnostic(
            "Memory", _rounded_field("rss_mb"), dev_cla="data_size", unit_of_meas="MiB", **_measured(0)
        ),
        "cpu_temperature": diagnostic(
            "CPU temperature",
            _rounded_field("cpu_temperature_c"),
            dev_cla="temperature",
            unit_of_meas="\N{DEGREE SIGN}C",
            **_measured(0),
        ),
        "queued_events": diagnostic(
            "Queued events", _field("queued_events"), stat_cla="measurement", ic="mdi:tray-full"
        ),
        "dropped_events": diagnostic(
            "Dropped events", _field("dropped_events"), stat_cla="total_increasing", ic="mdi:tray-remove"
        ),
    }


def _sensor(name: str, base: Component, template: str, **more: Any) -> Component:
    return {"p": "sensor", "name": name, **base, "val_tpl": template, **more}


def _measured(digits: int) -> dict[str, Any]:
    """A measured number, shown with so many decimals."""
    return {"stat_cla": "measurement", "sug_dsp_prc": digits}


def _component(unique: str, component: Component, device: str, language: Language) -> dict[str, Any]:
    """The component with its unique id, its name in that language, and the entity id that follows from that.

    Home Assistant 2024.11 does not know `default_entity_id` and makes the id of both names by itself: this is the
    same one. Where letters that are not Latin stand in the device's name, every version makes it by itself.
    """
    name = translated(component["name"], language)
    entity = _slug(f"{device} {name}")
    given = {} if entity is None else {"default_entity_id": f"{component['p']}.{entity}"}
    return {**component, "name": name, "unique_id": unique, **given}


def _field(name: str) -> str:
    """A template for one field; null becomes `None`, which Home Assistant takes as unknown."""
    return f"{{{{ value_json.{name} | default(none) }}}}"


def _rounded_field(name: str) -> str:
    return f"{{{{ none if value_json.{name} is none else value_json.{name} | round(0) | int }}}}"


def _device_id(topics: Topics, source: str) -> str:
    return unique_id(topics.base, topics.node, source)


def unique_id(*names: str) -> str:
    """Names as one id of letters, digits, underscores and hyphens; no other names give the same one.

    An underscore only separates names. Within a name, `-` is written `--`, `_` is written `-u`, and `.` is written
    `-d`. Names of letters and digits keep the ids that they had in version 0.1.
    """
    return "_".join(name.translate(_ESCAPES) for name in names)


def _slug(name: str) -> str | None:
    """A name as part of an entity id: lower-case letters without accents, digits and single underscores.

    None where a letter is not Latin.
    """
    plain = "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))
    if not all(each.isascii() or not each.isalnum() for each in plain):
        return None
    words = "".join(each if each.isascii() and each.isalnum() else " " for each in plain.lower())
    return "_".join(words.split()) or None
