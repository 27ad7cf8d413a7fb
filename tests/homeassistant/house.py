"""A house with a real Home Assistant, a broker and devices that hear recordings of music and speech."""

import base64
import hashlib
import hmac
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from waiting import eventually, free_port

CHECKOUT = Path(__file__).parents[2]
RECORDINGS = CHECKOUT / "device" / "audio"

_BLOCK_S = 0.1
_USER, _TOKEN_ID, _KEY = "a" * 32, "b" * 32, "k" * 128
_MADE = "2026-11-01T00:00:00+00:00"
_CHROOT = "/usr/sbin/chroot"


class HomeAssistant:
    """A core that is installed in a root of its own (`run` makes it), set up without a wizard."""

    def __init__(
        self, root: Path, version: str, *, broker_port: int, automations: str, folder: str = "ha"
    ) -> None:
        """Write its configuration, in place of any other.

        Args:
            root: of the Debian that it is installed in.
            version: which it is.
            broker_port: of the broker that it uses.
            automations: the text of `automations.yaml`.
            folder: of its configuration, in the root.
        """
        self.version = version
        self.port = free_port()
        self.config = root / folder
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None
        self.token = _token()
        subprocess.run(["rm", "-rf", str(self.config)], check=True)
        (self.config / ".storage").mkdir(parents=True)
        (self.config / "automations.yaml").write_text(automations, encoding="utf-8")
        blueprints = self.config / "blueprints" / "automation" / "oido"
        blueprints.mkdir(parents=True)
        text = (CHECKOUT / "docs" / "homeassistant" / "blueprint.yaml").read_text(encoding="utf-8")
        (blueprints / "blueprint.yaml").write_text(text, encoding="utf-8")
        self._configure(broker_port)

    def start(self) -> None:
        """Start it, and wait until it answers and has connected to the broker."""
        environment = {"PATH": "/venv/bin:/usr/bin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
        core = ["python", "-m", "homeassistant", "--skip-pip", "-c", f"/{self.config.name}"]
        with (self.config / "out.log").open("ab") as log:
            self._process = subprocess.Popen(
                [_CHROOT, str(self._root), *core], env=environment, stdout=log, stderr=log
            )
        must(lambda: self.get("config") is not None, "Home Assistant answers", 180)
        must(lambda: (self.get("config") or {}).get("state") == "RUNNING", "Home Assistant runs", 180)

    def stop(self) -> None:
        """End it in order, as a restart does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(60)
            self._process.kill()
            self._process.wait()
            self._process = None

    def get(self, path: str) -> Any:
        """What its API answers; None while it does not."""
        return self._ask(path, None)

    def render(self, template: str) -> str:
        """What it makes of a template."""
        found = self._ask("template", {"template": template})
        return "" if found is None else str(found)

    def call(self, service: str, **data: Any) -> None:
        """Call a service, as `switch.turn_on`."""
        self._ask(f"services/{service.replace('.', '/')}", data)

    def state(self, entity: str) -> str | None:
        """The state of an entity; None if there is none."""
        found = self.get(f"states/{entity}")
        return None if found is None else str(found["state"])

    def entities(self) -> dict[str, str]:
        """The state of every entity."""
        return {each["entity_id"]: each["state"] for each in self.get("states") or ()}

    def runs(self, name: str) -> int:
        """How often an automation fired the event `oido_ran` with this name, as the recorder has it."""
        query = (
            "SELECT count(*) FROM events JOIN event_types USING (event_type_id) JOIN event_data USING (data_id)"
            " WHERE event_types.event_type = 'oido_ran' AND shared_data = ?"
        )
        with closing(self._database()) as connection:
            found: int = connection.execute(
                query, (json.dumps({"name": name}, separators=(",", ":")),)
            ).fetchone()[0]
        return found

    def rows(self, prefix: str, *, since: float, until: float) -> dict[str, int]:
        """Rows that the recorder wrote in [since, until) for entities whose names begin so, by entity."""
        query = (
            "SELECT states_meta.entity_id, count(*) FROM states JOIN states_meta USING (metadata_id)"
            " WHERE last_updated_ts >= ? AND last_updated_ts < ? GROUP BY states_meta.entity_id"
        )
        with closing(self._database()) as connection:
            found = dict(connection.execute(query, (since, until)).fetchall())
        return {entity: count for entity, count in found.items() if entity.partition(".")[2].startswith(prefix)}

    def history(self, entity: str, *, since: float) -> list[str]:
        """The states of an entity that the recorder has, in order, without repetitions."""
        query = (
            "SELECT state FROM states JOIN states_meta USING (metadata_id)"
            " WHERE states_meta.entity_id = ? AND last_updated_ts >= ? ORDER BY last_updated_ts"
        )
        with closing(self._database()) as connection:
            states = [row[0] for row in connection.execute(query, (entity, since))]
        return [state for before, state in zip([None, *states], states, strict=False) if state != before]

    def complaints(self) -> list[str]:
        """What it warned of that concerns MQTT, us, or sensors' statistics."""
        log = (self.config / "out.log").read_text(encoding="utf-8")
        lines = re.findall(r"^.*(?:WARNING|ERROR).*$", log, re.MULTILINE)
        about = re.compile(r"mqtt|oido|den_|hall_|automation|blueprint|components\.sensor", re.IGNORECASE)
        # That the broker is away is what the test does to it.
        expected = re.compile(
            r"isconnected from MQTT|ailed to connect to MQTT|Connection (refused|reset|was lost)|Broken pipe",
            re.IGNORECASE,
        )
        return [line for line in lines if about.search(line) and not expected.search(line)]

    def _database(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self.config / 'home-assistant_v2.db'}?mode=ro", uri=True, timeout=30)

    def _ask(self, path: str, body: dict[str, Any] | None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 - the same
                text = response.read().decode()
        except (urllib.error.URLError, OSError):
            return None
        return text if path == "template" else json.loads(text)

    def _configure(self, broker_port: int) -> None:
        """As a wizard would have left it: an owner with a token, and the MQTT integration."""
        new = self.version >= "2026"
        # 2026.11 keeps HTTP settings in storage; those in YAML are a trial of five minutes.
        http = "" if new else f"http:\n  server_host: 127.0.0.1\n  server_port: {self.port}\n"
        (self.config / "configuration.yaml").write_text(
            "homeassistant:\n  name: Test\n  time_zone: Europe/Berlin\n  country: DE\n  language: en\n"
            "  latitude: 52.5\n  longitude: 13.4\n  elevation: 30\n  unit_system: metric\n"
            "  auth_providers:\n    - type: homeassistant\n"
            f"{http}logger:\n  default: info\nrecorder:\n  commit_interval: 1\nfrontend:\nhistory:\nlogbook:\n"
            "input_boolean:\n  playing:\n    name: Playing\n"
            "automation: !include automations.yaml\n",
            encoding="utf-8",
        )
        user: dict[str, Any] = {
            "id": _USER,
            "group_ids": ["system-admin"],
            "is_owner": True,
            "is_active": True,
            "name": "Owner",
        }
        token: dict[str, Any] = {
            "id": _TOKEN_ID,
            "user_id": _USER,
            "client_name": "test",
            "token_type": "long_lived_access_token",
        }
        token |= {"created_at": _MADE, "access_token_expiration": 3e8, "token": "t" * 128, "jwt_key": _KEY}
        none = ("client_id", "client_icon", "last_used_at", "last_used_ip", "expire_at", "credential_id")
        groups = [{"id": f"system-{each}", "name": each} for each in ("admin", "users", "read-only")]
        self._store(
            "auth",
            1,
            users=[user | {"system_generated": False, "local_only": False}],
            groups=groups,
            credentials=[],
            refresh_tokens=[token | dict.fromkeys(none) | {"version": self.version}],
        )
        self._store("onboarding", 4, done=["user", "core_config", "analytics", "integration"])
        entry: dict[str, Any] = {
            "created_at": _MADE,
            "modified_at": _MADE,
            "domain": "mqtt",
            "title": "broker",
            "source": "user",
        }
        entry |= {"data": {"broker": "127.0.0.1", "port": broker_port}, "entry_id": "01JCTESTMQTT00000000000000"}
        entry |= {"disabled_by": None, "discovery_keys": {}, "options": {}, "unique_id": None, "version": 1}
        entry |= {"minor_version": 1, "pref_disable_new_entities": False, "pref_disable_polling": False}
        if new:
            entry |= {"data": {"broker": "127.0.0.1", "port": broker_port, "protocol": "5"}}
            entry |= {"version": 2, "subentries": []}
            http_store: dict[str, Any] = {
                "server_port": self.port,
                "server_host": ["127.0.0.1"],
                "cors_allowed_origins": [],
            }
            http_store |= {"login_attempts_threshold": -1, "ip_ban_enabled": True, "use_x_frame_options": True}
            http_store |= {"ssl_profile": "intermediate_v6", "created_at": _MADE, "error": None}
            http_store |= {"error_message": None}
            self._store("http", 3, stable=http_store, pending=None, yaml_migration_done=True)
        self._store("core.config_entries", 1, minor_version=5 if new else 4, entries=[entry])

    def _store(self, name: str, version: int, *, minor_version: int = 1, **data: Any) -> None:
        document = {"version": version, "minor_version": minor_version, "key": name, "data": data}
        (self.config / ".storage" / name).write_text(json.dumps(document), encoding="utf-8")


class Device:
    """A real `oido run` that hears what is played to it, in real time, through standard input."""

    def __init__(self, folder: Path, node: str, *, broker_port: int, more: str = "", source: str = "") -> None:
        """Write its configuration.

        Args:
            folder: for configuration, state and log.
            node: its name; its source is `room`.
            broker_port: of the broker.
            more: further sections.
            source: further keys of the source.
        """
        folder.mkdir(parents=True)
        self._folder = folder
        self._file = folder / "config.toml"
        self._file.write_text(
            f'[node]\nname = "{node}"\nstate_dir = "{folder / "state"}"\n'
            f'[[source]]\nname = "room"\nkind = "stdin"\n{source}\n'
            f'[mqtt]\nhost = "127.0.0.1"\nport = {broker_port}\n{more}\n',
            encoding="utf-8",
        )
        self.playing = "speech"
        """Which recording it hears."""
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._player = threading.Thread(target=self._play, name=f"play {node}", daemon=True)
        self._player.start()

    def start(self) -> None:
        """Start it."""
        environment = os.environ | {"XDG_RUNTIME_DIR": str(self._folder)}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "device", "run", "-c", str(self._file)],
                cwd=CHECKOUT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def signal(self, number: int) -> None:
        """Send a signal; after SIGKILL or SIGTERM, wait for the end."""
        assert self._process is not None
        self._process.send_signal(number)
        if number in {signal.SIGKILL, signal.SIGTERM}:
            self._process.wait(20)

    def close(self) -> None:
        """End it and the sound."""
        self._ended.set()
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGTERM)
        self._player.join(5)

    def _play(self) -> None:
        sounds = {name: _blocks(name) for name in ("music", "speech")}
        due = time.monotonic()
        while not self._ended.is_set():
            block = next(sounds[self.playing])
            process = self._process
            if process is not None and process.stdin is not None:
                with suppress(OSError, ValueError):
                    process.stdin.write(block)
                    process.stdin.flush()
            due += _BLOCK_S
            time.sleep(max(due - time.monotonic(), 0))


