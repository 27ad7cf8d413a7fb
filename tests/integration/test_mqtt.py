"""The MQTT contract against a real broker: what a subscriber sees, through outages and refusals."""

import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from broker import Mosquitto, brokers
from certificates import make_certificates
from line import Line
from scripted_broker import connect_once
from subscriber import Subscriber, subscribers
from waiting import DEADLINE_S, eventually

from device.configuration.settings import Config, HomeAssistantConfig, MqttConfig, NodeConfig, SourceConfig
from device.publishing.discovery import discovery_topics
from device.publishing.message import Message, Topics, event_message, state_messages
from device.publishing.mqtt import MqttPublisher
from device.publishing.payloads import EventReport, StateReport
from device.publishing.retry import Retry
from device.publishing.trial import round_trip

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
TOPICS = Topics("oido", "attic")
SOON = Retry(first_s=0.05, longest_s=0.05, refused_s=0.05)
PASSWORDS = {"ear": "correct horse"}

Subscribe = Callable[..., Subscriber]
NewMosquitto = Callable[..., Mosquitto]


@pytest.fixture
def new_mosquitto(tmp_path: Path) -> Iterator[NewMosquitto]:
    """Makes brokers with passwords or TLS; the fixture `mosquitto` has neither."""
    with brokers(tmp_path / "brokers") as make:
        (tmp_path / "brokers").mkdir()
        yield make


@pytest.fixture
def subscribe() -> Iterator[Subscribe]:
    """Makes subscribers, and ends them."""
    with subscribers() as make:
        yield make


def publisher_of(config: MqttConfig) -> MqttPublisher:
    """One that tries again soon."""
    return MqttPublisher(config, topics=TOPICS, retry=SOON)


def checked(mqtt: MqttConfig) -> Config:
    """The configuration that is checked."""
    return Config(node=NodeConfig(name="attic"), source=(SourceConfig(name="mic"),), mqtt=mqtt)


def event(payload: str) -> Message:
    """An event."""
    return Message(TOPICS.event("mic"), payload, qos=1, retain=False, coalesce=False)


def music(payload: str) -> Message:
    """A retained state."""
    return Message(TOPICS.music("mic"), payload, qos=1, retain=True, coalesce=True)


def password_file(directory: Path, password: str) -> str:
    """A file that holds the password."""
    file = directory / "password"
    file.write_text(password + "\n", encoding="utf-8")
    return str(file)


def test_a_late_subscriber_sees_the_state(mosquitto: Mosquitto, subscribe: Subscribe) -> None:
    """Retained: status, availability, music and state; not the event."""
    report = StateReport(
        music="ON",
        score=0.9,
        since=0.0,
        updated=1.0,
        level_dbfs=-20.0,
        model="logistic",
        mode="balanced",
        paused=False,
        reason="music",
    )
    start = EventReport(
        event_type="music_started",
        id="1",
        started=0.0,
        ended=None,
        duration_s=None,
        peak=0.9,
        mean=0.9,
        node="attic",
        source="mic",
        model="logistic",
    )
    said = state_messages(TOPICS, "mic", report)
    with publisher_of(mosquitto.config()) as publisher:
        for message in said:
            publisher.publish(message)
        publisher.publish(event_message(TOPICS.event("mic"), start))
        assert publisher.drain(DEADLINE_S)
        late = subscribe(mosquitto.port)
        assert eventually(lambda: len(late.received) >= 4)
        assert sorted(late.received) == sorted(
            [(TOPICS.status, "online", True), *((message.topic, message.payload, True) for message in said)]
        )


def test_the_last_will_of_a_killed_device_is_offline(mosquitto: Mosquitto, subscribe: Subscribe) -> None:
    """SIGKILL leaves no time for goodbyes; the broker says it, and keeps it for late subscribers."""
    program = (
        "import sys, time\n"
        "from device.configuration.settings import MqttConfig\n"
        "from device.publishing.message import Topics\n"
        "from device.publishing.mqtt import MqttPublisher\n"
        "config = MqttConfig(host='127.0.0.1', port=int(sys.argv[1]))\n"
        "with MqttPublisher(config, topics=Topics('oido', 'attic')):\n"
        "    time.sleep(600)\n"
    )
    watcher = subscribe(mosquitto.port)
    with subprocess.Popen([sys.executable, "-c", program, str(mosquitto.port)], cwd=ROOT) as child:
        try:
            assert eventually(lambda: watcher.last(TOPICS.status) == "online")
        finally:
            child.kill()
    assert eventually(lambda: watcher.last(TOPICS.status) == "offline")
    late = subscribe(mosquitto.port)
    assert eventually(lambda: late.received == [(TOPICS.status, "offline", True)])


def test_an_orderly_end_is_offline_without_the_last_will(mosquitto: Mosquitto, subscribe: Subscribe) -> None:
    """One `offline`, not a second one from the broker."""
    watcher = subscribe(mosquitto.port)
    with publisher_of(mosquitto.config()):
        assert eventually(lambda: watcher.last(TOPICS.status) == "online")
    assert eventually(lambda: mosquitto.logged("Client oido-attic disconnected") == 1)
    watcher.client.publish("oido/marker", "x", qos=1)
    assert eventually(lambda: watcher.last("oido/marker") == "x")
    assert watcher.payloads(TOPICS.status) == ["online", "offline"]


