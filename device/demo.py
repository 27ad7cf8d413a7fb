"""`oido demo`: bundled speech, then music, then speech, through the whole path and a real MQTT session.

Nothing needs to be installed or configured: the broker (amqtt) runs in this process, on a free port of the
loopback interface; the daemon publishes to it as to any broker, and a subscriber prints what arrives.
"""

import argparse
import asyncio
import contextlib
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from device.commands.options import add_model
from device.configuration.settings import Config, ModelConfig, MqttConfig, NodeConfig, SourceConfig
from device.daemon.daemon import run as run_daemon
from device.errors import OidoError, PublishError
from device.sound import Block
from device.sources.recording import Pace, Recording

AUDIO = Path(__file__).parent / "audio"
"""Where it comes from stands in SOURCES.md beside it."""

SCENE = ("speech.ogg", "music.ogg", "speech.ogg")

_START_S = 10.0
"""How long the broker may take to start on a slow machine."""

_END_S = 5.0
"""How long it may take to end; then it is left to end with the process."""

_QUIET_S = 5.0
"""How long to wait for the last message."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `demo`."""
    parser.add_argument(
        "--pace",
        choices=["live", "fast"],
        default="fast",
        help="as it sounds, or as fast as possible (default: fast)",
    )
    add_model(parser)


def run(arguments: argparse.Namespace) -> int:
    """Play the scene and print every message."""
    make = _amqtt()
    print(
        "speech for 24 s, then Bach for 24 s, then speech again; what a subscriber to oido/# sees:\n", flush=True
    )
    with embedded_broker(make) as port:
        subscriber = Subscriber(port, wanted="oido/#", last=("oido/demo/status", "offline"))
        try:
            code = run_daemon(
                _configuration(port, arguments),
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


@contextmanager
def embedded_broker(make: Callable[[dict[str, Any]], Any], *, patience_s: float = _START_S) -> Iterator[int]:
    """Run a broker on a free loopback port, in a thread named `broker`, while the context is open.

    Args:
        make: makes the broker of its configuration, inside a running event loop.
        patience_s: how long it may take to start.

    Yields:
        The port.

    Raises:
        PublishError: it cannot start.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    started: list[Any] = []

    async def start() -> None:
        anonymous = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
        listeners = {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}}
        broker = make({"listeners": listeners, "plugins": anonymous})
        await broker.start()
        started.append(broker)

    async def end() -> None:
        for broker in started:
            await asyncio.wait_for(broker.shutdown(), _END_S)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    loop = asyncio.new_event_loop()
    # A daemon thread: a broker that hangs must not hold the program.
    thread = threading.Thread(target=loop.run_forever, name="broker", daemon=True)
    thread.start()
    try:
        try:
            asyncio.run_coroutine_threadsafe(start(), loop).result(patience_s)
        except Exception as error:
            why = f"not within {patience_s:g} s" if isinstance(error, TimeoutError) else error
            raise PublishError(f"the demo's broker did not start on port {port}: {why}; try it again") from error
        yield port
    finally:
        # What goes wrong at its end changes nothing any more.
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(end(), loop).result(2 * _END_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_END_S)
        if not thread.is_alive():
            loop.close()


def _amqtt() -> Callable[[dict[str, Any]], Any]:
    """The class of amqtt's broker.

    Raises:
        OidoError: amqtt is not installed.
    """
    try:
        import amqtt.broker  # noqa: PLC0415 - an extra that only the demo needs
    except ImportError as error:
        raise OidoError(
            "the demo needs a broker of its own: pip install 'oido[demo]' in a virtual environment; "
            "where there is a broker, oido run --input FILE --pace fast shows as much"
        ) from error
    # Of a broker for one minute and one subscriber, only failures are news; those are raised.
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    broker: Callable[[dict[str, Any]], Any] = amqtt.broker.Broker
    return broker


class Subscriber:
    """Prints what arrives, until one last message has."""

    def __init__(self, port: int, *, wanted: str, last: tuple[str, str], patience_s: float = _START_S) -> None:
        """Connect and subscribe.

        Args:
            port: of the broker, on the loopback interface.
            wanted: the topics to print.
            last: topic and payload of the message after which nothing is printed any more.
            patience_s: how long the broker may take to answer.

        Raises:
            PublishError: the broker did not answer.
        """
        self._last = last
        self._subscribed = threading.Event()
        self._done = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="demo-subscriber")
        self._client.on_connect = lambda client, *_: client.subscribe(wanted, qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        try:
            self._client.connect("127.0.0.1", port)
        except OSError as error:
            raise PublishError(f"the demo's broker cannot be reached: {error.strerror}; try it again") from error
        self._client.loop_start()
        if not self._subscribed.wait(patience_s):
            self.close()
            raise PublishError(f"the demo's broker does not answer within {patience_s:g} s; try it again")

    def wait(self, timeout_s: float) -> bool:
        """Whether the last message came in time."""
        return self._done.wait(timeout_s)

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        payload = message.payload.decode()
        if not self._done.is_set():
            try:
                sys.stdout.write(f"{message.topic} {payload}\n")
                sys.stdout.flush()
            except OSError:
                self._done.set()  # nothing more can be shown; the command line says why at the end
        if (message.topic, payload) == self._last:
            self._done.set()
