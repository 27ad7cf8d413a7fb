"""Tries whether the broker does what the daemon needs: a part of `oido check`."""

import secrets
import time

from device.configuration.settings import MqttConfig
from device.errors import ConfigurationError, PublishError
from device.publishing.message import Message, Topics, response_message
from device.publishing.payloads import Response
from device.publishing.session import Session, connected

SOURCE = "check"
"""The `<source>` in the topic of the trial."""

_STEP_S = 0.1


def round_trip(config: MqttConfig, topics: Topics) -> str | None:
    """Connect, subscribe to commands, publish, and read that back; None, or one sentence that says what failed.

    In MQTT 3.1.1 a broker cannot refuse a message: if its access list denies publishing, it acknowledges all the
    same, and events would be lost unnoticed. Only a message that comes back was taken.

    Args:
        config: the broker; each step may take its `timeout_s`.
        topics: of this device.
    """
    try:
        session = connected(config)
    except (ConfigurationError, PublishError) as error:
        return str(error)
    try:
        return _exchange(session, topics, timeout_s=config.timeout_s)
    finally:
        session.disconnect()


def _message(topics: Topics) -> Message:
    """A message that no other device sends, and that keeps to the contract."""
    response = Response(
        transaction=secrets.token_hex(8),
        ok=True,
        error=None,
        paused=False,
        mode="balanced",
        model="check",
        log_level="info",
    )
    return response_message(topics, SOURCE, response)


def _exchange(session: Session, topics: Topics, *, timeout_s: float) -> str | None:
    message = _message(topics)
    topic = message.topic
    session.subscribe(topics.set("+"))
    session.subscribe(topic)
    session.send(message)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        happened = session.step(timeout_s=_STEP_S)
        if happened.denied:
            return f"the broker does not let this device read {happened.denied[0]}; allow it in its access list"
        if happened.refused:
            return f"the broker does not let this device write {topic}: {happened.refused[0][1]}"
        if any(received == (topic, message.payload.encode(), False) for received in happened.received):
            return None
        if not session.alive:
            return str(session.ending)
    return (
        f"the broker accepts this device, but what it published to {topic} did not come back; allow it to write "
        f"and read {topics.base}/{topics.node}/# in the broker's access list"
    )
