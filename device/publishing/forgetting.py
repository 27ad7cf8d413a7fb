"""Removes this device from Home Assistant: `oido check --forget-discovery`."""

import time

from device.configuration.settings import MqttConfig
from device.errors import PublishError
from device.publishing.discovery import discovery_filter, forgetting_message, is_of
from device.publishing.message import Topics
from device.publishing.session import Session, connected

QUIET_S = 1.0
"""A broker sends its retained messages at once; after so long without another one, that was all."""


def forget_discovery(config: MqttConfig, *, topics: Topics, prefix: str) -> tuple[str, ...]:
    """Empty every retained discovery topic that this device has ever filled, renamed sources included.

    Args:
        config: the broker.
        topics: of the device.
        prefix: of Home Assistant's discovery topics.

    Returns:
        The topics that were emptied, in order.

    Raises:
        ConfigurationError: a password or certificate file cannot be used.
        PublishError: the broker cannot be reached, or does not allow it.
    """
    session = connected(config)
    try:
        session.subscribe(discovery_filter(prefix))
        found = _ours(session, topics)
        _empty(session, found)
    finally:
        session.disconnect()
    return found


def _ours(session: Session, topics: Topics) -> tuple[str, ...]:
    found: set[str] = set()
    quiet_at = time.monotonic() + QUIET_S
    while (left_s := quiet_at - time.monotonic()) > 0:
        happened = session.step(timeout_s=left_s)
        if not session.alive:
            raise session.ending
        for topic_filter in happened.denied:
            raise PublishError(f"the broker does not let this device read {topic_filter}; check its access list")
        retained = [(topic, payload) for topic, payload, retained in happened.received if retained]
        found.update(topic for topic, payload in retained if is_of(topics, payload))
        if retained:
            quiet_at = time.monotonic() + QUIET_S
    return tuple(sorted(found))


def _empty(session: Session, found: tuple[str, ...]) -> None:
    waiting = {session.send(forgetting_message(topic)): topic for topic in found}
    while waiting:
        happened = session.step(timeout_s=QUIET_S)  # after the settings' `timeout_s` it gives up
        for packet_id in happened.acknowledged:
            waiting.pop(packet_id, None)
        for packet_id, reason in happened.refused:
            raise PublishError(f"the broker does not take {waiting.get(packet_id)} ({reason})")
        if waiting and not session.alive:
            raise session.ending
