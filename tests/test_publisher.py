"""Publishers: standard output, and MQTT against a broker that misbehaves on demand."""

import io
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripted_broker import DEADLINE_S, ScriptedBroker, connect_once, eventually

from device.configuration.settings import MqttConfig
from device.errors import ConfigurationError
from device.publishing.message import Message, Topics, availability_message
from device.publishing.mqtt import Birth, MqttPublisher
from device.publishing.retry import Retry
from device.publishing.stdout import StdoutPublisher

TOPICS = Topics("oido", "attic")
SOON = Retry(first_s=0.02, longest_s=0.02, refused_s=0.02)
NEVER = Retry(first_s=3600, longest_s=3600, refused_s=3600)


def state(payload: str, leaf: str = "music") -> Message:
    """A retained state."""
    return Message(f"oido/attic/mic/{leaf}", payload, qos=1, retain=True, coalesce=True)


def event(payload: str) -> Message:
    """An event."""
    return Message("oido/attic/mic/event", payload, qos=1, retain=False, coalesce=False)


def telemetry(payload: str) -> Message:
    """A retained state that is not acknowledged."""
    return Message("oido/attic/mic/telemetry", payload, qos=0, retain=True, coalesce=True)


def online(broker: ScriptedBroker, *, times: int = 1) -> bool:
    """Whether so many sessions have begun: each says `online` once."""
    return broker.payloads(TOPICS.status).count("online") >= times


def logged(caplog: pytest.LogCaptureFixture, part: str) -> int:
    """How many messages in the log hold the part."""
    return sum(part in record.getMessage() for record in list(caplog.records))


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    """Accepts and acknowledges until told otherwise."""
    with ScriptedBroker() as scripted:
        yield scripted


@pytest.fixture
def mute_port() -> Iterator[int]:
    """Where connections are accepted, and nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def config(broker: ScriptedBroker, client_id: str | None = None) -> MqttConfig:
    """Settings for the scripted broker."""
    return MqttConfig(host="127.0.0.1", port=broker.port, client_id=client_id)


def publisher_of(broker: ScriptedBroker, retry: Retry = SOON) -> MqttPublisher:
    """A publisher that tries again soon."""
    return MqttPublisher(config(broker), topics=TOPICS, retry=retry)


# Standard output.


def test_a_message_is_one_json_line() -> None:
    """JSON payloads are shown as JSON, plain ones as text."""
    stream = io.StringIO()
    with StdoutPublisher(stream) as publisher:
        publisher.publish(state("ON"))
        publisher.publish(event('{"id":"1","mean":0.5}'))
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {"topic": "oido/attic/mic/music", "retain": True, "payload": "ON"},
        {"topic": "oido/attic/mic/event", "retain": False, "payload": {"id": "1", "mean": 0.5}},
    ]


def test_lines_are_flushed_one_by_one() -> None:
    """A reader at the other end of a pipe sees each line when it is said."""
    read, write = os.pipe()
    with open(read, encoding="utf-8") as reader, open(write, "w", encoding="utf-8") as stream:  # noqa: PTH123 - file descriptors
        StdoutPublisher(stream).publish(state("ON"))
        assert "ON" in reader.readline()


def test_a_reader_that_goes_away_is_a_clean_end() -> None:
    """`oido run | head -1`: no traceback, exit code 0, and the program can tell."""
    program = (
        "import sys\n"
        "from device.publishing.message import Message\n"
        "from device.publishing.stdout import StdoutPublisher\n"
        "publisher = StdoutPublisher(sys.stdout)\n"
        "while not publisher.ended:\n"
        "    publisher.publish(Message('t', 'x', qos=0, retain=False, coalesce=False))\n"
        "publisher.publish(Message('t', 'x', qos=0, retain=False, coalesce=False))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(DEADLINE_S) == 0


def test_standard_output_has_nothing_left_to_drain() -> None:
    """Each line is out as soon as it is said."""
    assert StdoutPublisher(io.StringIO()).drain(0)


def test_the_package_does_not_import_paho() -> None:
    """Printing must not cost the memory of an MQTT client."""
    program = "import sys, device.publishing.stdout, device.publishing.publisher; sys.exit('paho' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[1], check=False).returncode == 0
    )


# MQTT: the beginning of a session.


def test_a_session_begins_with_subscription_states_and_online(broker: ScriptedBroker) -> None:
    """Who sees `online` may send a command at once, and every state is true by then."""
    with publisher_of(broker) as publisher:
        publisher.publish(state("ON"))
        publisher.publish(event("1"))
        assert publisher.drain(DEADLINE_S)
    assert broker.subscribed == ["oido/attic/+/set"]
    assert broker.order[:4] == ["subscribe", TOPICS.music("mic"), TOPICS.status, TOPICS.event("mic")]


def test_a_session_is_clean_and_named_after_the_node(broker: ScriptedBroker) -> None:
    """A restarted device takes its half-dead predecessor's place."""
    with publisher_of(broker):
        assert eventually(lambda: online(broker))
    assert (broker.client_ids, broker.clean_sessions) == (["oido-attic"], [True])


