"""What Home Assistant is told: the golden payload, and the rules that it publishes for such payloads.

The rules are those of www.home-assistant.io/integrations/mqtt (device discovery, availability, discovery topic)
and of its pages on MQTT binary sensors, sensors, events, switches and selects.
"""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from jinja2 import Environment, StrictUndefined

from device.commands.check import forget
from device.configuration.settings import Config, HomeAssistantConfig, Mode, MqttConfig, SourceConfig
from device.errors import ConfigurationError
from device.publishing.command import Command, parse_command
from device.publishing.discovery import (
    birth_topic,
    discoveries,
    discovery_filter,
    discovery_message,
    discovery_topic,
    forgetting_message,
    is_of,
)
from device.publishing.message import Topics, event_message, state_messages, telemetry_message
from device.publishing.payloads import DeviceInfo, EventReport, EventType, StateReport, Telemetry

GOLDEN = Path(__file__).parent / "golden" / "discovery.json"

TOPICS = Topics("oido", "attic")
INFO = DeviceInfo(
    version="1.0.0", model="logistic", model_sha256="a" * 64, hardware="Raspberry Pi 4", python="3.13.0"
)
PAYLOAD: dict[str, Any] = json.loads(discovery_message(TOPICS, "mic", INFO, prefix="homeassistant").payload)
COMPONENTS: dict[str, dict[str, Any]] = PAYLOAD["cmps"]

HEARING = {"music", "score", "level"}
"""Components that mean nothing while the source cannot hear."""

# homeassistant/components/mqtt/abbreviations.py, as far as we use it.
ROOT_KEYS = {"dev", "o", "cmps", "avty", "avty_mode", "qos"}
DEVICE_KEYS = {"ids", "name", "mf", "mdl", "sw", "hw"}
COMMON_KEYS = {"p", "name", "unique_id", "default_entity_id", "avty", "avty_mode", "ent_cat", "ic", "stat_t"}
PLATFORM_KEYS = {
    "binary_sensor": {"dev_cla"},
    "sensor": {"val_tpl", "unit_of_meas", "dev_cla", "stat_cla", "sug_dsp_prc"},
    "event": {"evt_typ"},
    "switch": {"cmd_t", "val_tpl", "stat_on", "stat_off", "pl_on", "pl_off"},
    "select": {"cmd_t", "cmd_tpl", "val_tpl", "ops"},
}
# Units that Home Assistant allows for a device class of a sensor.
UNITS = {
    "duration": {"d", "h", "min", "s", "ms"},
    "data_size": {"B", "kB", "MB", "MiB"},
    "temperature": {"\u00b0C"},
}


def state(**changes: Any) -> str:
    """A state payload, as it is published."""
    fields: dict[str, Any] = {
        "music": "ON",
        "score": 0.87649,
        "since": 0.0,
        "updated": 1.0,
        "level_dbfs": -20.04,
        "model": "logistic",
        "mode": "recall",
        "paused": False,
        "reason": "music",
    }
    messages = state_messages(TOPICS, "mic", StateReport(**fields | changes))
    return next(each.payload for each in messages if each.topic == TOPICS.state("mic"))


DEAF = state(music=None, score=None, level_dbfs=None, paused=True, reason="paused")
TELEMETRY = Telemetry(
    level_dbfs=-20.0,
    clipping=0.0,
    inference_p50_ms=1.25,
    inference_p95_ms=2.0,
    overruns=3,
    rss_mb=60.0,
    cpu_temperature_c=51.5,
    uptime_s=1.0,
    queued_events=4,
    dropped_events=5,
)


def rendered(template: str, payload: str) -> str:
    """What Home Assistant makes of a payload: its environment, where a missing value is an error here."""
    compiled = Environment(undefined=StrictUndefined, autoescape=True).from_string(template)
    return compiled.render(value=payload, value_json=json.loads(payload))


