"""Which topics this device has filled at the broker: what is no longer wanted there must be cleared by it.

A broker keeps a retained message for ever. Whoever renames a source would otherwise leave its old topics behind,
`ON` and with a switch in Home Assistant that nobody obeys.
"""

import threading
from collections.abc import Iterable

from device.configuration.settings import Config
from device.publishing.discovery import discovered_sources, discovery_topics, former_discovery_topic
from device.publishing.message import Topics


class Ledger:
    """The retained topics, in memory; from any thread. `FileLedger` is one that outlives the process."""

    def __init__(self) -> None:
        """Know of none."""
        self._lock = threading.Lock()
        self._topics: set[str] = set()
        self._unsaved = False
        """Whether a topic was dropped since the latest writing."""

    @property
    def topics(self) -> frozenset[str]:
        """All that are known."""
        with self._lock:
            return frozenset(self._topics)

    def note(self, topics: Iterable[str]) -> None:
        """These are about to be published. Returns when that would survive a loss of power; never fails."""
        with self._lock:
            new = set(topics) - self._topics
            if new:
                self._topics |= new
                self._write()

    def drop(self, topic: str) -> None:
        """The broker has acknowledged that the topic is empty. Written with the next `save`."""
        with self._lock:
            if topic in self._topics:
                self._topics.discard(topic)
                self._unsaved = True

    def save(self) -> None:
        """Write what was dropped; nothing, where nothing was."""
        with self._lock:
            if self._unsaved:
                self._write()

    def _write(self) -> None:
        """Keep the topics beyond the process."""
        self._unsaved = False


def retained_topics(config: Config) -> frozenset[str]:
    """Every topic that a device with this configuration retains at its broker; none without a broker."""
    if not config.mqtt.host:
        return frozenset()
    topics, discovered = Topics.of(config), discovered_sources(config)
    of_each = (topics.availability, topics.music, topics.state, topics.telemetry)
    spoken = {topic(source.name) for source in config.source for topic in of_each}
    summaries = {topics.summary(source.name) for source in discovered}
    return frozenset({topics.status, topics.info, topics.process, *spoken, *summaries, *discovery_topics(config)})


def former_topics(config: Config) -> frozenset[str]:
    """Where version 0.1 retained the discovery of these sources, as far as that is elsewhere today.

    That version kept no ledger.
    """
    prefix, topics = config.homeassistant.discovery_prefix, Topics.of(config)
    former = {former_discovery_topic(topics, source.name, prefix=prefix) for source in config.source}
    return frozenset(former - set(discovery_topics(config)))
