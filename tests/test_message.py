"""Topics and payloads of the contract: exact bytes."""

import json
import math
from dataclasses import asdict, replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.publishing.message import (
    Message,
    Topics,
    availability_message,
    event_id,
    event_message,
    goodbye_messages,
    info_message,
    response_message,
    state_messages,
    status_message,
    telemetry_message,
)
from device.publishing.payloads import DeviceInfo, EventReport, Response, StateReport, Telemetry

TOPICS = Topics("oido", "attic")
STATE = StateReport(
    music="ON",
    score=0.987654,
    since=1_700_000_000.0,
    updated=1_700_000_012.3456,
    level_dbfs=-23.456,
    model="logistic",
    mode="balanced",
    paused=False,
    reason="music",
)
UNKNOWN = replace(STATE, music=None, score=None, level_dbfs=-math.inf, reason="flat line")
STARTED = EventReport(
    event_type="music_started",
    id=event_id("attic", "mic", 1_700_000_000.0),
    started=1_700_000_000.0,
    ended=None,
    duration_s=None,
    peak=0.91,
    mean=0.8,
    node="attic",
    source="mic",
    model="logistic",
)
STOPPED = replace(STARTED, event_type="music_stopped", ended=1_700_000_061.5, duration_s=61.5)
TELEMETRY = Telemetry(
    level_dbfs=-40.04,
    clipping=0.0001234,
    inference_p50_ms=0.12345,
    inference_p95_ms=1.5,
    overruns=2,
    rss_mb=66.66,
    cpu_temperature_c=None,
    uptime_s=3600.04,
    queued_events=1,
    dropped_events=0,
)


def test_topics_are_those_of_the_contract() -> None:
    """The tree is the product's face."""
    leaves = ("availability", "music", "state", "event", "telemetry", "set", "response")
    assert (TOPICS.status, TOPICS.info) == ("oido/attic/status", "oido/attic/info")
    assert [getattr(TOPICS, leaf)("mic") for leaf in leaves] == [f"oido/attic/mic/{leaf}" for leaf in leaves]


@pytest.mark.parametrize(
    ("topic", "source"),
    [
        ("oido/attic/mic/set", "mic"),
        ("oido/attic/set/set", "set"),
        ("oido/attic//set", None),
        ("oido/attic/set", None),
        ("oido/attic/mic/state", None),
        ("oido/cellar/mic/set", None),
        ("oido/attic/mic/more/set", None),
    ],
)
def test_the_source_of_a_command_is_read_from_its_topic(topic: str, source: str | None) -> None:
    """Only topics of this device count."""
    assert TOPICS.source_of(topic, "set") == source


@pytest.mark.parametrize("topic", ["", "a/+/b", "a/#", "a\0b", "t" * 65_536])
def test_a_topic_no_broker_would_take_is_refused(topic: str) -> None:
    """The mistake shows where it is made, not in the network thread."""
    with pytest.raises(ValueError, match="topic"):
        Message(topic, "x", qos=0, retain=False, coalesce=False)


def test_status_is_plain_and_retained() -> None:
    """The same message online, and offline as the last will."""
    assert status_message(TOPICS, online=True) == Message("oido/attic/status", "online", 1, True, True)
    assert status_message(TOPICS, online=False).payload == "offline"


def test_info_says_what_the_device_is() -> None:
    """Retained JSON with the contract's version."""
    info = DeviceInfo(version="1.0", model="m", model_sha256="0" * 64, hardware="Pi", python="3.11.2")
    message = info_message(TOPICS, info)
    assert (message.topic, message.qos, message.retain) == ("oido/attic/info", 1, True)
    assert message.payload == (
        '{"version":"1.0","schema":1,"model":"m","model_sha256":"' + "0" * 64 + '",'
        '"hardware":"Pi","python":"3.11.2"}'
    )


def test_a_known_state_is_said_in_full_plainly_and_as_available() -> None:
    """Availability comes last: nobody sees `online` beside what was heard before."""
    music, state, availability = state_messages(TOPICS, "mic", STATE)
    assert music == Message("oido/attic/mic/music", "ON", qos=1, retain=True, coalesce=True)
    assert availability == availability_message(TOPICS, "mic", online=True)
    assert (state.topic, state.qos, state.retain, state.coalesce) == ("oido/attic/mic/state", 1, True, True)
    assert state.payload == (
        '{"music":"ON","score":0.9877,"since":"2023-11-14T22:13:20.000Z","updated":"2023-11-14T22:13:32.346Z",'
        '"level_dbfs":-23.5,"model":"logistic","mode":"balanced","paused":false,"reason":"music"}'
    )


def test_an_unknown_state_is_unavailable_and_leaves_music_alone() -> None:
    """`music` is only ever ON or OFF."""
    availability, state = state_messages(TOPICS, "mic", UNKNOWN)
    assert availability == availability_message(TOPICS, "mic", online=False)
    assert json.loads(state.payload)["music"] is None


def test_digital_silence_has_no_level() -> None:
    """Neither 0, which is full scale, nor -Infinity, which is no JSON."""
    _, state = state_messages(TOPICS, "mic", UNKNOWN)
    assert json.loads(state.payload)["level_dbfs"] is None