def shown(key: str, payload: str) -> str:
    """What a component shows of a payload of its topic."""
    return rendered(COMPONENTS[key]["val_tpl"], payload)


def test_the_payload_is_the_golden_one() -> None:
    """Entities that people have built upon change only on purpose: regenerate the file and read the difference."""
    assert json.loads(GOLDEN.read_text(encoding="utf-8")) == PAYLOAD


def test_it_is_retained_at_the_devices_topic() -> None:
    """A Home Assistant that starts later finds it."""
    message = discovery_message(TOPICS, "mic", INFO, prefix="homeassistant")
    assert (message.topic, message.qos, message.retain) == ("homeassistant/device/attic_mic/config", 1, True)
    assert message.coalesce
    assert discovery_message(TOPICS, "mic", INFO, prefix="ha").topic == "ha/device/attic_mic/config"


@pytest.mark.parametrize(("node", "source"), [("attic", "mic"), ("Pi-4_b", "cam.1"), ("a.b.c", "x" * 64)])
def test_every_topic_is_one_that_home_assistant_reads(node: str, source: str) -> None:
    """Its pattern for ids allows letters, digits, underscores and hyphens; names of ours may hold dots too."""
    topic = discovery_topic(Topics("oido", node), source, prefix="homeassistant")
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", topic)


def test_names_that_differ_by_a_dot_stay_apart() -> None:
    """Neither overwrites the other."""
    names = ("cam.1", "cam-1", "cam_1")
    assert len({discovery_topic(TOPICS, name, prefix="homeassistant") for name in names}) == 3


def test_device_and_origin_are_there() -> None:
    """Mandatory: a device with an identifier, and the name of where this comes from."""
    assert PAYLOAD["dev"]["ids"]
    assert PAYLOAD["dev"]["name"] == "attic mic"
    assert PAYLOAD["o"]["name"] == "oido"
    assert PAYLOAD["dev"]["sw"] == PAYLOAD["o"]["sw"] == INFO.version


def test_only_keys_that_home_assistant_knows() -> None:
    """A misspelt one would be dropped without a word."""
    assert set(PAYLOAD) <= ROOT_KEYS
    assert set(PAYLOAD["dev"]) <= DEVICE_KEYS
    assert set(PAYLOAD["o"]) <= {"name", "sw", "url"}
    for component in COMPONENTS.values():
        assert set(component) <= COMMON_KEYS | PLATFORM_KEYS[component["p"]]


def test_every_component_has_its_platform_and_a_unique_id() -> None:
    """Mandatory, and unique over devices too."""
    ids = [component["unique_id"] for component in COMPONENTS.values()]
    assert len(set(ids)) == len(COMPONENTS)
    assert all(unique_id.startswith("oido_attic_mic_") for unique_id in ids)
    assert {component["p"] for component in COMPONENTS.values()} == set(PLATFORM_KEYS)


def test_entity_ids_say_where_they_are_from() -> None:
    """`default_entity_id`, with the platform in front, as a slug; `object_id` is deprecated."""
    for component in COMPONENTS.values():
        assert re.fullmatch(component["p"] + r"\.attic_mic_[a-z0-9_]+", component["default_entity_id"])
        assert not {"object_id", "obj_id"} & set(component)
    odd = json.loads(discovery_message(Topics("oido", "Pi-4"), "Cam.1", INFO, prefix="homeassistant").payload)
    assert odd["cmps"]["music"]["default_entity_id"] == "binary_sensor.pi_4_cam_1_music"


def test_what_hears_needs_the_device_and_the_source() -> None:
    """Unavailable as soon as one of the two is."""
    both = [{"t": TOPICS.status}, {"t": TOPICS.availability("mic")}]
    for key in HEARING:
        assert (COMPONENTS[key]["avty"], COMPONENTS[key]["avty_mode"]) == (both, "all")


def test_all_else_needs_only_the_device() -> None:
    """The switch that ends a pause, the diagnostics of a lost microphone, the stop that its loss causes."""
    assert PAYLOAD["avty"] == [{"t": TOPICS.status}]
    for key in set(COMPONENTS) - HEARING:
        assert "avty" not in COMPONENTS[key]


