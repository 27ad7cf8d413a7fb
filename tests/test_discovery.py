"""What Home Assistant is told: the golden payload, and the rules that it publishes for such payloads.

The rules are those of www.home-assistant.io/integrations/mqtt (device discovery, availability, discovery topic)
and of its pages on MQTT binary sensors, sensors, events, switches and selects.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
from jinja2 import Environment, StrictUndefined

from device.commands.check import forget
from device.configuration.settings import Config, HomeAssistantConfig, Language, Mode, MqttConfig, SourceConfig
from device.errors import ConfigurationError
from device.pipeline import Condition
from device.publishing import reporter
from device.publishing.command import Command, parse_command
from device.publishing.discovery import (
    REASONS,
    SUPPORT_URL,
    birth_topic,
    discoveries,
    discovery_filter,
    discovery_message,
    discovery_topic,
    is_of,
    node_discovery_message,
)
from device.publishing.message import (
    Topics,
    event_message,
    info_message,
    process_message,
    state_messages,
    telemetry_message,
)
from device.publishing.payloads import DeviceInfo, EventReport, EventType, ProcessReport, StateReport, Telemetry

GOLDEN = Path(__file__).parent / "golden" / "discovery.json"

TOPICS = Topics("oido", "attic")
INFO = DeviceInfo(
    version="1.0.0", model="logistic", model_sha256="a" * 64, hardware="Raspberry Pi 4", python="3.13.0"
)
PAYLOAD: dict[str, Any] = json.loads(discovery_message(TOPICS, "mic", INFO, prefix="homeassistant").payload)
COMPONENTS: dict[str, dict[str, Any]] = PAYLOAD["cmps"]
NODE: dict[str, Any] = json.loads(node_discovery_message(TOPICS, INFO, prefix="homeassistant").payload)
NODE_COMPONENTS: dict[str, dict[str, Any]] = NODE["cmps"]

HEARING = {"music", "score", "level"}
"""Components that mean nothing while the source cannot hear."""

SEEN = HEARING | {"event", "music_today"}
"""Components that are neither diagnostics nor settings."""

# homeassistant/components/mqtt/abbreviations.py, as far as we use it.
ROOT_KEYS = {"dev", "o", "cmps", "avty", "avty_mode", "qos"}
DEVICE_KEYS = {"ids", "name", "mf", "mdl", "sw", "hw", "sa", "via_device"}
COMMON_KEYS = {"p", "name", "unique_id", "default_entity_id", "avty", "avty_mode", "ent_cat", "en", "ic", "stat_t"}
PLATFORM_KEYS = {
    "binary_sensor": {"dev_cla"},
    "sensor": {"val_tpl", "unit_of_meas", "dev_cla", "stat_cla", "sug_dsp_prc", "ops"},
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
    messages = state_messages(TOPICS, "mic", StateReport(**fields | changes), music_today_min=7)
    return next(each.payload for each in messages if each.topic == TOPICS.summary("mic"))


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
PROCESS = ProcessReport(rss_mb=60.4, cpu_temperature_c=51.5, uptime_s=1.0, queued_events=4, dropped_events=5)


def rendered(template: str, payload: str) -> str:
    """What Home Assistant makes of a payload: its environment, where a missing value is an error here."""
    compiled = Environment(undefined=StrictUndefined, autoescape=True).from_string(template)
    return compiled.render(value=payload, value_json=json.loads(payload))


def shown(key: str, payload: str, components: Mapping[str, Mapping[str, Any]] = COMPONENTS) -> str:
    """What a component shows of a payload of its topic."""
    return rendered(components[key]["val_tpl"], payload)


def test_the_payload_is_the_golden_one() -> None:
    """Entities that people have built upon change only on purpose: regenerate the file and read the difference."""
    assert json.loads(GOLDEN.read_text(encoding="utf-8")) == {"source": PAYLOAD, "node": NODE}


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
    for payload in (PAYLOAD, NODE):
        assert set(payload) <= ROOT_KEYS
        assert set(payload["dev"]) <= DEVICE_KEYS
        assert set(payload["o"]) <= {"name", "sw", "url"}
        for component in payload["cmps"].values():
            assert set(component) <= COMMON_KEYS | PLATFORM_KEYS[component["p"]]


def test_every_component_has_its_platform_and_a_unique_id() -> None:
    """Mandatory, and unique over devices too."""
    ids = [component["unique_id"] for component in (*COMPONENTS.values(), *NODE_COMPONENTS.values())]
    assert len(set(ids)) == len(COMPONENTS) + len(NODE_COMPONENTS)
    assert all(unique_id.startswith(("oido_attic_mic_", "oido_attic__")) for unique_id in ids)
    assert {component["p"] for component in COMPONENTS.values()} == set(PLATFORM_KEYS)


def test_entity_ids_say_where_they_are_from() -> None:
    """`default_entity_id`, with the platform in front, as a slug; `object_id` is deprecated."""
    for component in COMPONENTS.values():
        assert re.fullmatch(component["p"] + r"\.attic_mic_[a-z0-9_]+", component["default_entity_id"])
        assert not {"object_id", "obj_id"} & set(component)
    odd = json.loads(discovery_message(Topics("oido", "Pi-4"), "Cam.1", INFO, prefix="homeassistant").payload)
    assert odd["cmps"]["music"]["default_entity_id"] == "binary_sensor.pi_4_cam_1_music"


@pytest.mark.parametrize(("label", "language"), [(None, "en"), ("Kitchen radio", "en"), ("Salón, radio", "es")])
def test_entity_ids_are_those_that_an_older_home_assistant_makes_by_itself(
    label: str | None, language: Language
) -> None:
    """2024.11 ignores `default_entity_id` and joins the names of device and entity, as lower-case words."""
    message = discovery_message(TOPICS, "mic", INFO, prefix="ha", label=label, language=language)
    payload = json.loads(message.payload)
    accents = str.maketrans("áéíóú", "aeiou")
    for component in payload["cmps"].values():
        words = f"{payload['dev']['name']} {component['name']}".lower().translate(accents)
        expected = "_".join(re.findall("[a-z0-9]+", words))
        assert component["default_entity_id"] == f"{component['p']}.{expected}"


def test_a_label_in_other_letters_leaves_the_ids_to_home_assistant() -> None:
    """It writes them in Latin letters; every version does that."""
    payload = json.loads(discovery_message(TOPICS, "mic", INFO, prefix="ha", label="Кухня").payload)
    assert payload["dev"]["name"] == "Кухня"
    assert not any("default_entity_id" in component for component in payload["cmps"].values())


def test_label_and_area_are_those_of_the_configuration() -> None:
    """Free text, for the device alone."""
    payload = json.loads(
        discovery_message(
            TOPICS, "mic", INFO, prefix="ha", label="Kitchen radio", suggested_area="Kitchen"
        ).payload
    )
    assert (payload["dev"]["name"], payload["dev"]["sa"]) == ("Kitchen radio", "Kitchen")
    assert "sa" not in PAYLOAD["dev"]


def test_names_are_spanish_where_that_is_wanted() -> None:
    """Each of them; ids and templates are the same."""
    for make, english in ((partial(discovery_message, source="mic"), PAYLOAD), (node_discovery_message, NODE)):
        spanish = json.loads(make(topics=TOPICS, info=INFO, prefix="homeassistant", language="es").payload)
        for key, component in spanish["cmps"].items():
            assert component["unique_id"] == english["cmps"][key]["unique_id"]
            assert component["name"] != english["cmps"][key]["name"]
    assert spanish["cmps"]["rss"]["name"] == "Memoria"


def test_sources_are_connected_through_the_node() -> None:
    """Its device has what is the same for all sources: version, memory, temperature, waiting events."""
    assert NODE["dev"]["ids"] == [PAYLOAD["dev"]["via_device"]]
    assert set(NODE_COMPONENTS) == {"version", "rss", "cpu_temperature", "queued_events", "dropped_events"}
    assert not set(NODE_COMPONENTS) & set(COMPONENTS)


def test_the_origin_says_where_to_find_support() -> None:
    """An address that Home Assistant takes."""
    assert PAYLOAD["o"]["url"] == NODE["o"]["url"] == SUPPORT_URL
    assert SUPPORT_URL.startswith("https://")


def test_music_has_the_icons_of_its_class() -> None:
    """One of our own would be the same for on and off."""
    assert "ic" not in COMPONENTS["music"]


def test_what_is_new_each_time_is_not_recorded_unless_wanted() -> None:
    """The level and the time of an inference are never the same twice."""
    assert {key for key, component in COMPONENTS.items() if component.get("en") is False} == {"level", "inference"}


def test_what_hears_needs_the_device_and_the_source() -> None:
    """Unavailable as soon as one of the two is."""
    both = [{"t": TOPICS.status}, {"t": TOPICS.availability("mic")}]
    for key in HEARING:
        assert (COMPONENTS[key]["avty"], COMPONENTS[key]["avty_mode"]) == (both, "all")


def test_all_else_needs_only_the_device() -> None:
    """The switch that ends a pause, the diagnostics of a lost microphone."""
    assert PAYLOAD["avty"] == NODE["avty"] == [{"t": TOPICS.status}]
    for key in set(COMPONENTS) - HEARING - {"event"}:
        assert "avty" not in COMPONENTS[key]


def test_the_event_is_always_available() -> None:
    """Its state is a time: back from `unavailable`, it would look like a new event to an automation."""
    assert COMPONENTS["event"]["avty"] == []


def test_every_topic_is_one_of_the_contract() -> None:
    """Each component reads where the device speaks, and commands go where it listens."""
    assert COMPONENTS["music"]["stat_t"] == TOPICS.music("mic")
    assert COMPONENTS["event"]["stat_t"] == TOPICS.event("mic")
    read = {component["stat_t"] for component in COMPONENTS.values()}
    assert read == {TOPICS.music("mic"), TOPICS.event("mic"), TOPICS.summary("mic"), TOPICS.telemetry("mic")}
    assert {component["stat_t"] for component in NODE_COMPONENTS.values()} == {TOPICS.info, TOPICS.process}
    assert {COMPONENTS[key]["cmd_t"] for key in ("paused", "mode")} == {TOPICS.set("mic")}
    assert PAYLOAD["qos"] == 1


def test_nothing_retained_expires() -> None:
    """Home Assistant would take a retained state for fresh after its restart."""
    assert not any({"exp_aft", "expire_after"} & set(component) for component in COMPONENTS.values())


def test_device_classes_have_their_units() -> None:
    """The level has none: `sound_pressure` would be dB SPL, not dBFS."""
    assert "dev_cla" not in COMPONENTS["level"]
    for component in (*COMPONENTS.values(), *NODE_COMPONENTS.values()):
        if component["p"] == "sensor" and component.get("dev_cla", "enum") != "enum":
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
        expected = "config" if "cmd_t" in component else None if key in SEEN else "diagnostic"
        assert component.get("ent_cat") == expected
    assert all(component["ent_cat"] == "diagnostic" for component in NODE_COMPONENTS.values())


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("score", "87.6"),
        ("level", "-20.0"),
        ("paused", "OFF"),
        ("mode", "recall"),
        ("reason", "music"),
        ("model", "logistic"),
        ("music_today", "7"),
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
    ],
)
def test_telemetry_is_shown(key: str, field: str | None, expected: str) -> None:
    """Its value, and unknown where a device cannot tell."""
    payload = telemetry_message(TOPICS, "mic", TELEMETRY).payload
    assert shown(key, payload) == expected
    if field is not None:
        assert shown(key, json.dumps(json.loads(payload) | {field: None})) == "None"


@pytest.mark.parametrize(
    ("key", "expected"),
    [("rss", "60"), ("cpu_temperature", "52"), ("queued_events", "4"), ("dropped_events", "5")],
)
def test_telemetry_of_the_node_is_shown(key: str, expected: str) -> None:
    """In whole numbers: the recorder keeps every new value."""
    assert shown(key, process_message(TOPICS, PROCESS).payload, NODE_COMPONENTS) == expected


def test_a_node_without_a_thermometer_shows_none() -> None:
    """Unknown, not 0 degrees."""
    payload = process_message(TOPICS, replace(PROCESS, cpu_temperature_c=None)).payload
    assert shown("cpu_temperature", payload, NODE_COMPONENTS) == "None"


def test_the_version_is_shown() -> None:
    """As `info` says it."""
    assert shown("version", info_message(TOPICS, INFO).payload, NODE_COMPONENTS) == "1.0.0"


def test_every_reason_is_one_that_was_announced() -> None:
    """Home Assistant refuses others; the device says no others."""
    assert COMPONENTS["reason"]["ops"] == list(REASONS)
    said = {*reporter.REASONS.values(), *get_args(Condition), "no audio", "paused"} - {"hearing"}
    assert set(REASONS) == said


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
    """So is the node, first. A recording ends, and would stay behind as a dead device."""
    topics = [message.topic for message in discoveries(config(), INFO)]
    assert topics == [f"homeassistant/device/oido_{name}/config" for name in ("", "mic", "radio")]


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


def test_the_birth_topic_stands_under_the_prefix() -> None:
    """Where Home Assistant leaves it."""
    assert birth_topic("homeassistant") == "homeassistant/status"
    assert discovery_filter("homeassistant") == "homeassistant/device/+/config"


def test_forgetting_without_a_broker_is_wrong_use() -> None:
    """There is nothing to forget anything at."""
    with pytest.raises(ConfigurationError, match="host is not set"):
        list(forget(Config()))