def test_a_restarted_broker_gets_the_state_and_every_event(mosquitto: Mosquitto, subscribe: Subscribe) -> None:
    """Killed, it forgot everything: retained states come again, events of the outage in order, once each."""
    expected = [str(number) for number in range(200)]
    with Line(mosquitto.port) as line, publisher_of(mosquitto.config(port=line.port)) as publisher:
        publisher.publish(music("ON"))
        publisher.publish(event("before"))
        assert publisher.drain(DEADLINE_S)
        mosquitto.kill()
        line.cut()  # until somebody listens to the restarted broker: it keeps no event for later
        publisher.publish(music("OFF"))
        for payload in expected:
            publisher.publish(event(payload))
        publisher.publish(music("ON"))
        mosquitto.start()
        watcher = subscribe(mosquitto.port)
        line.mend()
        assert publisher.drain(DEADLINE_S)
        assert eventually(lambda: len(watcher.payloads(TOPICS.event("mic"))) >= len(expected))
        assert watcher.payloads(TOPICS.status) == ["online"]
        assert watcher.payloads(TOPICS.music("mic")) == ["ON"]
        assert watcher.payloads(TOPICS.event("mic")) == expected
        late = subscribe(mosquitto.port)
        assert eventually(lambda: late.last(TOPICS.music("mic")) == "ON")


def test_a_device_returns_to_a_restarted_broker_by_itself(mosquitto: Mosquitto, subscribe: Subscribe) -> None:
    """Straight to the broker, with nothing in between."""
    with publisher_of(mosquitto.config()) as publisher:
        publisher.publish(music("ON"))
        assert publisher.drain(DEADLINE_S)
        mosquitto.restart()
        watcher = subscribe(mosquitto.port)
        assert eventually(lambda: watcher.last(TOPICS.music("mic")) == "ON")
        assert eventually(lambda: watcher.last(TOPICS.status) == "online")


def test_a_bad_line_neither_loses_nor_reorders_events(mosquitto: Mosquitto, subscribe: Subscribe) -> None:
    """QoS 1 may repeat the event that was under way when the line broke, and only right after itself."""
    expected = [str(number) for number in range(600)]
    watcher = subscribe(mosquitto.port, TOPICS.event("mic"))
    with Line(mosquitto.port) as line, publisher_of(mosquitto.config(port=line.port)) as publisher:
        for number, payload in enumerate(expected):
            publisher.publish(event(payload))
            if number % 100 == 50:
                assert eventually(lambda: len(watcher.received) > 0)
                line.interrupt()
        assert publisher.drain(DEADLINE_S)
        assert eventually(lambda: watcher.last(TOPICS.event("mic")) == expected[-1])
    heard = [payload for payload, _ in itertools.groupby(watcher.payloads(TOPICS.event("mic")))]
    assert heard == expected


def test_the_right_password_lets_the_device_in(new_mosquitto: NewMosquitto, tmp_path: Path) -> None:
    """Read from the first line of a file."""
    broker = new_mosquitto(passwords=PASSWORDS)
    config = broker.config(username="ear", password_file=password_file(tmp_path, PASSWORDS["ear"]))
    assert connect_once(config) is None
    with publisher_of(config) as publisher:
        publisher.publish(event("1"))
        assert publisher.drain(DEADLINE_S)


def test_a_check_publishes_and_reads_it_back(mosquitto: Mosquitto, subscribe: Subscribe) -> None:
    """What others see of it keeps to the contract, and nothing stays behind."""
    watcher = subscribe(mosquitto.port)
    assert round_trip(checked(mosquitto.config())) is None
    assert eventually(lambda: len(watcher.payloads(TOPICS.response("check"))) == 2)  # a short and a long one
    assert subscribe(mosquitto.port).payloads(TOPICS.response("check")) == []


def test_a_check_finds_a_broker_that_swallows(new_mosquitto: NewMosquitto, tmp_path: Path) -> None:
    """Publishing is denied by the access list and acknowledged all the same: the check says so."""
    acl = tmp_path / "acl"
    acl.write_text("topic read oido/#\n")
    broker = new_mosquitto(more=f"acl_file {acl}")
    said = round_trip(checked(broker.config(timeout_s=1.0))) or ""
    assert "did not come back; allow it to write and read oido/attic/#" in said


def test_a_check_finds_an_access_list_without_discovery(new_mosquitto: NewMosquitto, tmp_path: Path) -> None:
    """The device would work, and Home Assistant never hear of it; MQTT 3.1.1 says nothing of that."""
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite oido/#\ntopic read homeassistant/#\n")
    broker = new_mosquitto(more=f"acl_file {acl}")
    said = round_trip(checked(broker.config(timeout_s=1.0))) or ""
    assert "did not come back; allow it to write and read homeassistant/device/+/config" in said
    unwanted = replace(checked(broker.config()), homeassistant=HomeAssistantConfig(enabled=False))
    assert round_trip(unwanted) is None


