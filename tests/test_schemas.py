"""The published contract: every payload the code makes fits its schema, and broken ones do not."""

import json
import math
from dataclasses import replace
from importlib import resources
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.publishing.command import CommandError, parse_command
from device.publishing.message import (
    Message,
    Topics,
    availability_message,
    event_id,
    event_message,
    info_message,
    process_message,
    response_message,
    state_messages,
    status_message,
    telemetry_message,
)
from device.publishing.payloads import DeviceInfo, EventReport, ProcessReport, Response, StateReport, Telemetry

TOPICS = Topics("oido", "attic")
NAMES = (
    "status",
    "info",
    "process",
    "availability",
    "music",
    "state",
    "summary",
    "event",
    "telemetry",
    "set",
    "response",
)
PLAIN = ("status", "availability", "music")

STATE = StateReport(
    music="ON",
    score=0.5,
    since=0.0,
    updated=1.0,
    level_dbfs=-20.0,
    model="logistic",
    mode="balanced",
    paused=False,
    reason="music",
)
STARTED = EventReport(
    event_type="music_started",
    id=event_id("attic", "mic", 0.0),
    started=0.0,
    ended=None,
    duration_s=None,
    peak=1.0,
    mean=0.5,
    node="attic",
    source="mic",
    model="logistic",
)
INFO = DeviceInfo(version="1.0.0", model="logistic", model_sha256="a" * 64, hardware="x86_64", python="3.13.0")
TELEMETRY = Telemetry(
    level_dbfs=-20.0,
    clipping=0.0,
    inference_p50_ms=1.0,
    inference_p95_ms=2.0,
    overruns=0,
    rss_mb=60.0,
    cpu_temperature_c=50.0,
    uptime_s=1.0,
    queued_events=0,
    dropped_events=0,
)
PROCESS = ProcessReport(rss_mb=60.0, cpu_temperature_c=50.0, uptime_s=1.0, queued_events=0, dropped_events=0)
RESPONSE = Response(
    transaction="t", ok=True, error=None, paused=False, mode="recall", model="logistic", log_level="info"
)


