"""What Home Assistant needs to know to show a source as a device, without any configuration there. Pure.

The payload follows its device discovery (www.home-assistant.io/integrations/mqtt/#device-discovery-payload): the
device (`dev`), where this comes from (`o`), and components (`cmps`), each with its platform (`p`) and `unique_id`.

Who is available when:

- music, score and level: while the device is there *and* the source can hear;
- all else: while the device is there. A source that is paused or lost is exactly when its switch, its diagnostics
  and the reason are looked at, and the stop that its loss causes must reach automations, which an event entity
  that is unavailable would keep from them.
"""

import json
from collections.abc import Mapping
from typing import Any, get_args

from device.configuration.settings import Config, Mode
from device.publishing.message import Message, Topics
from device.publishing.payloads import DeviceInfo, EventType

ORIGIN = "oido"
"""The `name` under `o`, by which our own retained payloads are known again."""

Component = Mapping[str, Any]


def birth_topic(prefix: str) -> str:
    """Where Home Assistant says `online` once it has started."""
    return f"{prefix}/status"


def discovery_topic(topics: Topics, source: str, *, prefix: str) -> str:
    """Where the payload is retained; one for each source."""
    return f"{prefix}/device/{_id_part(topics.node)}_{_id_part(source)}/config"


def discovery_filter(prefix: str) -> str:
    """Every device's discovery topic, for a subscription."""
    return f"{prefix}/device/+/config"


def discoveries(config: Config, info: DeviceInfo) -> tuple[Message, ...]:
    """What Home Assistant is told with this configuration: nothing without a broker, or where it is switched off.

    Recordings are left out: one ends, and its device would stay behind, unavailable for ever.
    """
    if not (config.mqtt.host and config.homeassistant.enabled):
        return ()
    topics = Topics(config.mqtt.base_topic, config.node.name)
    prefix = config.homeassistant.discovery_prefix
    return tuple(
        discovery_message(topics, source.name, info, prefix=prefix)
        for source in config.source
        if source.kind != "file"
    )


def discovery_message(topics: Topics, source: str, info: DeviceInfo, *, prefix: str) -> Message:
    """One source as a device with all its entities, retained."""
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
        # What the components share; each may say otherwise.
        "avty": [{"t": topics.status}],
        "avty_mode": "all",
        "qos": 1,
    }
    text = json.dumps(payload, separators=(",", ":"), ensure_ascii=True)
    return Message(discovery_topic(topics, source, prefix=prefix), text, qos=1, retain=True, coalesce=True)


def forgetting_message(topic: str) -> Message:
    """Empties a retained topic: Home Assistant removes the device, and the broker the message."""
    return Message(topic, "", qos=1, retain=True, coalesce=True)


def is_of(topics: Topics, payload: bytes) -> bool:
    """Whether a discovery payload is one that this device made, for a source it has or once had."""
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
    return {
        # The plain topic, so that no template and no other source stands between. No expire_after: the state is
        # retained, and availability says when it does not hold.
        "music": {
            "p": "binary_sensor",
            "name": "Music",
            "stat_t": topics.music(source),
            "dev_cla": "sound",
            "ic": "mdi:music",
            **hearing,
        },
        "score": {
            "p": "sensor",
            "name": "Music score",
            **state,
            "val_tpl": "{{ none if value_json.score is none else (value_json.score * 100) | round(1) }}",
            "unit_of_meas": "%",
            "stat_cla": "measurement",
            "sug_dsp_prc": 0,
            "ic": "mdi:percent-outline",
            **hearing,
        },
        # No device class: `sound_pressure` is dB SPL, of which a microphone without calibration knows nothing.
        "level": {
            "p": "sensor",
            "name": "Level",
            **state,
            "val_tpl": _field("level_dbfs"),
            "unit_of_meas": "dBFS",
            "stat_cla": "measurement",
            "sug_dsp_prc": 0,
            "ic": "mdi:volume-medium",
            **hearing,
        },
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
        "reason": {
            "p": "sensor",
            "name": "Reason",
            **state,
            "val_tpl": _field("reason"),
            "ent_cat": "diagnostic",
            "ic": "mdi:information-outline",
        },
        "model": {
            "p": "sensor",
            "name": "Model",
            **state,
            "val_tpl": _field("model"),
            "ent_cat": "diagnostic",
            "ic": "mdi:brain",
        },
        "inference": {
            "p": "sensor",
            "name": "Inference time",
            **telemetry,
            "val_tpl": _field("inference_p50_ms"),
            "dev_cla": "duration",
            "unit_of_meas": "ms",
            "stat_cla": "measurement",
            "sug_dsp_prc": 2,
        },
        "overruns": {
            "p": "sensor",
            "name": "Overruns",
            **telemetry,
            "val_tpl": _field("overruns"),
            "stat_cla": "total_increasing",
            "ic": "mdi:debug-step-over",
        },
        "rss": {
            "p": "sensor",
            "name": "Memory",
            **telemetry,
            "val_tpl": _field("rss_mb"),
            "dev_cla": "data_size",
            "unit_of_meas": "MiB",
            "stat_cla": "measurement",
            "sug_dsp_prc": 1,
        },
        "cpu_temperature": {
            "p": "sensor",
            "name": "CPU temperature",
            **telemetry,
            "val_tpl": _field("cpu_temperature_c"),
            "dev_cla": "temperature",
            "unit_of_meas": "\N{DEGREE SIGN}C",
            "stat_cla": "measurement",
            "sug_dsp_prc": 1,
        },
        "queued_events": {
            "p": "sensor",
            "name": "Queued events",
            **telemetry,
            "val_tpl": _field("queued_events"),
            "stat_cla": "measurement",
            "ic": "mdi:tray-full",
        },
        "dropped_events": {
            "p": "sensor",
            "name": "Dropped events",
            **telemetry,
            "val_tpl": _field("dropped_events"),
            "stat_cla": "total_increasing",
            "ic": "mdi:tray-remove",
        },
    }


def _component(topics: Topics, source: str, key: str, component: Component) -> dict[str, Any]:
    """The component with what makes it known again, and with an entity id that says where it is from."""
    entity = "_".join(_slug(part) for part in (topics.node, source, key))
    return {
        **component,
        "unique_id": f"{_unique(topics, source)}_{key}",
        "default_entity_id": f"{component['p']}.{entity}",
    }


def _field(name: str) -> str:
    """A template of one field; null gives `None`, which Home Assistant takes as unknown."""
    return f"{{{{ value_json.{name} | default(none) }}}}"


def _unique(topics: Topics, source: str) -> str:
    return f"{topics.base}_{_id_part(topics.node)}_{_id_part(source)}"


def _id_part(name: str) -> str:
    """A name as an id in a discovery topic may have it, where a dot is not allowed."""
    return name.replace(".", "_dot_")


def _slug(name: str) -> str:
    """A name as part of an entity id: lower-case letters, digits and underscores."""
    return "".join(character if character.isalnum() else "_" for character in name.lower())
