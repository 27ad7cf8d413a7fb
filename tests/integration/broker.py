"""A real mosquitto on the loopback interface.

conftest.py imports the fixture `mosquitto` from here; `brokers` makes others.
"""

import contextlib
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates
from waiting import DEADLINE_S, eventually, free_port

from device.configuration.settings import MqttConfig


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
            *([] if "persistence true" in more else ["persistence false"]),
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
                command = ["mosquitto_passwd", "-b", str(file), user, password]
                subprocess.run(command, check=True, capture_output=True)
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
            try:
                self._process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text(encoding="utf-8")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


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


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A started broker that lets everybody in."""
    with brokers(tmp_path) as make:
        yield make()