def schema(name: str) -> dict[str, Any]:
    """As it is shipped in the package."""
    text = resources.files("device.publishing").joinpath("schemas", f"{name}.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def fits(name: str, payload: object) -> bool:
    """Whether the schema allows the payload, formats included."""
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    return jsonschema.Draft202012Validator(schema(name), format_checker=checker).is_valid(payload)


def value(message: Message) -> object:
    """What a reader of the topic has: text where the payload is plain, else parsed JSON."""
    leaf = message.topic.rsplit("/", 1)[-1]
    return message.payload if leaf in PLAIN else json.loads(message.payload)


def made() -> list[Message]:
    """Every kind of message, in every shape it takes."""
    deaf = replace(STATE, music=None, score=math.nan, level_dbfs=-math.inf, reason="no audio")
    paused = replace(deaf, score=None, paused=True, reason="paused")
    quiet = replace(STATE, music="OFF", mode="precision", reason="no music")
    silent = replace(
        TELEMETRY,
        level_dbfs=None,
        inference_p50_ms=None,
        inference_p95_ms=None,
        cpu_temperature_c=None,
    )
    refused = replace(RESPONSE, transaction=None, ok=False, error="the command is not JSON")
    return [
        status_message(TOPICS, online=True),
        status_message(TOPICS, online=False),
        info_message(TOPICS, INFO),
        process_message(TOPICS, PROCESS),
        process_message(TOPICS, replace(PROCESS, cpu_temperature_c=None)),
        availability_message(TOPICS, "mic", online=True),
        availability_message(TOPICS, "mic", online=False),
        *(
            message
            for report in (STATE, deaf, paused, quiet)
            for message in state_messages(TOPICS, "m", report, 3)
        ),
        event_message(TOPICS.event("mic"), STARTED),
        event_message(TOPICS.event("m"), replace(STARTED, event_type="music_stopped", ended=2.0, duration_s=2.0)),
        telemetry_message(TOPICS, "mic", TELEMETRY),
        telemetry_message(TOPICS, "mic", silent),
        response_message(TOPICS, "mic", RESPONSE),
        response_message(TOPICS, "mic", refused),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_is_valid_and_says_what_it_describes(name: str) -> None:
    """JSON Schema 2020-12 with a description of itself and of every field."""
    found = schema(name)
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["$id"] == f"urn:oido:contract:1:{name}"
    assert found["description"]
    assert all(field["description"] for field in found.get("properties", {}).values())


def test_every_schema_is_known_here() -> None:
    """A new one must be tested too."""
    folder = resources.files("device.publishing").joinpath("schemas")
    assert {entry.name for entry in folder.iterdir()} == {f"{name}.json" for name in NAMES}


def test_every_topic_but_set_is_made_here() -> None:
    """The list above forgets none."""
    assert {message.topic.rsplit("/", 1)[-1] for message in made()} == set(NAMES) - {"set"}


@pytest.mark.parametrize("message", made(), ids=lambda message: message.topic)
def test_what_the_code_says_fits_the_contract(message: Message) -> None:
    """For each kind of message."""
    assert fits(message.topic.rsplit("/", 1)[-1], value(message))


OBJECTS = {
    message.topic.rsplit("/", 1)[-1]: json.loads(message.payload)
    for message in made()
    if message.topic.rsplit("/", 1)[-1] not in PLAIN
}


@pytest.mark.parametrize(("name", "field"), [(name, field) for name in OBJECTS for field in OBJECTS[name]])
def test_no_field_may_be_missing(name: str, field: str) -> None:
    """Whoever reads may rely on all of them."""
    assert not fits(name, {key: entry for key, entry in OBJECTS[name].items() if key != field})


@pytest.mark.parametrize("name", OBJECTS)
def test_no_field_may_be_added(name: str) -> None:
    """A field that is not in the contract is a mistake."""
    assert not fits(name, OBJECTS[name] | {"extra": 1})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("info", {"schema": 2}),
        ("info", {"model_sha256": "A" * 64}),
        ("state", {"music": "on"}),
        ("state", {"score": 1.5}),
        ("state", {"score": "0.5"}),
        ("state", {"since": "2023-11-14T22:13:20Z"}),
        ("state", {"since": 1_700_000_000}),
        ("state", {"mode": "loud"}),
        ("state", {"paused": 0}),
        ("event", {"event_type": "music"}),
        ("event", {"event_type": "music_started", "ended": "1970-01-01T00:00:02.000Z", "duration_s": 2.0}),
        ("event", {"event_type": "music_stopped", "ended": None, "duration_s": None}),
        ("event", {"duration_s": -1.0}),
        ("event", {"id": "1"}),
        ("event", {"peak": None}),
        ("telemetry", {"overruns": 1.5}),
        ("telemetry", {"clipping": -0.1}),
        ("response", {"ok": True, "error": "but"}),
        ("response", {"model": ""}),
        ("response", {"log_level": "loud"}),
        ("response", {"ok": False, "error": None}),
    ],
)
def test_a_broken_payload_does_not_fit(name: str, change: dict[str, object]) -> None:
    """The contract is strict about values too."""
    assert not fits(name, OBJECTS[name] | change)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("payload", ["", "on", "Online", "unknown", None, True])
def test_plain_topics_have_two_values(name: str, payload: object) -> None:
    """Nothing else is ever said there."""
    assert not fits(name, payload)


_fields: st.SearchStrategy[dict[str, object]] = st.dictionaries(
    st.sampled_from(["paused", "mode", "model", "log_level", "transaction", "extra"]),
    st.sampled_from(
        ["balanced", "recall", "debug", "", "x" * 64, "x" * 65, "x" * 128, "x" * 129, True, False, None, 1, []]
    ),
)


@given(_fields)
def test_the_code_obeys_exactly_what_the_set_schema_allows(fields: dict[str, object]) -> None:
    """The parser and the published schema are the same contract."""
    try:
        parse_command(json.dumps(fields).encode())
    except CommandError:
        assert not fits("set", fields)
    else:
        assert fits("set", fields)