def test_every_topic_is_one_of_the_contract() -> None:
    """Each component reads where the device speaks, and commands go where it listens."""
    assert COMPONENTS["music"]["stat_t"] == TOPICS.music("mic")
    assert COMPONENTS["event"]["stat_t"] == TOPICS.event("mic")
    read = {component["stat_t"] for component in COMPONENTS.values()}
    assert read == {TOPICS.music("mic"), TOPICS.event("mic"), TOPICS.state("mic"), TOPICS.telemetry("mic")}
    assert {COMPONENTS[key]["cmd_t"] for key in ("paused", "mode")} == {TOPICS.set("mic")}
    assert PAYLOAD["qos"] == 1


def test_nothing_retained_expires() -> None:
    """Home Assistant would take a retained state for fresh after its restart."""
    assert not any({"exp_aft", "expire_after"} & set(component) for component in COMPONENTS.values())


def test_device_classes_have_their_units() -> None:
    """The level has none: `sound_pressure` would be dB SPL, not dBFS."""
    assert "dev_cla" not in COMPONENTS["level"]
    for component in COMPONENTS.values():
        if component["p"] == "sensor" and "dev_cla" in component:
            assert component["unit_of_meas"] in UNITS[component["dev_cla"]]


def test_measurements_are_numbers_and_words_are_not() -> None:
    """A state class makes Home Assistant expect a number; without unit and class it shows text."""
    full = telemetry_message(TOPICS, "mic", TELEMETRY).payload
    for key, component in COMPONENTS.items():
        if component["p"] == "sensor":
            payload = full if component["stat_t"] == TOPICS.telemetry("mic") else state()
            number = re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", shown(key, payload))
            assert bool(number) == ("stat_cla" in component)


def test_diagnostics_and_settings_are_filed_as_such() -> None:
    """A read-only component must not be `config`, one with commands not `diagnostic`."""
    for key, component in COMPONENTS.items():
        expected = "config" if "cmd_t" in component else None if key in HEARING | {"event"} else "diagnostic"
        assert component.get("ent_cat") == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("score", "87.6"),
        ("level", "-20.0"),
        ("paused", "OFF"),
        ("mode", "recall"),
        ("reason", "music"),
        ("model", "logistic"),
    ],
)
def test_the_state_is_shown(key: str, expected: str) -> None:
    """Each template against a payload as it is published."""
    assert shown(key, state()) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("score", "None"),
        ("level", "None"),
        ("paused", "ON"),
        ("mode", "recall"),
        ("reason", "paused"),
        ("model", "logistic"),
    ],
)
def test_nulls_are_shown_as_unknown(key: str, expected: str) -> None:
    """`None` is what Home Assistant takes for unknown; an error or an empty text would leave the old value."""
    assert shown(key, DEAF) == expected


def test_a_score_of_nothing_is_zero_and_not_unknown() -> None:
    """0 is as false as null, but it is a score."""
    assert shown("score", state(score=0.0)) == "0.0"


@pytest.mark.parametrize(
    ("key", "field", "expected"),
    [
        ("inference", "inference_p50_ms", "1.25"),
        ("overruns", None, "3"),
        ("rss", None, "60.0"),
        ("cpu_temperature", "cpu_temperature_c", "51.5"),
        ("queued_events", None, "4"),
        ("dropped_events", None, "5"),
    ],
)
def test_telemetry_is_shown(key: str, field: str | None, expected: str) -> None:
    """Its value, and unknown where a device cannot tell."""
    payload = telemetry_message(TOPICS, "mic", TELEMETRY).payload
    assert shown(key, payload) == expected
    if field is not None:
        assert shown(key, json.dumps(json.loads(payload) | {field: None})) == "None"


