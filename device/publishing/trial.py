"""Tries whether the broker does what the daemon needs: a part of `oido check`."""

import secrets
import time

from device.configuration.settings import Config
from device.errors import ConfigurationError, PublishError
from device.publishing.discovery import discoveries, discovery_filter, discovery_topics, trial_topic
from device.publishing.message import Message, Topics, response_message
from device.publishing.payloads import DeviceInfo, Response
from device.publishing.session import Session, connected
from device.publishing.session_ender import packet_bytes

SOURCE = "check"
"""The `<source>` in the topic of the trial."""

_STEP_S = 0.1

_ANYBODY = DeviceInfo(
    version="0.1.0", model="attention", model_sha256="0" * 64, hardware="Raspberry Pi Zero 2 W Rev 1.0", python="3"
)
"""What a device says of itself is about as long as this."""


def round_trip(config: Config) -> str | None:
    """Connect, subscribe to commands, publish, and read that back; None, or one sentence that says what failed.

    In MQTT 3.1.1 a broker cannot refuse a message: if its access list denies publishing, it acknowledges all the
    same, and events would be lost unnoticed. Only a message that comes back was taken.

    Args:
        config: names broker, device and discovery; each step may take the broker's `timeout_s`.
    """
    try:
        session = connected(config.mqtt)
    except (ConfigurationError, PublishError) as error:
        return str(error)
    try:
        return _Trial(session, config).run()
    finally:
        session.disconnect()


def _message(topics: Topics, *, padding: int = 0) -> Message:
    """A message that no other device sends, and that keeps to the contract; so many bytes longer than needed."""
    response = Response(
        transaction=secrets.token_hex(8) + "0" * padding,
        ok=True,
        error=None,
        paused=False,
        mode="balanced",
        model="check",
        log_level="info",
    )
    return response_message(topics, SOURCE, response)


class _Trial:
    """One session, and what has come back in it."""

    def __init__(self, session: Session, config: Config) -> None:
        self._session = session
        self._config = config
        self._topics = Topics.of(config)
        self._timeout_s = config.mqtt.timeout_s
        self._prefix = config.homeassistant.discovery_prefix
        self._discovery = discovery_topics(config)
        self._retained: dict[str, str] = {}

    def run(self) -> str | None:
        """Try everything; None, or one sentence."""
        response, topics = _message(self._topics), self._topics
        no_device = trial_topic(topics, SOURCE, prefix=self._prefix)
        discovery = [*self._discovery, no_device] if self._discovery else []
        for topic_filter in (topics.set("+"), *discovery, response.topic):
            self._session.subscribe(topic_filter)
        failure = self._try(response, f"{topics.base}/{topics.node}/#")
        for topic in self._discovery:
            # Home Assistant knows what is retained: that changes nothing there. Nor does nothing about no device.
            where, payload = (topic, self._retained[topic]) if topic in self._retained else (no_device, "")
            message = Message(where, payload, qos=1, retain=False, coalesce=False)
            failure = failure or self._try(message, discovery_filter(self._prefix))
        return failure or self._try_largest()

    def _try_largest(self) -> str | None:
        """Try a message as long as the longest that the device sends."""
        longest = max(map(packet_bytes, discoveries(self._config, _ANYBODY)), default=0)
        message = _message(self._topics, padding=max(0, longest - packet_bytes(_message(self._topics))))
        if packet_bytes(message) <= self._session.largest_packet and self._try(message, "all of it") is None:
            return None
        return (
            f"the broker takes no message of {packet_bytes(message)} bytes, as the device sends them to Home "
            "Assistant: it tells each entity by itself then; raise the broker's limit (max_packet_size, "
            "message_size_limit)"
        )

    def _try(self, message: Message, allow: str) -> str | None:
        """Publish and wait for it to come back."""
        topic = message.topic
        self._session.send(message)
        deadline = time.monotonic() + self._timeout_s
        while time.monotonic() < deadline:
            happened = self._session.step(timeout_s=_STEP_S)
            if happened.denied:
                return (
                    f"the broker does not let this device read {happened.denied[0]}; allow it in its access list"
                )
            if happened.refused:
                return f"the broker does not let this device write {topic}: {happened.refused[0][1]}"
            for received, payload, retained in happened.received:
                if retained:
                    self._retained[received] = payload.decode("utf-8", "replace")
            if any(received == (topic, message.payload.encode(), False) for received in happened.received):
                return None
            if not self._session.alive:
                return str(self._session.ending)
        return (
            f"the broker accepts this device, but what it published to {topic} did not come back; allow it to "
            f"write and read {allow} in the broker's access list"
        )
