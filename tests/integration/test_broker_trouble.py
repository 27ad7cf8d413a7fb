"""A real broker that hangs, wants a certificate, speaks MQTT 5, or is used by two devices of one name."""

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest
from broker import Mosquitto, brokers
from certificates import make_certificates
from scripted_broker import connect_once
from subscriber import Subscriber, subscribers
from waiting import DEADLINE_S, eventually

from device.configuration.settings import MqttConfig, MqttProtocol
from device.publishing.message import Message, Topics
from device.publishing.mqtt import MqttPublisher
from device.publishing.retry import Retry

pytestmark = pytest.mark.integration

TOPICS = Topics("oido", "attic")
SOON = Retry(first_s=0.05, longest_s=0.05, refused_s=0.05)

Subscribe = Callable[..., Subscriber]
NewMosquitto = Callable[..., Mosquitto]

both_protocols = pytest.mark.parametrize("protocol", get_args(MqttProtocol))


@pytest.fixture
def new_mosquitto(tmp_path: Path) -> Iterator[NewMosquitto]:
    """Makes brokers with passwords or TLS."""
    (tmp_path / "brokers").mkdir()
    with brokers(tmp_path / "brokers") as make:
        yield make


@pytest.fixture
def subscribe() -> Iterator[Subscribe]:
    """Makes subscribers, and ends them."""
    with subscribers() as make:
        yield make


def publisher_of(config: MqttConfig, retry: Retry = SOON) -> MqttPublisher:
    """One that tries again soon."""
    return MqttPublisher(config, topics=TOPICS, retry=retry)


def event(payload: str) -> Message:
    """An event."""
    return Message(TOPICS.event("mic"), payload, qos=1, retain=False, coalesce=False)


def music(payload: str) -> Message:
    """A retained state."""
    return Message(TOPICS.music("mic"), payload, qos=1, retain=True, coalesce=True)


@both_protocols
def test_a_broker_that_hangs_is_noticed_and_survived(
    mosquitto: Mosquitto, subscribe: Subscribe, caplog: pytest.LogCaptureFixture, protocol: MqttProtocol
) -> None:
    """SIGSTOP: no acknowledgement. What was said meanwhile arrives when it goes on, in order."""
    watcher = subscribe(mosquitto.port)
    with publisher_of(mosquitto.config(protocol=protocol, timeout_s=0.5)) as publisher:
        publisher.publish(event("1"))
        assert eventually(lambda: watcher.last(TOPICS.event("mic")) == "1")
        mosquitto.freeze()
        publisher.publish(event("2"))
        publisher.publish(music("ON"))
        assert eventually(lambda: "no longer answers" in caplog.text)
        assert eventually(lambda: "does not answer" in caplog.text)  # the next attempts
        publisher.publish(event("3"))
        mosquitto.thaw()
        assert publisher.drain(DEADLINE_S)
        assert eventually(lambda: watcher.last(TOPICS.event("mic")) == "3")
    heard = watcher.payloads(TOPICS.event("mic"))
    assert list(dict.fromkeys(heard)) == ["1", "2", "3"]  # 2 may come twice, over both connections


def test_a_silent_broker_that_hangs_is_noticed_by_its_pings(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is published; after twice the keep-alive, here 5 s, at most."""
    with publisher_of(mosquitto.config(keepalive_s=5, timeout_s=1.0)) as publisher:
        publisher.publish(event("1"))
        assert publisher.drain(DEADLINE_S)
        mosquitto.freeze()
        assert eventually(lambda: "no longer answers" in caplog.text)
        mosquitto.thaw()
        publisher.publish(event("2"))
        assert publisher.drain(DEADLINE_S)


@pytest.fixture
def strict_broker(new_mosquitto: NewMosquitto, tmp_path: Path) -> Mosquitto:
    """A broker with TLS that lets only devices with a certificate in."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (apt install openssl)")
    return new_mosquitto(tls=make_certificates(tmp_path), wants_certificate=True)


@both_protocols
def test_a_certificate_lets_the_device_in(strict_broker: Mosquitto, protocol: MqttProtocol) -> None:
    """And every event arrives."""
    tls = strict_broker.tls
    assert tls is not None
    config = strict_broker.config(
        tls=True,
        protocol=protocol,
        ca_file=str(tls.authority),
        cert_file=str(tls.device_certificate),
        key_file=str(tls.device_key),
    )
    assert connect_once(config) is None
    with publisher_of(config) as publisher:
        for number in range(100):
            publisher.publish(event(str(number)))
        assert publisher.drain(DEADLINE_S)


def test_a_missing_certificate_is_said(strict_broker: Mosquitto) -> None:
    """With the settings to look at, whether the broker's alert arrived or only its hanging up."""
    assert strict_broker.tls is not None
    said = connect_once(strict_broker.config(tls=True, ca_file=str(strict_broker.tls.authority))) or ""
    assert "certificate of this device" in said
    assert "cert_file" in said


@both_protocols
def test_both_protocols_say_the_same(mosquitto: Mosquitto, subscribe: Subscribe, protocol: MqttProtocol) -> None:
    """States, events, commands, an orderly end."""
    heard: list[bytes] = []
    watcher = subscribe(mosquitto.port)
    with MqttPublisher(
        mosquitto.config(protocol=protocol),
        topics=TOPICS,
        on_command=lambda _, payload: heard.append(payload),
        retry=SOON,
    ) as publisher:
        publisher.publish(music("ON"))
        for number in range(50):
            publisher.publish(event(str(number)))
        assert publisher.drain(DEADLINE_S)
        watcher.client.publish(TOPICS.set("mic"), b"{}", qos=1)
        assert eventually(lambda: heard == [b"{}"])
        late = subscribe(mosquitto.port)
        assert eventually(lambda: late.last(TOPICS.music("mic")) == "ON")
    assert eventually(lambda: watcher.last(TOPICS.status) == "offline")
    assert watcher.payloads(TOPICS.event("mic")) == [str(number) for number in range(50)]


def test_five_says_a_wrong_password_in_plain_words(new_mosquitto: NewMosquitto, tmp_path: Path) -> None:
    """The reason code as the same sentence that 3.1.1 has; the right one lets the device in."""
    broker = new_mosquitto(passwords={"ear": "correct horse"})
    file = tmp_path / "password"
    file.write_text("wrong battery", encoding="utf-8")
    config = broker.config(protocol="5", username="ear", password_file=str(file))
    assert "refuses the user 'ear'" in (connect_once(config) or "")
    file.write_text("correct horse", encoding="utf-8")
    assert connect_once(config) is None


@both_protocols
def test_two_devices_of_one_name_do_not_fight(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture, protocol: MqttProtocol
) -> None:
    """Said once, with what to do; then whoever was thrown out stays out for a good while."""
    caplog.set_level(logging.WARNING)
    patient = Retry(first_s=0.05, longest_s=0.05, refused_s=3600)
    config = mosquitto.config(protocol=protocol)
    with publisher_of(config, patient) as one, publisher_of(config, patient) as other:
        assert eventually(lambda: "same client id" in caplog.text)
        for each in (one, other):
            each.publish(event("1"))
        assert eventually(lambda: one.drain(0) or other.drain(0))
        assert not (one.drain(0.2) and other.drain(0.2))
    assert sum("same client id 'oido-attic'" in record.message for record in caplog.records) == 1