def test_every_state_of_the_switch_is_one_that_it_knows() -> None:
    """And its commands are ones that the device obeys."""
    switch = COMPONENTS["paused"]
    assert {shown("paused", state()), shown("paused", DEAF)} == {switch["stat_on"], switch["stat_off"]}
    assert parse_command(switch["pl_on"].encode()) == Command(paused=True)
    assert parse_command(switch["pl_off"].encode()) == Command(paused=False)


@pytest.mark.parametrize("mode", get_args(Mode))
def test_every_mode_can_be_selected(mode: Mode) -> None:
    """Offered, sent as a command that the device obeys, and shown."""
    select = COMPONENTS["mode"]
    assert mode in select["ops"]
    compiled = Environment(undefined=StrictUndefined, autoescape=True).from_string(select["cmd_tpl"])
    assert parse_command(compiled.render(value=mode).encode()) == Command(mode=mode)
    assert shown("mode", state(mode=mode)) == mode


@pytest.mark.parametrize("kind", get_args(EventType))
def test_every_event_is_of_a_type_that_was_announced(kind: EventType) -> None:
    """Home Assistant refuses others; the type stands under `event_type`, and it is not retained."""
    stopped = kind == "music_stopped"
    report = EventReport(
        event_type=kind,
        id="1",
        started=0.0,
        ended=2.0 if stopped else None,
        duration_s=2.0 if stopped else None,
        peak=1.0,
        mean=1.0,
        node=TOPICS.node,
        source="mic",
        model="m",
    )
    message = event_message(TOPICS.event("mic"), report)
    assert json.loads(message.payload)["event_type"] in COMPONENTS["event"]["evt_typ"]
    assert not message.retain


def config(**homeassistant: Any) -> Config:
    """A microphone, a radio and a tape, with a broker."""
    sources = (
        SourceConfig(name="mic"),
        SourceConfig(name="radio", kind="stream", url="x"),
        SourceConfig(name="tape", kind="file", path="x"),
    )
    return Config(source=sources, mqtt=MqttConfig(host="h"), homeassistant=HomeAssistantConfig(**homeassistant))


def test_every_live_source_is_a_device() -> None:
    """A recording ends, and would stay behind as a dead device."""
    topics = [message.topic for message in discoveries(config(), INFO)]
    assert topics == ["homeassistant/device/oido_mic/config", "homeassistant/device/oido_radio/config"]


def test_nobody_is_told_without_a_broker_or_where_it_is_switched_off() -> None:
    """Standard output has no Home Assistant behind it."""
    assert discoveries(config(enabled=False), INFO) == ()
    assert discoveries(Config(), INFO) == ()


def test_our_payloads_are_known_again() -> None:
    """Those of this device, for whatever source; not another device's, and not somebody else's."""
    ours = discovery_message(TOPICS, "renamed", INFO, prefix="homeassistant").payload.encode()
    assert is_of(TOPICS, ours)
    assert not is_of(Topics("oido", "attic_2"), ours)
    assert not is_of(TOPICS, ours.replace(b'"o":{"name":"oido"', b'"o":{"name":"else"'))


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"{}", b'{"o":1,"avty":[]}', b'{"o":{"name":"oido"}}'])
def test_anything_else_is_not_ours(payload: bytes) -> None:
    """Whatever others have retained there."""
    assert not is_of(TOPICS, payload)


def test_forgetting_empties_the_topic() -> None:
    """A retained message without a payload."""
    message = forgetting_message("homeassistant/device/attic_mic/config")
    assert (message.payload, message.retain) == ("", True)


def test_the_birth_topic_stands_under_the_prefix() -> None:
    """Where Home Assistant leaves it."""
    assert birth_topic("homeassistant") == "homeassistant/status"
    assert discovery_filter("homeassistant") == "homeassistant/device/+/config"


def test_forgetting_without_a_broker_is_wrong_use() -> None:
    """There is nothing to forget anything at."""
    with pytest.raises(ConfigurationError, match="host is not set"):
        list(forget(Config()))