def _blocks(name: str) -> Iterator[bytes]:
    """A recording of the package over and over, as 16-bit samples at 16 kHz, in blocks."""
    sound, rate = soundfile.read(RECORDINGS / f"{name}.ogg", dtype="float32", always_2d=True)
    mono = soxr.resample(sound.mean(axis=1), rate, 16_000)
    samples = (np.clip(mono, -1, 1) * 32_767).astype("<i2")
    length = round(_BLOCK_S * 16_000)
    while True:
        for begin in range(0, len(samples) - length, length):
            yield samples[begin : begin + length].tobytes()


def must(condition: Callable[[], bool], what: str, within_s: float = 90) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: it does not come.
    """
    if not eventually(condition, deadline_s=within_s):
        raise TimeoutError(f"in {within_s:g} s it did not happen that {what}")


def _token() -> str:
    """A token for the API, signed with the key in `.storage/auth`."""

    def encoded(raw: bytes) -> bytes:
        return base64.urlsafe_b64encode(raw).rstrip(b"=")

    claims = {"iss": _TOKEN_ID, "iat": 1_793_000_000, "exp": 2_108_000_000}
    head = encoded(b'{"alg":"HS256","typ":"JWT"}') + b"." + encoded(json.dumps(claims).encode())
    return (head + b"." + encoded(hmac.new(_KEY.encode(), head, hashlib.sha256).digest())).decode()
