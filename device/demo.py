"""`oido demo`: bundled speech, then music, then speech, through the whole path and a real MQTT session.

Nothing needs to be installed or configured: the broker (amqtt) runs in this process, on a free port of the
loopback interface; the daemon publishes to it as to any broker, and a subscriber prints what arrives.
"""

import argparse
import asyncio
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from device.commands.options import add_model
from device.configuration.settings import Config, ModelConfig, MqttConfig, NodeConfig, SourceConfig
from device.daemon.daemon import run as run_daemon
from device.errors import PublishError, UsageError
from device.sound import Block
from device.sources.recording import Pace, Recording

AUDIO = Path(__file__).parent / "audio"
"""Where it comes from stands in SOURCES.md beside it."""

SCENE = ("speech.ogg", "music.ogg", "speech.ogg")

_START_S = 10.0
"""How long the broker may take to start on a slow machine."""

_QUIET_S = 5.0
"""How long to wait for the last message."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `demo`."""
    parser.add_argument(
        "--pace", choices=["live", "fast"], default="fast", help="as it sounds, or at once (default)"
    )
    add_model(parser)


def run(arguments: argparse.Namespace) -> int:
    """Play the scene and print every message."""
    print(
        "speech for 24 s, then Bach for 24 s, then speech again; what a subscriber to oido/# sees:\n", flush=True
    )
    with EmbeddedBroker() as broker:
        subscriber = Subscriber(broker.port, wanted="oido/#", last=("oido/demo/status", "offline"))
        try:
            code = run_daemon(
                _configuration(broker.port, arguments),
                open_source=lambda source: Scene(source.name, arguments.pace),
                origin=0.0,
            )
            complete = subscriber.wait(_QUIET_S)
        finally:
            subscriber.close()
    if not complete:
        raise PublishError("the demo's broker did not pass on every message; try it again on a less busy machine")
    return code


def _configuration(port: int, arguments: argparse.Namespace) -> Config:
    model = ModelConfig()
    model = replace(model, name=arguments.model or model.name, mode=arguments.mode or model.mode)
    return Config(
        node=NodeConfig(name="demo"),
        source=(SourceConfig(name="room", kind="file", path=str(AUDIO)),),
        model=model,
        mqtt=MqttConfig(host="127.0.0.1", port=port, telemetry_interval_s=30.0, state_interval_s=10.0),
    )


class Scene:
    """The bundled recordings one after another, as one source."""

    def __init__(self, name: str, pace: Pace) -> None:
        self.name = name
        self._parts = [Recording(AUDIO / file, name=name, pace=pace) for file in SCENE]
        self._closed = False

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks of every part, numbered through."""
        start = 0
        for part in self._parts:
            for block in part.blocks():
                yield replace(block, start=start)
                start += block.samples.size
            if self._closed:
                return

    def close(self) -> None:
        """End soon."""
        self._closed = True
        for part in self._parts:
            part.close()

    @property
    def duration_s(self) -> float:
        """Seconds of the whole scene."""
        return sum(part.duration_s or 0.0 for part in self._parts)


class EmbeddedBroker:
    """amqtt on a free loopback port, in a thread named `broker`, for as long as its context is open."""

    def __init__(self) -> None:
        self.port = _free_port()
        self._loop = asyncio.new_event_loop()
        self._started: threading.Event = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="broker")
        self._stop: asyncio.Event | None = None

    def __enter__(self) -> Self:
        """Start it, and wait until it listens.

        Raises:
            UsageError: amqtt is not installed.
            PublishError: it cannot start.
        """
        try:
            import amqtt.broker  # noqa: F401, PLC0415 - an extra that only the demo needs
        except ImportError as error:
            raise UsageError(
                "the demo needs a broker of its own: pip install 'oido[demo]' in a virtual environment; "
                "where there is a broker, oido run --input FILE --pace fast shows as much"
            ) from error
        # Of a broker for one minute and one subscriber, only failures are news; those are raised.
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._thread.start()
        if not self._started.wait(_START_S) or self._failure is not None:
            raise PublishError(f"the demo's broker did not start on port {self.port}: {self._failure}")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        if self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # noqa: BLE001 - reported by __enter__
            self._failure = error
        finally:
            self._started.set()
            self._loop.close()

    async def _serve(self) -> None:
        from amqtt.broker import Broker  # noqa: PLC0415 - see __enter__

        broker = Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            }
        )
        self._stop = asyncio.Event()
        await broker.start()
        self._started.set()
        await self._stop.wait()
        await broker.shutdown()


class Subscriber:
    """Prints what arrives, until one last message has."""

    def __init__(self, port: int, *, wanted: str, last: tuple[str, str]) -> None:
        """Connect and subscribe.

        Raises:
            PublishError: the broker did not answer.
        """
        self._wanted = wanted
        self._last = last
        self._subscribed = threading.Event()
        self._done = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="demo-subscriber")
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        if not self._subscribed.wait(_START_S):
            self.close()
            raise PublishError("the demo's broker does not answer")

    def wait(self, timeout_s: float) -> bool:
        """Whether the last message came in time."""
        return self._done.wait(timeout_s)

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: paho.Client, *_: Any) -> None:
        client.subscribe(self._wanted, qos=1)

    def _on_subscribe(self, *_: Any) -> None:
        self._subscribed.set()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        payload = message.payload.decode()
        if not self._done.is_set():
            sys.stdout.write(f"{message.topic} {payload}\n")
            sys.stdout.flush()
        if (message.topic, payload) == self._last:
            self._done.set()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
