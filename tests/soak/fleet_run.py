"""A run of fleet.py: the broker, the subscriber and the processes full of devices, from start to goodbye."""

import json
import math
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from soak.fleet_device import Settings
from soak.fleet_figures import Recorded, Recovery, Storm, Verdict, recovery, verdict
from soak.fleet_venue import Ears, Restart, Venue, key_of, wait_for
from waiting import DEADLINE_S

HERE = Path(__file__).parent

DEVICES_A_WORKER = 100
"""A device has some eight descriptors, and its session waits with select(), which takes those below 1,024."""

LAST_S = 100.0
"""After the last event was recorded, how long the rest may take until it counts as lost: longer than any device
waits before it connects again."""

SILENT_S = 15.0
"""So long after the last event, with all outboxes empty, no further one will come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is done."""

    devices: int = 1000
    seconds: float = 150.0
    """While events are recorded."""
    events_per_minute: float = 10.0
    """Of each device, on average; under default settings music can hardly start and stop more often."""
    restarts: int = 2
    """Spread evenly over that time."""
    restart: Restart = "term"
    down_s: float = 0.0
    """How long the broker is away, besides what it takes to end and to start."""
    workers: int = 0
    """Processes; 0: as many as the devices need."""
    seed: int = 1
    broker: str = ""
    """Further lines of mosquitto.conf; they overrule the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that was observed."""

    plan: Plan
    recorded: list[Recorded]
    sessions: dict[str, list[float]]
    """When those of each device began."""
    storms: list[Storm]
    recoveries: list[Recovery]
    """Of the storms that everybody came through."""
    verdict: Verdict
    workers: int
    published: int
    """Messages of all kinds."""
    dropped: int
    """Events that outboxes gave up."""
    goodbyes: int
    """Devices that were offline, in order, at the end."""
    subscriber_connections: int
    subscriber_remembered: int
    """How often of these the broker knew it."""
    fleet_cpu_s: float
    fleet_peak_mb: float
    broker_cpu_s: float
    broker_peak_mb: float
    complaints: Counter[str]
    """What the devices logged, from warnings on."""

    @property
    def good(self) -> bool:
        """Whether all events arrived in order and every device came back each time."""
        return self.verdict.good and len(self.recoveries) == len(self.storms)


