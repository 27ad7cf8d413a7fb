"""Many devices in one process, each with everything real but its ears: a child of fleet.py.

    python fleet_devices.py SETTINGS

SETTINGS is the JSON of `Settings`. Every device has its own name, client id, state directory (lock and SQLite
outbox on disk), Reporter, and MqttPublisher with its thread; what Home Assistant is told, states, telemetry and
the last will are those of `oido run` under default settings. Only its ears are missing: one thread decides for all
devices of the process when music starts and stops.

Obeys lines on standard input: `go` (all connect at once and begin to hear), `hush` (no more events; what waits is
delivered still), `end` (say goodbye and write the report). If the input ends without `end`, it stops as fast as it
can. On standard output, JSON lines: {"ready": n}, then every half second how it stands, and {"report": path}.
"""

import heapq
import json
import logging
import random
import re
import resource
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from soak.fleet_device import Device, Settings  # noqa: E402 - the path comes first: a program

from device.monitoring.host import read_memory  # noqa: E402

TELL_S = 0.5

LEAVING_TOGETHER = 16
"""Devices that say goodbye at the same time."""


class Complaints(logging.Handler):
    """Counts what is logged from warnings on."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.counts: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """One more, whichever device it is about."""
        self.counts[re.sub(r"ear-\d+", "ear", re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", record.getMessage()))] += 1


class Sessions(logging.Handler):
    """Notes when each device's sessions begin: its publisher logs that."""

    def __init__(self, devices: Iterable[Device]) -> None:
        super().__init__(logging.INFO)
        self._devices = {device.client_id: device for device in devices}

    def emit(self, record: logging.LogRecord) -> None:
        """One more session, if it is about one."""
        said, _, client_id = record.getMessage().rpartition(" as ")
        if said.startswith("connected to"):
            self._devices[client_id].sessions.append(time.monotonic())


class House:
    """The devices of this process."""

    def __init__(self, settings: Settings) -> None:
        self.ended = threading.Event()
        self._settings = settings
        self._complaints = Complaints()
        logging.basicConfig(level=logging.WARNING, handlers=[self._complaints])
        self.devices = [Device(settings.first + number, settings) for number in range(settings.count)]
        publishers = logging.getLogger("device.publishing.mqtt")
        publishers.setLevel(logging.INFO)
        publishers.addHandler(Sessions(self.devices))
        self._go, self._hushed, self._report = threading.Event(), threading.Event(), False
        self._commands = threading.Thread(target=self._obey, name="commands", daemon=True)
        self._watch = threading.Thread(target=self._look, name="watch")
        self._commands.start()
        tell(ready=settings.count)

    def run(self) -> None:
        """From `go` to `end`."""
        while not (self._go.wait(0.1) or self.ended.is_set()):
            pass
        self._watch.start()
        try:
            if not self.ended.is_set():
                for device in self.devices:
                    device.start()
                self._hear()
        finally:
            self.ended.set()
            with ThreadPoolExecutor(LEAVING_TOGETHER, thread_name_prefix="goodbye") as pool:
                list(pool.map(Device.close, self.devices))
            self._watch.join()
        if self._report:
            self._write_report()

    def _hear(self) -> None:
        """Whatever is due at any device, until the end."""
        now, draw = time.monotonic(), random.Random(self._settings.seed)  # noqa: S311 - spreads work, no secret
        due: list[tuple[float, int, bool]] = []
        for number, device in enumerate(self.devices):
            due.append((now + draw.uniform(0, device.settings.state_interval_s), number, False))
            due.append((now + draw.random() * device.next_change_s(), number, True))
        heapq.heapify(due)
        while not self.ended.is_set():
            at, number, is_change = heapq.heappop(due)
            if self.ended.wait(max(0.0, at - time.monotonic())):
                return
            device = self.devices[number]
            if not is_change:
                device.go_on()
                heapq.heappush(due, (at + device.settings.state_interval_s, number, False))
            elif not self._hushed.is_set():
                device.change()
                heapq.heappush(due, (at + device.next_change_s(), number, True))

    def _look(self) -> None:
        while not self.ended.wait(TELL_S):
            self._tell_how_it_stands()

    def _tell_how_it_stands(self) -> None:
        hushed = self._hushed.is_set()
        tell(
            connected=sum(bool(device.sessions) for device in self.devices),
            recorded=sum(len(device.recorded) for device in self.devices),
            waiting=sum(device.publisher.queued_events for device in self.devices),
            hushed=hushed,
        )

    def _obey(self) -> None:
        for line in sys.stdin:
            match line.strip():
                case "go":
                    self._go.set()
                case "hush":
                    self._hushed.set()
                case "end":
                    self._report = True
                    break
        self.ended.set()

    def _write_report(self) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        report = {
            "devices": [
                {
                    "node": device.node,
                    "recorded": [
                        (at, payload, device.outbox.acknowledged.get(payload)) for at, payload in device.recorded
                    ],
                    "sessions": device.sessions,
                    "published": device.published,
                    "dropped": device.publisher.dropped_events,
                }
                for device in self.devices
            ],
            "complaints": self._complaints.counts,
            "cpu_s": used.ru_utime + used.ru_stime,
            "peak_mb": read_memory().peak_rss_mb,
            "settings": asdict(self._settings),
        }
        path = Path(self._settings.directory, f"report-{self._settings.first}.json")
        path.write_text(json.dumps(report), encoding="utf-8")
        tell(report=str(path))


def tell(**line: object) -> None:
    """Print one line at once."""
    print(json.dumps(line), flush=True)  # noqa: T201 - the parent reads it


if __name__ == "__main__":
    House(Settings(**json.loads(sys.argv[1]))).run()
