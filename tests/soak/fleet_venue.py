"""The broker of a fleet's run, set up as a venue should have it, and the subscriber that wants every event."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import paho.mqtt.client as paho
from broker import Mosquitto
from paho.mqtt.enums import CallbackAPIVersion
from soak.fleet_figures import Arrived, Key
from waiting import DEADLINE_S

Restart = Literal["term", "kill"]

_TICKS = os.sysconf("SC_CLK_TCK")

_CONFIGURATION = """
persistence true
persistence_location {directory}/
autosave_interval 60
max_queued_messages 0
max_inflight_messages 0
log_type none
log_type error
log_type warning
"""
"""A restart must not forget. And a subscriber that is slow, or away for a moment, must not cost events: by default
mosquitto drops, without a word, all that come after the first 1,000 that wait for it."""


class Venue(Mosquitto):
    """The broker; counts what all its lives together have used."""

    def __init__(self, directory: Path, *, more: str) -> None:
        super().__init__(directory, more=_CONFIGURATION.format(directory=directory) + more)
        self.cpu_s = 0.0
        self.peak_mb = 0.0
        self._database = directory / "mosquitto.db"

    def save(self) -> None:
        """Let it write what it knows to disk now.

        Raises:
            SystemExit: it does not.
        """
        self._database.unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGUSR1)
        if not wait_for(self._database.exists, DEADLINE_S):
            raise SystemExit(f"mosquitto does not write {self._database}; may it write there?")

    def end(self, how: Restart) -> None:
        """End it one way or the other."""
        self.measure()
        if how == "kill":
            self.kill()
        else:
            self.stop()

    def measure(self) -> None:
        """Add what this life has used; once, just before it ends."""
        stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        # Fields 14 and 15 of proc(5), utime and stime; the split begins with field 3.
        self.cpu_s += (int(stat[11]) + int(stat[12])) / _TICKS
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        self.peak_mb = max(self.peak_mb, int(status.partition("VmHWM:")[2].split()[0]) / 1024)


class Ears:
    """Subscribed with QoS 1, in a session that the broker keeps; subscribes again at each connection."""

    def __init__(self, port: int) -> None:
        """Connect, and wait until the subscription stands.

        Raises:
            SystemExit: the broker does not take it.
        """
        self.arrived: list[Arrived] = []
        self.status: dict[str, str] = {}
        """What each node said last."""
        self.connections = 0
        self.remembered = 0
        """Connections to a broker that knew the session."""
        self._subscribed = threading.Event()
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="fleet-ears", clean_session=False)
        client.on_connect = self._on_connect
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = self._on_message
        client.reconnect_delay_set(1, 2)
        client.connect("127.0.0.1", port)
        client.loop_start()
        self._client = client
        if not self._subscribed.wait(DEADLINE_S):
            raise SystemExit("the broker does not take the subscription")

    def close(self) -> None:
        """End."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: paho.Client, _data: Any, flags: Any, *_: Any) -> None:
        self.connections += 1
        self.remembered += flags.session_present
        client.subscribe([("oido/+/+/event", 1), ("oido/+/status", 1)])

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        now, payload = time.monotonic(), message.payload.decode()
        if message.topic.endswith("/status"):
            self.status[message.topic.split("/")[1]] = payload
        else:
            self.arrived.append(Arrived(key_of(payload), now, payload))


def key_of(payload: str) -> Key:
    """What tells an event from all others."""
    event = json.loads(payload)
    return event["node"], event["event_type"], event["id"]


def wait_for(condition: Callable[[], bool], deadline_s: float) -> bool:
    """Wait until it holds; False if it does not in time."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
