"""A site, a central broker and the line between them, set up with the files that docs/fleet.md shows."""

import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
from broker import Mosquitto
from line import Line
from paho.mqtt.enums import CallbackAPIVersion
from waiting import DEADLINE_S

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "fleet.md").read_text(encoding="utf-8")
MUSIC = ROOT / "device" / "audio" / "music.ogg"
HOST = "mqtt.example.org"


def block(marker: str) -> str:
    """The first fenced block of the page after some text."""
    found = re.search(r"^```\w+\n(.*?)^```$", PAGE[PAGE.index(marker) :], re.MULTILINE | re.DOTALL)
    assert found, marker
    return found[1]


def changed(text: str, changes: dict[str, str]) -> str:
    """A block with what must differ here; each change must apply."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


class Documented(Mosquitto):
    """A broker as Debian sets it up, with the page's files in /etc/mosquitto."""

    def __init__(self, directory: Path, *, users: tuple[str, ...], files: dict[str, dict[str, str]]) -> None:
        """Write /etc/mosquitto, here `directory`.

        Args:
            directory: made by somebody else, with the certificates if there are any.
            users: each with its own name as password.
            files: of the page, by name, and what must differ in each.
        """
        super().__init__(directory)
        own = [
            "user root",
            "persistence true",
            f"persistence_location {directory}/",
            "log_dest stderr",
            "log_type all",
            f"include_dir {directory}/conf.d",
        ]
        self._config.write_text("\n".join(own) + "\n", encoding="utf-8")
        (directory / "conf.d").mkdir()
        for name, changes in files.items():
            text = changed(block(f"`/etc/mosquitto/{name}`"), changes).replace("/etc/mosquitto", str(directory))
            (directory / name).write_text(re.sub(r"(?m)^listener \d+", self._listener, text), encoding="utf-8")
        passwords = directory / "passwords"
        passwords.touch(mode=0o600)
        for user in users:
            command = ["mosquitto_passwd", "-b", str(passwords), user, user]
            subprocess.run(command, check=True, capture_output=True)

    @property
    def _listener(self) -> str:
        return f"listener {self.port} 127.0.0.1"


class Person:
    """Somebody with a user name at one of the brokers, and what they have received."""

    def __init__(self, port: int, user: str, *topics: str, authority: Path | None = None) -> None:
        """Connect and subscribe."""
        self.received: list[tuple[str, str]] = []
        self._topics = topics or ("nothing",)
        self._subscribed = threading.Event()
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.username_pw_set(user, user)
        if authority is not None:
            client.tls_set(str(authority))
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.connect("localhost", port)
        client.loop_start()
        self._client = client
        assert self._subscribed.wait(DEADLINE_S)

    def __enter__(self) -> Self:
        """Already connected."""
        return self

    def __exit__(self, *_: object) -> None:
        """Part."""
        self._client.disconnect()
        self._client.loop_stop()
        # paho closes the last of its sockets when it is collected, which a circle would put off.
        self._client.on_connect = self._client.on_subscribe = self._client.on_message = None

    def say(self, topic: str, payload: str) -> None:
        """Publish, and wait for the broker's acknowledgement; MQTT 3.1.1 acknowledges what it denies, too."""
        self._client.publish(topic, payload, qos=1).wait_for_publish(DEADLINE_S)

    def payloads(self, topic: str) -> list[str]:
        """What arrived on one topic."""
        return [payload for name, payload in list(self.received) if name == topic]

    def _on_connect(self, client: paho.Client, *_: Any) -> None:
        client.subscribe([(topic, 1) for topic in self._topics])

    def _on_subscribe(self, *_: Any) -> None:
        self._subscribed.set()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self.received.append((message.topic, message.payload.decode()))


class Fleet:
    """A site's broker, the central one, and the line between them."""

    def __init__(self, directory: Path, certificates: Path) -> None:
        """Start both."""
        site, central = directory / "site", directory / "central"
        shutil.copytree(certificates, site)
        shutil.copytree(certificates, central)
        self.directory = directory
        self.authority = certificates / "ca.pem"
        self.central = Documented(
            central,
            users=("madrid", "lisbon", "collector", "operator"),
            files={"conf.d/central.conf": {}, "central.acl": {}},
        )
        self.central.start()
        self.line = Line(self.central.port)
        bridge = {
            f"{HOST}:8883": f"localhost:{self.line.port}",
            "CHANGE-ME": "madrid",
            "restart_timeout 2 30": "restart_timeout 1",
        }
        self.site = Documented(
            site,
            users=("den", "attic", "homeassistant"),
            files={"conf.d/site.conf": {}, "site.acl": {}, "conf.d/bridge.conf": bridge},
        )
        self.site.start()

    def close(self) -> None:
        """End both."""
        self.line.cut()
        self.site.stop()
        self.central.stop()

    def at_the_centre(self, user: str, *topics: str) -> Person:
        """Somebody there."""
        return Person(self.central.port, user, *topics, authority=self.authority)

    def configuration(self, node: str, *, user: str, more: str = "") -> Path:
        """A device's, at the site."""
        folder = self.directory / f"{node}-{user}"
        folder.mkdir(exist_ok=True)
        (folder / "password").write_text(user, encoding="utf-8")
        path = folder / "config.toml"
        path.write_text(
            f'[node]\nname = "{node}"\nstate_dir = "{folder}"\n'
            f'[[source]]\nname = "room"\nkind = "file"\npath = "{MUSIC}"\n'
            f'[mqtt]\nhost = "localhost"\nport = {self.site.port}\nusername = "{user}"\n'
            f'password_file = "{folder}/password"\ntimeout_s = 2\n{more}',
            encoding="utf-8",
        )
        return path

    def replay(self) -> None:
        """The real daemon, in the den, from start to end."""
        done = device("run", "-c", str(self.configuration("den", user="den")), "--input", str(MUSIC))
        assert done.returncode == 0, done.stderr


def device(*words: str) -> "subprocess.CompletedProcess[str]":
    """`oido`, to its end."""
    command = [sys.executable, "-m", "device", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