def test_a_check_leaves_discovery_as_it_is(mosquitto: Mosquitto, subscribe: Subscribe) -> None:
    """Retained or not: Home Assistant is told nothing that it does not know, and above all no empty message."""
    config = checked(mosquitto.config())
    (topic, *_) = discovery_topics(config)
    early = subscribe(mosquitto.port, "homeassistant/#")
    assert round_trip(config) is None
    assert early.payloads(topic) == []
    early.client.publish(topic, "known", qos=1, retain=True)
    assert eventually(lambda: early.last(topic) == "known")
    assert round_trip(config) is None
    assert set(early.payloads(topic)) == {"known"}
    late = subscribe(mosquitto.port, topic)
    assert eventually(lambda: late.last(topic) == "known")


def test_a_wrong_password_is_reported_once_and_not_hammered(
    new_mosquitto: NewMosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A sentence without the password, and no second attempt for a good while."""
    broker = new_mosquitto(passwords=PASSWORDS)
    config = broker.config(username="ear", password_file=password_file(tmp_path, "wrong battery"))
    with MqttPublisher(config, topics=TOPICS, retry=Retry(first_s=0.01, refused_s=3600)) as publisher:
        publisher.publish(event("1"))
        assert eventually(lambda: "refuses" in caplog.text)
        assert not publisher.drain(0.3)
        assert publisher.queued_events == 1
    sentence = (
        f"the MQTT broker at 127.0.0.1:{broker.port} refuses the user 'ear'; "
        "check [mqtt] username and password_file"
    )
    assert [record.message for record in caplog.records if "refuses" in record.message] == [sentence]
    assert "wrong battery" not in caplog.text
    assert broker.logged("not authorised") == 1


def test_checking_a_wrong_password(new_mosquitto: NewMosquitto, tmp_path: Path) -> None:
    """`oido check` says which setting to look at."""
    broker = new_mosquitto(passwords=PASSWORDS)
    wrong = broker.config(username="ear", password_file=password_file(tmp_path, "wrong battery"))
    assert "refuses the user 'ear'" in (connect_once(wrong) or "")
    assert "wants a user name" in (connect_once(broker.config()) or "")


@pytest.fixture
def tls_broker(new_mosquitto: NewMosquitto, tmp_path: Path) -> Mosquitto:
    """A broker for `localhost` under an authority of our own."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (apt install openssl)")
    return new_mosquitto(tls=make_certificates(tmp_path))


def test_tls_with_an_authority_of_our_own(tls_broker: Mosquitto) -> None:
    """Every event arrives: the encrypted connection hides waiting bytes from select."""
    assert tls_broker.tls is not None
    config = tls_broker.config(tls=True, ca_file=str(tls_broker.tls.authority))
    assert connect_once(config) is None
    with publisher_of(config) as publisher:
        for number in range(100):
            publisher.publish(event(str(number)))
        assert publisher.drain(DEADLINE_S)


def test_tls_problems_have_their_sentences(tls_broker: Mosquitto, new_mosquitto: NewMosquitto) -> None:
    """An unknown authority, another name in the certificate, and no TLS on one of the two sides."""
    assert tls_broker.tls is not None
    authority = str(tls_broker.tls.authority)
    assert "cannot be trusted" in (connect_once(tls_broker.config(tls=True)) or "")
    other_name = tls_broker.config(tls=True, ca_file=authority, host="127.0.0.1")
    assert "cannot be trusted" in (connect_once(other_name) or "")
    assert "check [mqtt] port and tls" in (connect_once(tls_broker.config()) or "")
    plain = new_mosquitto().config(tls=True, ca_file=authority)
    assert "check [mqtt] port and tls" in (connect_once(plain) or "")


def test_a_check_leaves_the_running_device_alone(mosquitto: Mosquitto, subscribe: Subscribe) -> None:
    """No take-over, no `offline`."""
    watcher = subscribe(mosquitto.port, TOPICS.status)
    with publisher_of(mosquitto.config()) as publisher:
        assert eventually(lambda: watcher.last(TOPICS.status) == "online")
        assert connect_once(mosquitto.config()) is None
        publisher.publish(event("1"))
        assert publisher.drain(DEADLINE_S)
        assert watcher.payloads(TOPICS.status) == ["online"]


def test_a_command_reaches_the_device(mosquitto: Mosquitto, subscribe: Subscribe) -> None:
    """Sent as soon as the device is seen online, it is not missed."""
    heard: list[tuple[str, bytes]] = []
    sender = subscribe(mosquitto.port)
    with MqttPublisher(
        mosquitto.config(),
        topics=TOPICS,
        on_command=lambda source, payload: heard.append((source, payload)),
        retry=SOON,
    ):
        assert eventually(lambda: sender.last(TOPICS.status) == "online")
        sender.client.publish(TOPICS.set("mic"), '{"paused":true}', qos=1)
        assert eventually(lambda: bool(heard))
    assert heard == [("mic", b'{"paused":true}')]