def test_publishing_works_before_the_broker_is_there(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing blocks or raises, and the log says what is wrong."""
    with ScriptedBroker() as gone:
        pass
    with publisher_of(gone) as publisher:
        publisher.publish(event("1"))
        assert eventually(lambda: bool(caplog.records))
        assert publisher.queued_events == 1
        assert not publisher.drain(0.01)
    sentence = f"nothing listens at 127.0.0.1:{gone.port}; check [mqtt] port and the broker"
    assert caplog.records[0].getMessage() == sentence


def test_nothing_is_said_until_the_broker_accepts(broker: ScriptedBroker) -> None:
    """A TCP connection is not a session."""
    broker.connack = 5
    with publisher_of(broker):
        assert eventually(lambda: broker.connections > 2)
    assert broker.published == []


# MQTT: states and events.


def test_states_of_an_outage_coalesce(broker: ScriptedBroker) -> None:
    """Only the latest of a topic is said."""
    publisher = publisher_of(broker)
    for payload in ("ON", "OFF", "ON"):
        publisher.publish(state(payload))
    with publisher:
        assert publisher.drain(DEADLINE_S)
    assert broker.payloads(TOPICS.music("mic")) == ["ON"]


def test_events_of_an_outage_arrive_in_order(broker: ScriptedBroker) -> None:
    """Each exactly once."""
    publisher = publisher_of(broker)
    expected = [str(number) for number in range(200)]
    for payload in expected:
        publisher.publish(event(payload))
    with publisher:
        assert publisher.drain(DEADLINE_S)
    assert broker.payloads(TOPICS.event("mic")) == expected


def test_only_the_latest_telemetry_of_an_outage_is_said(broker: ScriptedBroker) -> None:
    """It says how things are, not how they were; and again in each session, as a broker may have forgotten it."""
    publisher = publisher_of(broker)
    publisher.publish(telemetry("old"))
    publisher.publish(telemetry("new"))
    with publisher:
        assert eventually(lambda: online(broker))
        broker.cut()
        assert eventually(lambda: online(broker, times=2))
    assert broker.payloads(TOPICS.telemetry("mic")) == ["new", "new"]
    assert all(message.retain for message in broker.published if message.topic == TOPICS.telemetry("mic"))


def test_an_unacknowledged_event_is_sent_once_more_and_in_order(broker: ScriptedBroker) -> None:
    """The broker took event 2 but its acknowledgement was lost: 2 comes twice, nothing else does."""
    broker.acknowledge = lambda message: message.payload != "2" or message.connection > 1
    with publisher_of(broker) as publisher:
        for payload in "123":
            publisher.publish(event(payload))
        assert eventually(lambda: broker.payloads(TOPICS.event("mic")) == ["1", "2"])
        broker.cut()
        assert publisher.drain(DEADLINE_S)
        assert publisher.queued_events == 0
    events = [message for message in broker.published if message.topic == TOPICS.event("mic")]
    assert [(message.connection, message.payload) for message in events] == [
        (1, "1"),
        (1, "2"),
        (2, "2"),
        (2, "3"),
    ]


def test_paho_repeats_nothing_by_itself(broker: ScriptedBroker) -> None:
    """Over many broken sessions each state is said once a session, not once more for each before it."""
    music = TOPICS.music("mic")
    broker.acknowledge = lambda message: message.connection > 5

    def said(times: int) -> Callable[[], bool]:
        return lambda: len(broker.payloads(music)) == times

    with publisher_of(broker) as publisher:
        publisher.publish(state("ON"))
        for session in range(1, 6):
            assert eventually(said(session))
            broker.cut()
        assert publisher.drain(DEADLINE_S)
    states = [message for message in broker.published if message.topic == music]
    assert [message.connection for message in states] == [1, 2, 3, 4, 5, 6]


def test_an_acknowledged_event_is_forgotten(broker: ScriptedBroker) -> None:
    """And not repeated in the next session, while retained states are."""
    with publisher_of(broker) as publisher:
        publisher.publish(event("1"))
        publisher.publish(state("ON"))
        assert publisher.drain(DEADLINE_S)
        broker.cut()
        assert eventually(lambda: len(broker.payloads(TOPICS.music("mic"))) == 2)
        assert publisher.drain(DEADLINE_S)
    assert broker.payloads(TOPICS.event("mic")) == ["1"]


def test_too_many_events_drop_the_oldest_and_say_so(
    broker: ScriptedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning, and a count."""
    small = MqttConfig(host="127.0.0.1", port=broker.port, max_queued_events=2)
    publisher = MqttPublisher(small, topics=TOPICS, retry=SOON)
    for payload in "12345":
        publisher.publish(event(payload))
    assert publisher.dropped_events == 3
    with publisher:
        assert publisher.drain(DEADLINE_S)
    assert broker.payloads(TOPICS.event("mic")) == ["4", "5"]
    assert logged(caplog, "are dropped") == 1


def test_many_threads_may_publish(broker: ScriptedBroker) -> None:
    """Each source has one; each keeps its own order."""
    with publisher_of(broker) as publisher:

        def say(name: str) -> None:
            for number in range(50):
                publisher.publish(event(f"{name}{number}"))

        threads = [threading.Thread(target=say, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert publisher.drain(DEADLINE_S)
    payloads = broker.payloads(TOPICS.event("mic"))
    assert len(payloads) == 150
    for name in "abc":
        assert [p for p in payloads if p[0] == name] == [f"{name}{number}" for number in range(50)]


# MQTT: refusals and broken lines.


def test_a_refusal_is_logged_once(broker: ScriptedBroker, caplog: pytest.LogCaptureFixture) -> None:
    """However often it is repeated."""
    broker.connack = 5
    with publisher_of(broker):
        assert eventually(lambda: broker.connections > 3)
    assert [record.message for record in caplog.records] == [
        f"the MQTT broker at 127.0.0.1:{broker.port} wants a user name; set [mqtt] username and password_file"
    ]


def test_a_refused_device_waits_longer(broker: ScriptedBroker, caplog: pytest.LogCaptureFixture) -> None:
    """It does not hammer: the next attempt belongs to `refused_s`, here an hour."""
    broker.connack = 4
    slow = Retry(first_s=0.001, longest_s=0.001, refused_s=3600)
    with publisher_of(broker, slow) as publisher:
        assert eventually(lambda: logged(caplog, "wants a user name") == 1)
        broker.connack = 0
        publisher.publish(event("1"))
        assert not publisher.drain(0.1)
    assert broker.connections == 1


def test_a_refusal_that_ends_is_got_over(broker: ScriptedBroker) -> None:
    """Somebody mended the broker's password file."""
    broker.connack = 4
    with publisher_of(broker):
        assert eventually(lambda: broker.connections > 1)
        broker.connack = 0
        assert eventually(lambda: online(broker))


@pytest.mark.parametrize(
    ("code", "said"),
    [(2, "client_id"), (3, "accepts no connection now"), (4, "wants a user name"), (5, "wants a user name")],
)
def test_each_return_code_has_its_sentence(broker: ScriptedBroker, code: int, said: str) -> None:
    """MQTT 3.1.1, table 3.1."""
    broker.connack = code
    assert said in (connect_once(config(broker)) or "")


def test_a_lost_session_is_reported_and_replaced(broker: ScriptedBroker, caplog: pytest.LogCaptureFixture) -> None:
    """One warning for the loss."""
    caplog.set_level(logging.INFO)
    with publisher_of(broker):
        assert eventually(lambda: online(broker))
        broker.cut()
        assert eventually(lambda: online(broker, times=2))
    assert logged(caplog, "ended the connection") == 1
    assert logged(caplog, "connected to the MQTT broker") == 2


def test_a_denied_subscription_is_reported(broker: ScriptedBroker, caplog: pytest.LogCaptureFixture) -> None:
    """The device works, but nobody can command it."""
    broker.suback = 0x80
    with publisher_of(broker):
        assert eventually(lambda: any("does not let this device read" in r.message for r in caplog.records))


# MQTT: commands.


def test_a_command_reaches_its_source(broker: ScriptedBroker) -> None:
    """With the payload as it came."""
    heard: list[tuple[str, bytes]] = []
    with MqttPublisher(
        config(broker),
        topics=TOPICS,
        on_command=lambda source, payload: heard.append((source, payload)),
        retry=SOON,
    ):
        assert eventually(lambda: bool(broker.subscribed))
        broker.send("oido/attic/mic/set", b"\xff{")
        assert eventually(lambda: bool(heard))
    assert heard == [("mic", b"\xff{")]


def test_a_retained_command_is_ignored(broker: ScriptedBroker, caplog: pytest.LogCaptureFixture) -> None:
    """It would be obeyed again at each connection."""
    heard: list[str] = []
    with MqttPublisher(
        config(broker), topics=TOPICS, on_command=lambda source, _: heard.append(source), retry=SOON
    ):
        assert eventually(lambda: bool(broker.subscribed))
        broker.send("oido/attic/old/set", b"{}", retain=True)
        broker.send("oido/attic/new/set", b"{}")
        assert eventually(lambda: "new" in heard)
    assert heard == ["new"]
    assert logged(caplog, "retained command") == 1


def test_a_command_that_fails_does_not_end_the_session(
    broker: ScriptedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the daemon does with it, the session goes on."""

    def fail(_source: str, _payload: bytes) -> None:
        raise RuntimeError("boom")

    with MqttPublisher(config(broker), topics=TOPICS, on_command=fail, retry=SOON) as publisher:
        assert eventually(lambda: bool(broker.subscribed))
        broker.send("oido/attic/mic/set", b"{}")
        assert eventually(lambda: logged(caplog, "failed") == 1)
        publisher.publish(event("1"))
        assert publisher.drain(DEADLINE_S)
    assert broker.connections == 1


def test_a_command_may_be_answered_from_its_callback(broker: ScriptedBroker) -> None:
    """Publishing in the network thread does not wait for itself."""
    publisher: MqttPublisher
    publisher = MqttPublisher(
        config(broker),
        topics=TOPICS,
        on_command=lambda _, payload: publisher.publish(event(payload.decode())),
        retry=SOON,
    )
    with publisher:
        assert eventually(lambda: bool(broker.subscribed))
        broker.send("oido/attic/mic/set", b"hello")
        assert eventually(lambda: broker.payloads(TOPICS.event("mic")) == ["hello"])


# MQTT: the end.


def test_closing_says_offline_and_parts_in_order(broker: ScriptedBroker) -> None:
    """For every source that could be heard, then for the device; the last will is not needed."""
    with publisher_of(broker) as publisher:
        publisher.publish(availability_message(TOPICS, "mic", online=True))
        assert publisher.drain(DEADLINE_S)
    assert broker.payloads(TOPICS.availability("mic")) == ["online", "offline"]
    assert broker.payloads(TOPICS.status) == ["online", "offline"]
    assert broker.order[-1] == TOPICS.status
    assert eventually(lambda: broker.disconnects == 1)


def test_closing_sends_what_was_just_said(broker: ScriptedBroker) -> None:
    """Events before the goodbye."""
    with publisher_of(broker) as publisher:
        assert eventually(lambda: online(broker))
        for number in range(20):
            publisher.publish(event(str(number)))
    assert broker.payloads(TOPICS.event("mic")) == [str(number) for number in range(20)]
    assert broker.order[-1] == TOPICS.status


def test_closing_does_not_wait_for_a_mute_broker(broker: ScriptedBroker, caplog: pytest.LogCaptureFixture) -> None:
    """It still says offline, gives up on the acknowledgements, and says what was lost."""
    broker.acknowledge = lambda _: False
    with publisher_of(broker) as publisher:
        publisher.publish(event("1"))
        assert eventually(lambda: broker.payloads(TOPICS.event("mic")) == ["1"])
    assert not _mqtt_threads()
    assert broker.payloads(TOPICS.status) == ["online", "offline"]
    assert logged(caplog, "events not delivered to the MQTT broker: 1") == 1


def test_closing_ends_a_wait_for_the_next_attempt(caplog: pytest.LogCaptureFixture) -> None:
    """An hour's backoff does not hold the exit."""
    with ScriptedBroker() as gone:
        pass
    with publisher_of(gone, NEVER):
        assert eventually(lambda: bool(caplog.records))
    assert not _mqtt_threads()


def test_closing_ends_a_wait_for_the_brokers_answer(mute_port: int) -> None:
    """A server that accepts connections and says nothing."""
    publisher = MqttPublisher(MqttConfig(host="127.0.0.1", port=mute_port), topics=TOPICS)
    publisher.start()
    publisher.close()
    assert not _mqtt_threads()


def test_closing_twice_and_publishing_afterwards_do_nothing(broker: ScriptedBroker) -> None:
    """A source thread may be a little late."""
    publisher = publisher_of(broker)
    publisher.start()
    publisher.close()
    publisher.close()
    publisher.publish(event("late"))
    assert publisher.queued_events == 0


def test_a_publisher_never_started_can_be_closed(broker: ScriptedBroker) -> None:
    """When something else failed first."""
    publisher_of(broker).close()
    assert broker.connections == 0


def test_a_publisher_starts_once(broker: ScriptedBroker) -> None:
    """A second thread would speak over the first."""
    with publisher_of(broker) as publisher, pytest.raises(RuntimeError, match="once"):
        publisher.start()


def _mqtt_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "mqtt"]


# Checking.


def test_checking_a_broker_that_accepts(broker: ScriptedBroker) -> None:
    """None, and nothing was said there; the daemon's own session is not thrown out by an equal client id."""
    assert connect_once(config(broker, client_id="ear")) is None
    assert broker.published == []
    assert broker.client_ids[0].startswith("oido-check-")


def test_checking_a_server_that_says_nothing(mute_port: int) -> None:
    """A connection is not an answer."""
    said = connect_once(MqttConfig(host="127.0.0.1", port=mute_port, timeout_s=0.05))
    assert said == f"the MQTT broker at 127.0.0.1:{mute_port} does not answer; check [mqtt] port and tls"


def test_checking_a_port_that_is_no_broker() -> None:
    """A server that hangs up, such as a TLS port spoken to in plain text."""
    with ScriptedBroker() as broker:
        broker.connack = 1
        said = connect_once(config(broker))
    assert said is not None
    assert "check [mqtt] port and tls" in said


def test_checking_a_host_that_does_not_exist() -> None:
    """The name is in the sentence."""
    assert "no host 'nowhere.invalid'" in (connect_once(MqttConfig(host="nowhere.invalid")) or "")


def test_checking_without_a_host() -> None:
    """The daemon prints then; a check has nothing to try."""
    assert connect_once(MqttConfig()) == "[mqtt] host is not set"


def test_a_wrong_setting_shows_before_anything_is_opened(tmp_path: Path) -> None:
    """The constructor reads the credentials."""
    wrong = MqttConfig(host="127.0.0.1", username="ear", password_file=str(tmp_path / "missing"))
    with pytest.raises(ConfigurationError, match="password_file"):
        MqttPublisher(wrong, topics=TOPICS)


# MQTT: a broker that hangs.


IMPATIENT_S = 0.5
"""So long the broker may take to answer in these tests, the least that is allowed."""


def impatient(broker: ScriptedBroker) -> MqttPublisher:
    """A publisher that does not wait long for an answer."""
    config = MqttConfig(host="127.0.0.1", port=broker.port, timeout_s=IMPATIENT_S)
    return MqttPublisher(config, topics=TOPICS, retry=SOON)


def test_a_broker_that_acknowledges_nothing_any_more_is_left(
    broker: ScriptedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection still stands; the event arrives over a new one."""
    with impatient(broker) as publisher:
        assert eventually(lambda: online(broker) and publisher.drain(0))
        broker.mute = True
        publisher.publish(event("1"))
        assert eventually(lambda: logged(caplog, "no longer answers") == 1)
        broker.mute = False
        assert publisher.drain(DEADLINE_S)
    assert broker.payloads(TOPICS.event("mic"))[-1] == "1"
    assert logged(caplog, "no longer answers") == 1


def test_a_broker_that_answers_no_session_is_left(
    broker: ScriptedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """It takes the connection and says nothing; each attempt ends in time."""
    broker.mute = True
    with impatient(broker):
        assert eventually(lambda: broker.connections > 1)
        assert logged(caplog, "does not answer") == 1
        broker.mute = False
        assert eventually(lambda: online(broker))


# MQTT: somebody else with the same client id.


def test_sessions_that_are_taken_again_and_again_are_said_once(
    broker: ScriptedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """MQTT 3.1.1 does not say so, but a broker that is there and keeps ending them can mean nothing else."""
    with publisher_of(broker):
        for turn in range(1, 7):
            assert eventually(lambda turn=turn: online(broker, times=turn))  # type: ignore[misc]
            broker.cut()
        assert eventually(lambda: online(broker, times=7))
    said = [record.message for record in caplog.records if "seems to take over" in record.message]
    assert len(said) == 1
    assert "same client id 'oido-attic'" in said[0]
    assert "[mqtt] client_id" in said[0]


def test_a_contested_session_is_not_fought_for(broker: ScriptedBroker, caplog: pytest.LogCaptureFixture) -> None:
    """After the third the wait is that of a refusal, here an hour."""
    with publisher_of(broker, Retry(first_s=0.02, longest_s=0.02, refused_s=3600)) as publisher:
        for turn in range(1, 4):
            assert eventually(lambda turn=turn: online(broker, times=turn))  # type: ignore[misc]
            broker.cut()
        assert eventually(lambda: logged(caplog, "same client id") == 1)
        publisher.publish(event("1"))
        assert not publisher.drain(0.2)
    assert broker.connections == 3


# MQTT 5.


def five(broker: ScriptedBroker, retry: Retry = SOON) -> MqttPublisher:
    """A publisher that speaks MQTT 5."""
    return MqttPublisher(MqttConfig(host="127.0.0.1", port=broker.port, protocol="5"), topics=TOPICS, retry=retry)


def test_five_says_the_same(broker: ScriptedBroker) -> None:
    """A clean session under the same name, the subscription, states, `online` and events."""
    with five(broker) as publisher:
        publisher.publish(state("ON"))
        publisher.publish(event("1"))
        assert publisher.drain(DEADLINE_S)
    assert (broker.client_ids, broker.clean_sessions) == (["oido-attic"], [True])
    assert broker.order[:4] == ["subscribe", TOPICS.music("mic"), TOPICS.status, TOPICS.event("mic")]
    assert broker.payloads(TOPICS.event("mic")) == ["1"]
    assert eventually(lambda: broker.disconnects == 1)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0x84, 'does not speak MQTT 5; set [mqtt] protocol = "3.1.1"'),
        (0x01, 'does not speak MQTT 5; set [mqtt] protocol = "3.1.1"'),  # what a broker of 3.1.1 answers
        (0x85, "client_id"),
        (0x86, "wants a user name"),
        (0x87, "wants a user name"),
        (0x88, "accepts no connection now: server unavailable"),
        (0x8A, "has banned this device"),
        (0x9A, "retains no messages"),
        (0x9D, "has moved"),
    ],
)
def test_each_reason_to_refuse_has_its_sentence(broker: ScriptedBroker, code: int, said: str) -> None:
    """MQTT 5, table 3-1."""
    broker.connack = code
    five_once = MqttConfig(host="127.0.0.1", port=broker.port, protocol="5")
    assert said in (connect_once(five_once) or "")


def test_a_session_taken_over_is_said_at_once_and_not_fought_for(
    broker: ScriptedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """MQTT 5 names the reason; the next attempt belongs to `refused_s`, here an hour."""
    with five(broker, Retry(first_s=0.01, longest_s=0.01, refused_s=3600)) as publisher:
        assert eventually(lambda: online(broker))
        broker.disconnect(0x8E)
        assert eventually(lambda: logged(caplog, "another device has taken over the session") == 1)
        publisher.publish(event("1"))
        assert not publisher.drain(0.2)
    assert broker.connections == 1


@pytest.mark.parametrize(
    ("code", "said"),
    [(0x8B, "is shutting down; trying again"), (0x97, "all it may use"), (0x83, "implementation specific error")],
)
def test_each_reason_to_end_has_its_sentence(
    broker: ScriptedBroker, caplog: pytest.LogCaptureFixture, code: int, said: str
) -> None:
    """MQTT 5, table 3-13; the device comes back."""
    with five(broker):
        assert eventually(lambda: online(broker))
        broker.disconnect(code)
        assert eventually(lambda: online(broker, times=2))
    assert logged(caplog, said) == 1


def test_an_event_that_the_broker_refuses_waits(broker: ScriptedBroker, caplog: pytest.LogCaptureFixture) -> None:
    """In its place, while states go on; it is tried again, and the refusal is said once."""
    refusing = True
    broker.puback = lambda message: 0x87 if refusing and message.topic == TOPICS.event("mic") else 0
    with five(broker) as publisher:
        publisher.publish(event("1"))
        publisher.publish(event("2"))
        assert eventually(lambda: broker.payloads(TOPICS.event("mic")).count("1") > 1)
        publisher.publish(state("ON"))
        assert eventually(lambda: broker.payloads(TOPICS.music("mic")) == ["ON"])
        assert publisher.queued_events == 2
        refusing = False
        assert publisher.drain(DEADLINE_S)
    assert broker.connections == 1
    assert [payload for payload in broker.payloads(TOPICS.event("mic")) if payload != "1"] == ["2"]
    assert sum("does not take oido/attic/mic/event (not authorized)" in r.message for r in caplog.records) == 1


def test_a_state_that_the_broker_refuses_is_given_up(broker: ScriptedBroker) -> None:
    """Only the next one matters."""
    broker.puback = lambda message: 0x97 if message.topic == TOPICS.music("mic") else 0
    with five(broker) as publisher:
        publisher.publish(state("ON"))
        assert publisher.drain(DEADLINE_S)
    assert broker.payloads(TOPICS.music("mic")) == ["ON"]


def test_no_more_is_under_way_than_the_broker_takes(broker: ScriptedBroker) -> None:
    """Its Receive Maximum; to exceed it would end the session."""
    broker.receive_maximum = 2
    broker.acknowledge = lambda _: False
    publisher = five(broker)
    for number in range(5):
        publisher.publish(state("x", leaf=f"leaf{number}"))
    with publisher:
        assert eventually(lambda: len(broker.published) == 2)
        publisher.publish(state("y", leaf="another"))
        assert not publisher.drain(0.2)
        assert len(broker.published) == 2


# MQTT: Home Assistant arrives.


def with_birth(broker: ScriptedBroker, longest_delay_s: float = 0.0) -> MqttPublisher:
    """A publisher that waits for Home Assistant."""
    birth = Birth(topic="homeassistant/status", longest_delay_s=longest_delay_s)
    return MqttPublisher(config(broker), topics=TOPICS, birth=birth, retry=SOON)


def test_everything_retained_is_said_again_at_a_birth(broker: ScriptedBroker) -> None:
    """States and discovery; events are not."""
    with with_birth(broker) as publisher:
        publisher.publish(state("{}", leaf="config"))
        publisher.publish(state("ON"))
        publisher.publish(event("1"))
        assert publisher.drain(DEADLINE_S)
        assert broker.subscribed == ["oido/attic/+/set", "homeassistant/status"]
        broker.send("homeassistant/status", b"online")
        assert eventually(lambda: broker.payloads(TOPICS.music("mic")) == ["ON", "ON"])
        assert publisher.drain(DEADLINE_S)
    assert broker.payloads("oido/attic/mic/config") == ["{}", "{}"]
    assert broker.payloads(TOPICS.status) == ["online", "online", "offline"]
    assert broker.payloads(TOPICS.event("mic")) == ["1"]


@pytest.mark.parametrize(
    ("payload", "retain"), [(b"offline", False), (b"online", True), (b"", False), (b"\xff", False)]
)
def test_only_a_birth_is_a_reason(broker: ScriptedBroker, payload: bytes, retain: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Home Assistant's end is none, nor is a birth from before this session, which began with everything."""
    with with_birth(broker) as publisher:
        publisher.publish(state("ON"))
        assert publisher.drain(DEADLINE_S)
        broker.send("homeassistant/status", payload, retain=retain)
        broker.send("homeassistant/status", b"online")
        assert eventually(lambda: len(broker.payloads(TOPICS.music("mic"))) >= 2)
        assert publisher.drain(DEADLINE_S)
    assert broker.payloads(TOPICS.music("mic")) == ["ON", "ON"]


def test_a_birth_is_answered_after_a_while(broker: ScriptedBroker) -> None:
    """Not all devices at once: here some time within an hour."""
    with with_birth(broker, longest_delay_s=3600.0) as publisher:
        publisher.publish(state("ON"))
        assert publisher.drain(DEADLINE_S)
        broker.send("homeassistant/status", b"online")
        publisher.publish(event("1"))
        assert publisher.drain(DEADLINE_S)
    assert broker.payloads(TOPICS.music("mic")) == ["ON"]


def test_an_emptied_topic_is_emptied_once(broker: ScriptedBroker) -> None:
    """What was taken back is not said again in the next session."""
    with publisher_of(broker) as publisher:
        publisher.publish(state("{}", leaf="config"))
        publisher.publish(state("", leaf="config"))
        assert publisher.drain(DEADLINE_S)
        broker.cut()
        assert eventually(lambda: online(broker, times=2))
        assert publisher.drain(DEADLINE_S)
    assert broker.payloads("oido/attic/mic/config")[-1] == ""
    assert all(message.connection == 1 for message in broker.published if message.topic.endswith("/config"))