class Worker:
    """One process full of devices, and what it told last."""

    def __init__(self, settings: Settings) -> None:
        """Start it; it makes its devices and waits."""
        self.last: dict[str, Any] = {}
        self.report: Path | None = None
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "fleet_devices.py"), json.dumps(asdict(settings))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C is for the parent, which ends the devices in order
        )
        self._reader = threading.Thread(target=self._read, name="worker", daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def say(self, command: str) -> None:
        """Give it a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """Let it end, with or without a report."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(DEADLINE_S)
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            if "report" in told:
                self.report = Path(told["report"])
            else:
                self.last = told


class Fleet:
    """The running broker, subscriber and devices; everything is ended with the stack."""

    def __init__(self, plan: Plan, directory: Path, *, show: Callable[[str], None], stack: ExitStack) -> None:
        """Start them; nothing is connected but the subscriber."""
        self.storms: list[Storm] = []
        self._plan, self._show = plan, show
        self.broker = Venue(directory, more=plan.broker)
        stack.callback(self.broker.stop)
        self.broker.start()
        self.ears = Ears(self.broker.port)
        stack.callback(self.ears.close)
        count = plan.workers or math.ceil(plan.devices / DEVICES_A_WORKER)
        self.workers: list[Worker] = []
        for first, end in pairwise(plan.devices * number // count for number in range(count + 1)):
            settings = Settings(
                directory=str(directory),
                port=self.broker.port,
                first=first,
                count=end - first,
                events_per_minute=plan.events_per_minute,
                seed=plan.seed,
            )
            self.workers.append(Worker(settings))
            stack.callback(self.workers[-1].close)

    def run(self) -> None:
        """The whole plan, until all devices have said goodbye.

        Raises:
            SystemExit: a process of devices ended by itself, or did not begin or end in time.
        """
        plan = self._plan
        if not self._until(lambda: self._total("ready") == plan.devices, 5 * DEADLINE_S):
            raise SystemExit("the devices cannot be made in time; is the disk slow?")
        if plan.restart == "kill":
            self.broker.save()  # the subscription; of the devices nothing need be remembered
        began = time.monotonic()
        self.storms.append(Storm("start", began, began))
        self._tell_all("go")
        for number in range(1, plan.restarts + 1):
            self._wait_until(began + plan.seconds * number / (plan.restarts + 1))
            self._restart()
        self._wait_until(began + plan.seconds)
        self._tell_all("hush")
        self._until(self._all_arrived, LAST_S)
        self._tell_all("end")
        if not self._until(lambda: all(worker.report for worker in self.workers), 2 * DEADLINE_S):
            raise SystemExit("the devices do not end in time, and what they recorded is not known")
        wait_for(lambda: self.goodbyes == plan.devices, DEADLINE_S)
        self.broker.measure()

    @property
    def goodbyes(self) -> int:
        """Devices that are offline."""
        return Counter(self.ears.status.copy().values())["offline"]

    def reports(self) -> list[dict[str, Any]]:
        """What all workers wrote at their end."""
        return [json.loads(worker.report.read_text(encoding="utf-8")) for worker in self.workers if worker.report]

    def _restart(self) -> None:
        began = time.monotonic()
        self._show(f"{began - self.storms[0].began:4.0f} s: the broker ends ({self._plan.restart})")
        self.broker.end(self._plan.restart)
        time.sleep(self._plan.down_s)
        self.broker.start()
        self.storms.append(Storm(self._plan.restart, began, time.monotonic()))

    def _all_arrived(self) -> bool:
        if self._total("waiting") or not all(worker.last.get("hushed") for worker in self.workers):
            return False
        arrived = list(self.ears.arrived)
        silent_s = time.monotonic() - arrived[-1].at if arrived else math.inf
        return len({each.key for each in arrived}) >= self._total("recorded") or silent_s > SILENT_S

    def _total(self, what: str) -> int:
        """Over all workers, as they told last."""
        return sum(worker.last.get(what, 0) for worker in self.workers)

    def _tell_all(self, command: str) -> None:
        for worker in self.workers:
            worker.say(command)

    def _wait_until(self, moment: float) -> None:
        self._until(lambda: time.monotonic() >= moment, math.inf)

    def _until(self, condition: Callable[[], bool], deadline_s: float) -> bool:
        end, shown = time.monotonic() + deadline_s, 0.0
        while not condition():
            if not all(worker.alive or worker.report for worker in self.workers):
                raise SystemExit("a process of devices ended by itself; its last words stand above")
            now = time.monotonic()
            if now > end:
                return False
            if now - shown >= 1:
                shown = now
                self._show(self._how_it_stands())
            time.sleep(0.05)
        return True

    def _how_it_stands(self) -> str:
        if not self.storms:
            return f"{self._total('ready')} of {self._plan.devices} devices made"
        since_s = time.monotonic() - self.storms[0].began
        return (
            f"{since_s:4.0f} s: {self._total('connected')} of {self._plan.devices} have connected, "
            f"{self._total('recorded')} events recorded, {self._total('waiting')} in outboxes, "
            f"{len(self.ears.arrived)} arrived"
        )


def soak_fleet(directory: Path, plan: Plan, *, show: Callable[[str], None]) -> Outcome:
    """Run the plan.

    Args:
        directory: for all state; best on a real disk.
        plan: what is done.
        show: told how it stands, about once a second.

    Raises:
        SystemExit: it could not be run to its end.
    """
    with ExitStack() as stack:
        fleet = Fleet(plan, directory, show=show, stack=stack)
        fleet.run()
        reports = fleet.reports()
        devices = [device for report in reports for device in report["devices"]]
        recorded = [
            Recorded(key_of(payload), at, acknowledged)
            for device in devices
            for at, payload, acknowledged in device["recorded"]
        ]
        wanted = {event.key for event in recorded}
        # What was recorded while everybody was told to be silent may be under way still.
        wait_for(lambda: wanted <= {each.key for each in list(fleet.ears.arrived)}, 5.0)
    judged = verdict(recorded, fleet.ears.arrived)
    sessions = {device["node"]: device["sessions"] for device in devices}
    found = [recovery(storm, sessions=sessions, recorded=recorded, first=judged.first) for storm in fleet.storms]
    return Outcome(
        plan=plan,
        recorded=recorded,
        sessions=sessions,
        storms=fleet.storms,
        recoveries=[each for each in found if each is not None],
        verdict=judged,
        workers=len(fleet.workers),
        published=sum(device["published"] for device in devices),
        dropped=sum(device["dropped"] for device in devices),
        goodbyes=fleet.goodbyes,
        subscriber_connections=fleet.ears.connections,
        subscriber_remembered=fleet.ears.remembered,
        fleet_cpu_s=sum(report["cpu_s"] for report in reports),
        fleet_peak_mb=sum(report["peak_mb"] for report in reports),
        broker_cpu_s=fleet.broker.cpu_s,
        broker_peak_mb=fleet.broker.peak_mb,
        complaints=sum((Counter(report["complaints"]) for report in reports), Counter()),
    )
