"""A real mosquitto that refuses events or large messages: nothing is stuck, nothing is lost, the log is right."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from broker import Mosquitto, brokers
from subscriber import Subscriber, subscribers
from waiting import eventually

from device.configuration.settings import Config, MqttConfig, MqttProtocol, NodeConfig, SourceConfig
from device.publishing.discovery import discoveries
from device.publishing.message import Message, Topics, clearing_message
from device.publishing.mqtt import MqttPublisher
from device.publishing.payloads import DeviceInfo
from device.publishing.retry import Retry
from device.publishing.trial import round_trip
from device.storage.sqlite_outbox import SqliteOutbox, refused_topics, resend

pytestmark = pytest.mark.integration

TOPICS = Topics("oido", "attic")
OLD = Topics("oido", "old")
SOON = Retry(first_s=0.05, longest_s=0.05, refused_s=0.1)
INFO = DeviceInfo(version="1", model="m", model_sha256="0" * 64, hardware="x", python="3")
both_protocols = pytest.mark.parametrize("protocol", ["3.1.1", "5"])


@pytest.fixture
def new_mosquitto(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Makes brokers."""
    (tmp_path / "brokers").mkdir()
    with brokers(tmp_path / "brokers") as make:
        yield make


@pytest.fixture
def subscribe() -> Iterator[Callable[..., Subscriber]]:
    """Makes subscribers."""
    with subscribers() as make:
        yield make


def event(topics: Topics, payload: str) -> Message:
    """An event."""
    return Message(topics.event("mic"), payload, qos=1, retain=False, coalesce=False)


def device(mqtt: MqttConfig, folder: Path | None = None) -> Config:
    """A device with a stream."""
    source = SourceConfig(name="mic", kind="stream", url="http://127.0.0.1:1")
    return Config(node=NodeConfig(name="attic", state_dir=str(folder)), source=(source,), mqtt=mqtt)


def with_access_list(make: Callable[..., Mosquitto], folder: Path) -> tuple[Mosquitto, Path]:
    """A broker that lets the device write as `attic` only, and others read all."""
    acl = folder / "acl"
    acl.write_text("topic readwrite oido/attic/#\ntopic read oido/#\n")
    return make(more=f"acl_file {acl}"), acl


