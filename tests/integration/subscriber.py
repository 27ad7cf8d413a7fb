"""Who listens to what a broker passes on."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from waiting import DEADLINE_S


class Subscriber:
    """A plain paho client, and all it received, in order."""

    def __init__(self, port: int, topic_filter: str = "oido/#") -> None:
        """Connect, and wait until the subscription stands."""
        self.received: list[tuple[str, str, bool]] = []
        """Topic, payload, and whether the broker had retained it."""
        self._filter = topic_filter
        self._subscribed = threading.Event()
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.connect("127.0.0.1", port)
        client.loop_start()
        self.client = client
        assert self._subscribed.wait(DEADLINE_S)

    def close(self) -> None:
        """Disconnect and end the thread."""
        self.client.disconnect()
        self.client.loop_stop()

    def payloads(self, topic: str) -> list[str]:
        """What arrived on one topic."""
        return [payload for name, payload, _ in list(self.received) if name == topic]

    def last(self, topic: str) -> str | None:
        """What arrived last on one topic."""
        payloads = self.payloads(topic)
        return payloads[-1] if payloads else None

    def _on_connect(self, client: paho.Client, *_: Any) -> None:
        client.subscribe(self._filter, qos=1)

    def _on_subscribe(self, *_: Any) -> None:
        self._subscribed.set()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self.received.append((message.topic, message.payload.decode(), message.retain))


@contextlib.contextmanager
def subscribers() -> Iterator[Callable[..., Subscriber]]:
    """Makes subscribers: `make(mosquitto.port)`, `make(mosquitto.port, "oido/+/status")`."""
    made: list[Subscriber] = []

    def make(port: int, topic_filter: str = "oido/#") -> Subscriber:
        subscriber = Subscriber(port, topic_filter)
        made.append(subscriber)
        return subscriber

    try:
        yield make
    finally:
        for subscriber in made:
            subscriber.close()
