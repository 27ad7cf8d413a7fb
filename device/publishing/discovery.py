"""Home Assistant's device discovery: each source is shown as a device, without configuration there. Pure.

The payload (www.home-assistant.io/integrations/mqtt/#device-discovery-payload) holds the device (`dev`), its
origin (`o`), and components (`cmps`), each with its platform (`p`) and `unique_id`.

When an entity is available:

- music, score and level: while the device is online *and* the source can hear;
- all others: while the device is online. When a source is paused or lost, people look at its switch, its
  diagnostics and the reason. And if the event entity were unavailable then, automations would miss the stop.
"""

import json
from collections.abc import Mapping
from typing import Any, get_args

from device.configuration.settings import Config, Mode
from device.publishing.message import Message, Topics, compact_json, retained
from device.publishing.payloads import DeviceInfo, EventType

ORIGIN = "oido"
"""The `name` under `o`, by which our own retained payloads are recognised."""

Component = Mapping[str, Any]


def birth_topic(prefix: str) -> str:
    """Where Home Assistant publishes `online` when it has started."""
    return f"{prefix}/status"


def discovery_topic(topics: Topics, source: str, *, prefix: str) -> str:
    """Where the payload of a source is retained."""
    return f"{prefix}/device/{_id_part(topics.node)}_{_id_part(source)}/config"


def discovery_filter(prefix: str) -> str:
    """Every device's discovery topic, for a subscription."""
    return f"{prefix}/device/+/config"


def discoveries(config: Config, info: DeviceInfo) -> tuple[Message, ...]:
    """The discovery messages of this configuration: none without a broker, or where discovery is switched off.

    A recording has none: it ends, and its device would stay behind, unavailable for ever.
    """
    if not (config.mqtt.host and config.homeassistant.enabled):
        return ()
    topics = Topics.of(config)
    prefix = config.homeassistant.discovery_prefix
    return tuple(
        discovery_message(topics, source.name, info, prefix=prefix)
        for source in config.source
        if source.kind != "file"
    )


def discovery_message(topics: Topics, source: str, info: DeviceInfo, *, prefix: str) -> Message:
    """One source as a device with all its entities."""
    payload = {
        "dev": {
            "ids": [_unique(topics, source)],
            "name": f"{topics.node} {source}",
            "mf": ORIGIN,
            "mdl": "Music detector",
            "sw": info.version,
            "hw": info.hardware,
        },
        "o": {"name": ORIGIN, "sw": info.version},
        "cmps": {key: _component(topics, source, key, each) for key, each in _components(topics, source).items()},
        # Defaults of the components.
        "avty": [{"t": topics.status}],
        "avty_mode": "all",
        "qos": 1,
    }
    return retained(discovery_topic(topics, source, prefix=prefix), compact_json(payload))


def forgetting_message(topic: str) -> Message:
    """Empties a retained topic: Home Assistant removes the device, and the broker drops the message."""
    return retained(topic, "")


def is_of(topics: Topics, payload: bytes) -> bool:
    """Whether this device made a discovery payload, for a source that it has or once had."""
    try:
        fields = json.loads(payload)
        return bool(fields["o"]["name"] == ORIGIN and fields["avty"][0]["t"] == topics.status)
    except (ValueError, RecursionError, KeyError, IndexError, TypeError):
        return False


def _components(topics: Topics, source: str) -> dict[str, Component]:
    hearing = {"avty": [{"t": topics.status}, {"t": topics.availability(source)}], "avty_mode": "all"}
    state = {"stat_t": topics.state(source)}
    telemetry = {"stat_t": topics.telemetry(source), "ent_cat": "diagnostic"}
    command = {**state, "cmd_t": topics.set(source), "ent_cat": "config"}
    score = "{{ none if value_json.score is none else (value_json.score * 100) | round(1) }}"

    def diagnostic(name: str, field: str, **more: str | int) -> Component:
        return _sensor(name, telemetry, _field(field), **more)

    return {
        # The plain topic: no template and no other source stands between. No expire_after: the state is retained,
        # and availability says when it does not hold.
        "music": {
            "p": "binary_sensor",
            "name": "Music",
            "stat_t": topics.music(source),
            "dev_cla": "sound",
            "ic": "mdi:music",
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
            **hearing,
        ),
        "event": {
            "p": "event",
            "name": "Music event",
            "stat_t": topics.event(source),
            "evt_typ": list(get_args(EventType)),
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
        "reason": _sensor("Reason", state, _field("reason"), ent_cat="diagnostic", ic="mdi:information-outline"),
        "model": _sensor("Model", state, _field("model"), ent_cat="diagnostic", ic="mdi:brain"),
        "inference": diagnostic(
            "Inference time", "inference_p50_ms", dev_cla="duration", unit_of_meas="ms", **_measured(2)
        ),
        "overruns": diagnostic("Overruns", "overruns", stat_cla="total_increasing", ic="mdi:debug-step-over"),
        "rss": diagnostic("Memory", "rss_mb", dev_cla="data_size", unit_of_meas="MiB", **_measured(1)),
        "cpu_temperature": diagnostic(
            "CPU temperature",
            "cpu_temperature_c",
            dev_cla="temperature",
            unit_of_meas="\N{DEGREE SIGN}C",
            **_measured(1),
        ),
        "queued_events": diagnostic("Queued events", "queued_events", stat_cla="measurement", ic="mdi:tray-full"),
        "dropped_events": diagnostic(
            "Dropped events", "dropped_events", stat_cla="total_increasing", ic="mdi:tray-remove"
        ),
    }


def _sensor(name: str, base: Component, template: str, **more: Any) -> Component:
    return {"p": "sensor", "name": name, **base, "val_tpl": template, **more}


def _measured(digits: int) -> dict[str, Any]:
    """A measured number, shown with so many decimals."""
    return {"stat_cla": "measurement", "sug_dsp_prc": digits}


def _component(topics: Topics, source: str, key: str, component: Component) -> dict[str, Any]:
    """The component with its unique id, and with an entity id that names node and source."""
    entity = "_".join(_slug(part) for part in (topics.node, source, key))
    return {
        **component,
        "unique_id": f"{_unique(topics, source)}_{key}",
        "default_entity_id": f"{component['p']}.{entity}",
    }


def _field(name: str) -> str:
    """A template for one field; null becomes `None`, which Home Assistant takes as unknown."""
    return f"{{{{ value_json.{name} | default(none) }}}}"


def _unique(topics: Topics, source: str) -> str:
    return f"{topics.base}_{_id_part(topics.node)}_{_id_part(source)}"


def _id_part(name: str) -> str:
    """A name as part of an id in a discovery topic, where dots are not allowed."""
    return name.replace(".", "_dot_")


def _slug(name: str) -> str:
    """A name as part of an entity id: lower-case letters, digits and underscores."""
    return "".join(character if character.isalnum() else "_" for character in name.lower())