def test_events_that_the_broker_refuses_hold_up_no_other(
    new_mosquitto: Callable[..., Mosquitto],
    subscribe: Callable[..., Subscriber],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Six of the old name: set aside after three refusals, said once, and sent again when they are asked for."""
    broker, acl = with_access_list(new_mosquitto, tmp_path)
    watcher = subscribe(broker.port)
    outbox = SqliteOutbox(tmp_path / "outbox.db", 99)
    for number in range(6):
        outbox.add(event(OLD, str(number)))
    outbox.add(event(TOPICS, "new"))
    with MqttPublisher(broker.config(protocol="5"), topics=TOPICS, retry=SOON, outbox=outbox) as publisher:
        assert eventually(lambda: watcher.payloads(TOPICS.event("mic")) == ["new"])
        assert eventually(lambda: publisher.refused_events == 6)
        assert publisher.drain(0)
        assert refused_topics(tmp_path / "outbox.db") == {OLD.event("mic"): (6, "not authorized")}
        assert caplog.text.count("are set aside") == 1
        acl.write_text("topic readwrite oido/#\n")
        broker.restart()
        again = subscribe(broker.port)
        assert resend(tmp_path / "outbox.db") == (6, "not authorized")
        outbox.look()
        assert eventually(lambda: len(again.payloads(OLD.event("mic"))) == 6)
        assert again.payloads(OLD.event("mic")) == [str(number) for number in range(6)]
        assert publisher.refused_events == 0
    outbox.close()


PROGRAM = """
import sys
from pathlib import Path
from device.configuration.settings import MqttConfig
from device.publishing.message import Topics
from device.publishing.mqtt import MqttPublisher
from device.publishing.retry import Retry
from device.storage.sqlite_outbox import SqliteOutbox
outbox = SqliteOutbox(Path(sys.argv[2]), 99)
retry = Retry(first_s=0.02, longest_s=0.02, refused_s=0.05)
config = MqttConfig(host="127.0.0.1", port=int(sys.argv[1]), protocol="5")
with MqttPublisher(config, topics=Topics("oido", "attic"), retry=retry, outbox=outbox) as publisher:
    print("up", flush=True)
    sys.stdin.read()
"""


def test_a_kill_while_events_are_refused_loses_none(
    new_mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    """At many moments: each is waiting or set aside, once."""
    broker, _ = with_access_list(new_mosquitto, tmp_path)
    path = tmp_path / "outbox.db"
    expected = [str(number) for number in range(40)]
    outbox = SqliteOutbox(path, 99)
    for payload in expected:
        outbox.add(event(OLD, payload))
    outbox.close()
    for turn in range(8):
        command = [sys.executable, "-c", PROGRAM, str(broker.port), str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            try:
                child.wait(0.1 + turn * 0.02)
            except subprocess.TimeoutExpired:
                child.kill()
        outbox = SqliteOutbox(path, 99)
        waiting = [message.payload for _, message in outbox.pending()]
        assert len(waiting) + outbox.refused == len(expected)
        assert waiting == expected[len(expected) - len(waiting) :]
        outbox.close()


@both_protocols
def test_a_limit_on_packets_costs_neither_events_nor_home_assistant(
    new_mosquitto: Callable[..., Mosquitto],
    subscribe: Callable[..., Subscriber],
    caplog: pytest.LogCaptureFixture,
    protocol: MqttProtocol,
) -> None:
    """Home Assistant gets each entity by itself; one clear warning, and none of another device."""
    caplog.set_level(logging.WARNING)
    broker = new_mosquitto(more="max_packet_size 2000")
    watcher = subscribe(broker.port, "#")
    config = device(broker.config(protocol=protocol))
    whole = discoveries(config, INFO)
    with MqttPublisher(config.mqtt, topics=TOPICS, retry=SOON) as publisher:
        for message in whole:
            publisher.publish(message)
        publisher.publish(event(TOPICS, "1"))
        assert publisher.drain(20)
        assert eventually(lambda: watcher.payloads(TOPICS.event("mic")) == ["1"])
        entities = {
            topic: json.loads(payload)
            for topic, payload, _ in watcher.received
            if topic.startswith("homeassistant/") and payload and "/device/" not in topic
        }
        expected = [json.loads(each.payload) for each in whole if len(each.payload) > 1900]
        assert {each["unique_id"] for each in entities.values()} == {
            component["unique_id"] for each in expected for component in each["cmps"].values()
        }
        assert all({"dev", "o", "avty", "stat_t"} <= each.keys() for each in entities.values())
        for message in whole:
            publisher.publish(clearing_message(message.topic))
        assert publisher.drain(20)
    late = subscribe(broker.port, "#")
    assert eventually(lambda: late.last(TOPICS.status) == "offline")
    assert not [topic for topic, _, _ in late.received if topic.startswith("homeassistant/")]
    assert caplog.text.count("Home Assistant is told of each entity by itself") == 1
    assert "client id" not in caplog.text


@both_protocols
@pytest.mark.parametrize("limit", ["max_packet_size 2000", "message_size_limit 2000"])
def test_a_check_tries_the_largest_message(
    new_mosquitto: Callable[..., Mosquitto], protocol: MqttProtocol, limit: str
) -> None:
    """Whichever way the broker limits it."""
    said = round_trip(device(new_mosquitto(more=limit).config(protocol=protocol, timeout_s=1.0))) or ""
    assert "the broker takes no message of" in said
    assert round_trip(device(new_mosquitto().config(protocol=protocol))) is None
