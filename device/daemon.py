"""`oido run`: a listener for every source, one publisher, and an orderly end."""

import logging
import platform
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

import device
from device.config import Config, SourceConfig
from device.hearing.models import LoadedModel, load_model
from device.listener import Listener
from device.publishing.message import Topics, info_message
from device.publishing.publisher import Publisher
from device.publishing.report import DeviceInfo
from device.publishing.stdout import StdoutPublisher
from device.sources.base import Source
from device.telemetry import hardware

_log = logging.getLogger(__name__)

POLL_S = 0.2
"""How often the end of a recording, or of the reader of standard output, is looked for."""

STOP_S = 1.0
"""How long listeners may take to let go of their devices."""

OpenSource = Callable[[SourceConfig], Source]


def run(
    config: Config,
    *,
    open_source: OpenSource,
    origin: float | None = None,
    drain_s: float = 30.0,
    publisher: Publisher | None = None,
) -> int:
    """Listen to every source until all have ended or a signal says stop.

    Args:
        config: all settings.
        open_source: makes a source of its section.
        origin: when sample zero was, for recordings; None: now.
        drain_s: after the last recording, how long the broker may take to acknowledge what was said.
        publisher: instead of the one that the configuration names; already started, and left open.

    Returns:
        The exit code.

    Raises:
        OidoError: the model or the broker's settings are unusable.
    """
    model = load_model(config.model.name, directory=config.model.directory, runtime=config.model.runtime)
    topics = Topics(config.mqtt.base_topic, config.node.name)
    listeners: dict[str, Listener] = {}

    def on_command(source: str, payload: bytes) -> None:
        if source in listeners:
            listeners[source].command(payload)
        else:
            _log.warning("ignored a command for %r: there is no such source here", source)

    with _publisher(config, topics, on_command, publisher) as outlet, _stop_on_signals() as stopping:
        outlet.publish(info_message(topics, _info(model)))
        for source in config.source:
            listeners[source.name] = _listener(config, source, open_source, model, topics, outlet, origin)
        for listener in listeners.values():
            listener.start()
        while not stopping.wait(POLL_S):
            alive = any(listener.alive for listener in listeners.values())
            crashed = any(listener.crashed for listener in listeners.values())
            if outlet.ended or crashed or not alive:
                break
        finished = not any(listener.alive for listener in listeners.values())
        for listener in listeners.values():
            listener.stop()
        for listener in listeners.values():
            listener.join(STOP_S)
        if finished and not outlet.drain(drain_s):
            _log.error("the broker did not acknowledge everything within %g s", drain_s)
            return 1
    return _exit_code(listeners.values())


def _listener(
    config: Config,
    source: SourceConfig,
    open_source: OpenSource,
    model: LoadedModel,
    topics: Topics,
    publisher: Publisher,
    origin: float | None,
) -> Listener:
    return Listener(
        source,
        open_source=lambda: open_source(source),
        model=model,
        decision=config.decision,
        mode=config.model.mode,
        topics=topics,
        publisher=publisher,
        state_interval_s=config.mqtt.state_interval_s,
        telemetry_interval_s=config.mqtt.telemetry_interval_s,
        origin=origin,
    )


@contextmanager
def _publisher(
    config: Config, topics: Topics, on_command: Callable[[str, bytes], None], given: Publisher | None
) -> Iterator[Publisher]:
    """The configured way out: the broker, or standard output where there is none."""
    if given is not None:
        yield given
    elif config.mqtt.host:
        from device.publishing.mqtt import MqttPublisher  # noqa: PLC0415 - paho only where there is a broker

        with MqttPublisher(config.mqtt, topics=topics, on_command=on_command) as publisher:
            yield publisher
    else:
        with StdoutPublisher(sys.stdout) as publisher:
            yield publisher


@contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set. Signals reach only the main thread; elsewhere nothing is changed."""
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit_code(listeners: Iterable[Listener]) -> int:
    code = 0
    for listener in listeners:
        if listener.error is not None:
            _log.error("%s", listener.error)
            code = max(code, listener.error.exit_code)
    return code


def _info(model: LoadedModel) -> DeviceInfo:
    return DeviceInfo(
        version=device.__version__,
        model=model.sidecar.name,
        model_sha256=model.sidecar.sha256,
        hardware=hardware(),
        python=platform.python_version(),
    )