def test_a_start_is_one_queued_message() -> None:
    """Not retained, QoS 1, no end yet."""
    message = event_message(TOPICS.event("mic"), STARTED)
    assert (message.qos, message.retain, message.coalesce) == (1, False, False)
    assert message.topic == "oido/attic/mic/event"
    assert message.payload == (
        '{"event_type":"music_started","id":"' + STARTED.id + '","started":"2023-11-14T22:13:20.000Z",'
        '"ended":null,"duration_s":null,"peak":0.91,"mean":0.8,'
        '"node":"attic","source":"mic","model":"logistic"}'
    )


def test_a_stop_says_when_and_how_long() -> None:
    """The pair shares the id."""
    stop = json.loads(event_message(TOPICS.event("mic"), STOPPED).payload)
    assert (stop["id"], stop["ended"]) == (STARTED.id, "2023-11-14T22:14:21.500Z")
    assert stop["duration_s"] == 61.5


def test_an_event_carries_what_its_payload_says() -> None:
    """To the last digit: the history keeps the report, and a subscriber reads the payload."""
    exact = replace(STOPPED, started=1_700_000_000.12345, ended=1_700_000_061.98765, peak=0.912345, mean=1 / 3)
    message = event_message(TOPICS.event("mic"), exact)
    said = json.loads(message.payload)
    assert message.report is not None
    assert said == asdict(message.report) | {"started": said["started"], "ended": said["ended"]}
    assert datetime.fromisoformat(said["started"]).timestamp() == message.report.started == 1_700_000_000.123
    assert datetime.fromisoformat(said["ended"]).timestamp() == message.report.ended == 1_700_000_061.988


@pytest.mark.parametrize(
    "wrong",
    [
        replace(STARTED, ended=1.0),
        replace(STARTED, duration_s=1.0),
        replace(STOPPED, ended=None),
        replace(STOPPED, duration_s=None),
        replace(STARTED, peak=math.nan),
        replace(STARTED, started=math.inf),
    ],
)
def test_an_event_that_contradicts_itself_is_refused(wrong: EventReport) -> None:
    """A start has no end, a stop has one, and all numbers are numbers."""
    with pytest.raises(ValueError, match=r"music_|number|time"):
        event_message(TOPICS.event("mic"), wrong)


def test_telemetry_is_retained_and_not_acknowledged() -> None:
    """QoS 0, rounded, null for what the device cannot tell."""
    message = telemetry_message(TOPICS, "mic", TELEMETRY)
    assert (message.topic, message.qos, message.retain) == ("oido/attic/mic/telemetry", 0, True)
    assert message.payload == (
        '{"level_dbfs":-40.0,"clipping":0.000123,"inference_p50_ms":0.123,"inference_p95_ms":1.5,"overruns":2,'
        '"rss_mb":66.7,"cpu_temperature_c":null,"uptime_s":3600.0,"queued_events":1,"dropped_events":0,"refused_events":0}'
    )


def test_a_response_repeats_the_transaction() -> None:
    """And says what is in force."""
    response = Response(
        transaction="t1",
        ok=False,
        error="no such mode",
        paused=True,
        mode="recall",
        model="logistic",
        log_level="info",
    )
    message = response_message(TOPICS, "mic", response)
    assert (message.topic, message.qos, message.retain) == ("oido/attic/mic/response", 1, False)
    assert message.payload == (
        '{"transaction":"t1","ok":false,"error":"no such mode","warning":null,"paused":true,"mode":"recall",'
        '"model":"logistic","log_level":"info"}'
    )


def test_text_that_is_no_unicode_can_still_be_sent() -> None:
    """A lone surrogate in a transaction must not break the session."""
    response = Response(
        transaction="\ud800",
        ok=True,
        error=None,
        paused=False,
        mode="balanced",
        model="logistic",
        log_level="info",
    )
    assert response_message(TOPICS, "mic", response).payload.encode("utf-8")


def test_goodbye_takes_hearing_sources_and_the_device_offline() -> None:
    """Deaf sources are offline already; the device itself goes last."""
    said = [
        availability_message(TOPICS, "mic", online=True),
        availability_message(TOPICS, "line", online=False),
        status_message(TOPICS, online=True),
    ]
    assert goodbye_messages(TOPICS, said) == (
        availability_message(TOPICS, "mic", online=False),
        status_message(TOPICS, online=False),
    )


def test_event_ids_repeat_in_a_replay() -> None:
    """Fixed: a changed id would look like new music to whoever kept the old one."""
    assert event_id("attic", "mic", 12.5) == "10c7eeb7-5411-557e-9ad4-7cbb758b3686"


def test_event_ids_differ_by_node_source_and_start() -> None:
    """No two starts share one, not even where names run together."""
    starts = [("a", "b", 1.0), ("a", "b", 1.001), ("a", "c", 1.0), ("c", "b", 1.0), ("ab", "", 1.0)]
    assert len({event_id(*start) for start in starts}) == len(starts)


@given(
    score=st.none() | st.floats(),
    level=st.none() | st.floats(),
    seconds=st.floats(min_value=0, max_value=4e9),
)
def test_payloads_are_strict_json_whatever_was_measured(
    score: float | None, level: float | None, seconds: float
) -> None:
    """NaN, infinity and negative zero never appear."""
    report = replace(STATE, score=score, level_dbfs=level, since=seconds, updated=seconds)
    payload = state_messages(TOPICS, "mic", report)[1].payload
    assert not {"NaN", "Infinity", "-Infinity"} & set(payload.replace(",", ":").split(":"))
    assert "-0.0," not in payload
