"""A real mosquitto on the loopback interface, a subscriber, and a line between them that can be cut.

conftest.py imports the fixture `mosquitto` from here; `brokers` and `subscribers` make others.
"""

import contextlib
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from device.config import MqttConfig

DEADLINE_S = 30.0
"""How long a test waits for something that must happen; only reached when it fails."""


def eventually(condition: Callable[[], bool]) -> bool:
    """Wait until the condition holds; False if it does not within the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """PEM files of a broker, of a device, and of the authority that signed both."""

    authority: Path
    certificate: Path
    key: Path
    device_certificate: Path
    device_key: Path


def make_certificates(directory: Path) -> Certificates:
    """An authority of our own, as plain as most recipes make them, and two of it: `localhost` and a device."""
    made = Certificates(
        authority=directory / "ca.pem",
        certificate=directory / "broker.pem",
        key=directory / "broker.key",
        device_certificate=directory / "device.pem",
        device_key=directory / "device.key",
    )
    authority_key = directory / "ca.key"
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    _quietly(
        [*new, "-subj", "/CN=oido test authority", "-keyout", str(authority_key), "-out", str(made.authority)]
    )
    for name, certificate, key in (
        ("localhost", made.certificate, made.key),
        ("attic", made.device_certificate, made.device_key),
    ):
        _quietly(
            [
                *[*new, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"],
                *["-addext", "basicConstraints=critical,CA:FALSE"],
                *["-CA", str(made.authority), "-CAkey", str(authority_key)],
                *["-keyout", str(key), "-out", str(certificate)],
            ]
        )
    return made


def _quietly(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


class Mosquitto:
    """One broker, which may be started, stopped, killed and started again on its port; it remembers nothing."""

    def __init__(
        self,
        directory: Path,
        *,
        passwords: dict[str, str] | None = None,
        tls: Certificates | None = None,
        wants_certificate: bool = False,
        more: str = "",
    ) -> None:
        """Write the configuration.

        Args:
            directory: for the configuration and the log.
            passwords: of each user; None lets everybody in.
            tls: None speaks plain MQTT.
            wants_certificate: with TLS, whether a device must show one of the same authority.
            more: a further line of configuration.
        """
        self.port = free_port()
        self.tls = tls
        self.log = directory / "mosquitto.log"
        self._config = directory / "mosquitto.conf"
        self._process: subprocess.Popen[bytes] | None = None
        lines = [
            "user root",  # where root runs the tests: the user mosquitto cannot read their directory
            "persistence false",
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {'true' if passwords is None else 'false'}",
            "log_type all",
            "log_dest stderr",
            more,
        ]
        if passwords is not None:
            file = directory / "passwords"
            file.touch(mode=0o600)
            for user, password in passwords.items():
                _quietly(["mosquitto_passwd", "-b", str(file), user, password])
            lines.append(f"password_file {file}")
        if tls is not None:
            lines += [f"certfile {tls.certificate}", f"keyfile {tls.key}"]
        if tls is not None and wants_certificate:
            lines += [f"cafile {tls.authority}", "require_certificate true"]
        self._config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def start(self) -> None:
        """Start it and wait until it listens."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(["mosquitto", "-c", str(self._config)], stderr=log)
        assert eventually(self._listens), self.log.read_text(encoding="utf-8")

    @property
    def pid(self) -> int:
        """Of the process, while it runs."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, without a word to anybody."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it hang: the kernel still accepts connections and bytes for it, but nothing is ever answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Kill it and start it on the same port."""
        self.kill()
        self.start()

    def config(self, **more: Any) -> MqttConfig:
        """Settings that reach it; `more` adds or overrides."""
        host = "127.0.0.1" if self.tls is None else "localhost"
        settings: dict[str, Any] = {"host": host, "port": self.port} | more
        return MqttConfig(**settings)

    def logged(self, text: str) -> int:
        """In how many lines of its log the text stands."""
        return sum(text in line for line in self.log.read_text(encoding="utf-8").splitlines())

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.send_signal(signal.SIGCONT)  # if it is frozen
            self._process.wait(DEADLINE_S)
            self._process = None

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text(encoding="utf-8")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


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


class Line:
    """A stretch of network to the broker: a TCP relay that can be cut and mended."""

    def __init__(self, to_port: int) -> None:
        """Mended, on a port of its own."""
        self.port = free_port()
        self._to_port = to_port
        self._listener: socket.socket | None = None
        self._ends: set[socket.socket] = set()
        self.mend()

    def __enter__(self) -> Self:
        """Already mended."""
        return self

    def __exit__(self, *_: object) -> None:
        """Cut."""
        self.cut()

    def mend(self) -> None:
        """Let connections through again."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), name="line", daemon=True).start()

    def cut(self) -> None:
        """Break all connections, and refuse new ones."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.interrupt()

    def interrupt(self) -> None:
        """Break all connections; new ones are possible at once."""
        for end in list(self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=self._relay, args=(near,), name="line", daemon=True).start()

    def _relay(self, near: socket.socket) -> None:
        with near:
            try:
                far = socket.create_connection(("127.0.0.1", self._to_port))
            except OSError:
                return
            with far:
                self._ends |= {near, far}
                back = threading.Thread(target=self._pump, args=(far, near), name="line", daemon=True)
                back.start()
                self._pump(near, far)
                back.join()
                self._ends -= {near, far}

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def brokers(directory: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Makes started brokers: `make(passwords={"ear": "secret"})`, `make(tls=make_certificates(directory))`.

    Skips the test where mosquitto is not installed.
    """
    for program in ("mosquitto", "mosquitto_passwd"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (apt install mosquitto)")
    made: list[Mosquitto] = []

    def make(**options: Any) -> Mosquitto:
        own = directory / f"mosquitto-{len(made)}"
        own.mkdir()
        broker = Mosquitto(own, **options)
        made.append(broker)
        broker.start()
        return broker

    try:
        yield make
    finally:
        for broker in made:
            broker.stop()


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


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A started broker that lets everybody in."""
    with brokers(tmp_path) as make:
        yield make()
