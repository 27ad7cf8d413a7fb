"""What a broker retains of this device: found and cleared for `oido check`."""

import time
from collections.abc import Collection

from device.configuration.settings import Config, MqttConfig
from device.errors import PublishError
from device.publishing.discovery import discovery_filter, is_of
from device.publishing.message import Topics, clearing_message
from device.publishing.session import Session, connected

QUIET_S = 1.0
"""A broker sends its retained messages at once; after so long without another one, that was all."""


def retained_discovery(config: Config) -> tuple[str, ...]:
    """Every retained discovery topic that this device has ever filled, of renamed sources too.

    Raises:
        ConfigurationError: no host is set, or a password or certificate file cannot be used.
        PublishError: the broker cannot be reached, or does not allow it.
    """
    topics = Topics.of(config)
    found = _retained(config.mqtt, [discovery_filter(config.homeassistant.discovery_prefix)])
    return tuple(sorted(topic for topic, payload in found.items() if is_of(topics, payload)))


def retained_by(config: Config, known: Collection[str]) -> tuple[str, ...]:
    """Every topic of this device that holds something: under its name, in discovery, and those that it knows.

    Args:
        config: names broker, device and discovery.
        known: topics of the ledger, also under names that the device no longer has.

    Raises:
        ConfigurationError: no host is set, or a password or certificate file cannot be used.
        PublishError: the broker cannot be reached, or does not allow it.
    """
    topics = Topics.of(config)
    own = f"{topics.base}/{topics.node}/"
    discovery = discovery_filter(config.homeassistant.discovery_prefix)
    found = _retained(config.mqtt, [f"{own}#", discovery, *sorted(known)])
    return tuple(
        sorted(
            topic
            for topic, payload in found.items()
            if topic.startswith(own) or topic in known or is_of(topics, payload)
        )
    )


def clear(config: MqttConfig, topics: Collection[str]) -> None:
    """Empty these retained topics.

    Raises:
        ConfigurationError: no host is set, or a password or certificate file cannot be used.
        PublishError: the broker cannot be reached, or does not allow it.
    """
    session = connected(config)
    try:
        waiting = {session.send(clearing_message(topic)): topic for topic in topics}
        while waiting:
            happened = session.step(timeout_s=QUIET_S)  # after the settings' `timeout_s` it gives up
            for packet_id in happened.acknowledged:
                waiting.pop(packet_id, None)
            for packet_id, reason in happened.refused:
                raise PublishError(f"the broker does not take {waiting.get(packet_id)} ({reason})")
            if waiting and not session.alive:
                raise session.ending
    finally:
        session.disconnect()


def _retained(config: MqttConfig, filters: Collection[str]) -> dict[str, bytes]:
    """What the broker retains under these filters, by topic."""
    session = connected(config)
    try:
        for topic_filter in filters:
            session.subscribe(topic_filter)
        return _received(session)
    finally:
        session.disconnect()


def _received(session: Session) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    quiet_at = time.monotonic() + QUIET_S
    while (left_s := quiet_at - time.monotonic()) > 0:
        happened = session.step(timeout_s=left_s)
        if not session.alive:
            raise session.ending
        for topic_filter in happened.denied:
            raise PublishError(f"the broker does not let this device read {topic_filter}; check its access list")
        retained = {topic: payload for topic, payload, retained in happened.received if retained}
        found |= retained
        if retained:
            quiet_at = time.monotonic() + QUIET_S
    return found
