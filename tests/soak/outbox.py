"""The outbox under fire: brokers and devices killed, the broker away, the power lost. Exit code 1 if an event is.

    python tests/soak/outbox.py kills [--pairs 10000] [--broker-kills 200] [--device-kills 50] [--seed 1]
    python tests/soak/outbox.py away  [--pairs 3600] [--limit 10000]
    python tests/soak/outbox.py power [--rounds 3000] [--seed 1]

`kills`: a real device process (device_under_test.py) says event pairs as fast as it goes, through a real
mosquitto, while both are killed with SIGKILL at moments that the seed draws. Every event that the device has once
called durable must arrive, in order, repetitions only with the same id and the same bytes, and every start must
get its stop. The line to the broker is mended only after the subscriber has subscribed again: a broker that was
killed forgets who was subscribed, and would drop, rightly acknowledged, what nobody wants.

`away`: the broker is away while one pair after the other is said (3,600 are an hour's at a pair a second), then
returns. `power`: see power.py.

Needs mosquitto and what the tests need (pip install '.[dev]'). Prints figures as one JSON line.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "integration")]

import paho.mqtt.client as paho  # noqa: E402 - the path comes first, as this is started as a program
from broker import Mosquitto, brokers  # noqa: E402
from line import Line  # noqa: E402
from paho.mqtt.enums import CallbackAPIVersion  # noqa: E402
from soak.device_under_test import BEGIN, NODE, PAIR_S, SOURCE  # noqa: E402
from soak.power import soak_power  # noqa: E402
from waiting import DEADLINE_S  # noqa: E402

from device.publishing.message import event_id  # noqa: E402
from device.storage.history import FILE, intervals, reading  # noqa: E402

Figures = dict[str, float]

LONGEST_DOWN = 100
"""Events that the device says while a killed broker is down, at most."""


class Lost(AssertionError):  # noqa: N818 - "lost" is what an event is
    """A promise was broken."""


class Ears:
    """A subscriber that outlives its broker: all that arrived on the event topic, in order."""

    def __init__(self) -> None:
        self.payloads: list[str] = []
        self._client: paho.Client | None = None
        self._gone = threading.Event()

    def listen(self, port: int) -> None:
        """Subscribe; QoS 0, which mosquitto passes on before it acknowledges to the device."""
        subscribed, self._gone = threading.Event(), threading.Event()
        gone = self._gone
        client = paho.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        client.on_subscribe = lambda *_: subscribed.set()
        client.on_disconnect = lambda *_: gone.set()
        client.on_message = lambda _client, _data, message: self.payloads.append(message.payload.decode())
        client.connect("127.0.0.1", port)
        client.subscribe(f"oido/{NODE}/{SOURCE}/event", qos=0)
        client.loop_start()
        if not subscribed.wait(DEADLINE_S):
            raise Lost("the broker does not take the subscription")
        self._client = client

    def hang_up(self) -> None:
        """Take in what a killed broker had still sent."""
        if self._client is not None and not self._gone.wait(DEADLINE_S):
            raise Lost("the subscriber does not notice that the broker is gone")
        self.close()

    def close(self) -> None:
        """End."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None


class Device:
    """One run of device_under_test.py, and what it has told."""

    def __init__(
        self, directory: Path, *, port: int, first: int, pairs: int, limit: int = 10_000, real_retry: bool = False
    ) -> None:
        self.said: list[tuple[str, str]] = []
        """Event type and id, each told after it was durable."""
        self.resident_mb: list[float] = []
        self.done = False
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(directory / "run"), "OPENBLAS_NUM_THREADS": "1"}
        if real_retry:
            environment["SOAK_REAL_RETRY"] = "1"
        words = [str(word) for word in (port, directory / "state", first, pairs, limit)]
        with (directory / "device.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(HERE / "device_under_test.py"), *words],
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
            )
        self._reader = threading.Thread(target=self._read, name="reader", daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def end(self, number: signal.Signals) -> None:
        """Send a signal, wait for the end, read the last words."""
        self._process.send_signal(number)
        self._process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not line.endswith(b"\n"):
                return  # killed in the middle of a word
            told = json.loads(line)
            if "said" in told:
                self.said.append((told["said"], told["id"]))
            elif "rss_mb" in told:
                self.resident_mb.append(told["rss_mb"])
            else:
                self.done = True


def wait(condition: Callable[[], bool], what: str, deadline_s: float = 120.0) -> None:
    """Wait for something that must happen.

    Raises:
        Lost: it does not.
    """
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise Lost(f"waited {deadline_s:g} s in vain: {what}")
        time.sleep(0.002)


def check(payloads: list[str], said: list[tuple[str, str]], *, at_least: int) -> Figures:
    """Every event there, in order, repeated only as the same bytes.

    Args:
        payloads: as they arrived.
        said: type and id of the events that the device called durable, in order.
        at_least: so many pairs.

    Raises:
        Lost: something is not as promised.
    """
    first: dict[tuple[str, str], str] = {}
    repeated = closed_late = 0
    for payload in payloads:
        event = json.loads(payload)
        key = (event["event_type"], event["id"])
        if key in first:
            if first[key] != payload:
                raise Lost(f"repeated otherwise: {first[key]} and {payload}")
            repeated += 1
        first.setdefault(key, payload)
    missing = [each for each in said if each not in first]
    if missing:
        raise Lost(f"{len(missing)} events are lost, the first of them {missing[0]}")
    events = [json.loads(payload) for payload in first.values()]
    starts, stops = events[::2], events[1::2]
    last = ""
    for start, stop in zip(starts, stops, strict=True):
        if (start["event_type"], stop["event_type"]) != ("music_started", "music_stopped"):
            raise Lost(f"out of order: {start} and {stop}")
        if start["id"] != stop["id"] or start["started"] <= last or stop["ended"] < start["started"]:
            raise Lost(f"no pair, or out of order: {start} and {stop}")
        last = start["started"]
        closed_late += stop["duration_s"] != PAIR_S / 2
    if len(starts) < at_least:
        raise Lost(f"{len(starts)} pairs instead of {at_least}")
    return {
        "pairs": len(starts),
        "events_called_durable": len(said),
        "events_arrived": len(first),
        "lost": 0,
        "repeated_same_bytes": repeated,
        "closed_at_restart_otherwise": closed_late,
    }


class Battle:
    """A broker and a device, one of them always about to be killed."""

    def __init__(self, directory: Path, broker: Mosquitto, *, pairs: int) -> None:
        self.broker, self.ears = broker, Ears()
        self.ears.listen(self.broker.port)
        self.line = Line(self.broker.port)
        self._directory, self._pairs = directory, pairs
        self._said: list[tuple[str, str]] = []
        """By the devices that were killed."""
        self._down_until: int | None = None
        """The broker is dead until so many events were said; None: it is not."""
        self.device = self._new_device(first=0, pairs=pairs)

    @property
    def said(self) -> list[tuple[str, str]]:
        """Type and id of all events called durable so far."""
        return self._said + self.device.said

    def reach(self, moment: int) -> None:
        """Wait until so many events were said, or the script is over; the broker returns when it is its time."""
        if self._down_until is not None and self._down_until <= moment:
            self._wait_for(self._down_until)
            self.bring_back()
        self._wait_for(moment)

    def kill_broker(self, *, down_for: int) -> None:
        """Kill it, until so many events more were said."""
        self.bring_back()
        self.broker.kill()
        self.line.cut()
        self.ears.hang_up()
        self._down_until = len(self.said) + down_for

    def bring_back(self) -> None:
        """Let the broker return, if it is down."""
        if self._down_until is not None:
            self.broker.start()
            self.ears.listen(self.broker.port)
            self.line.mend()
            self._down_until = None

    def kill_device(self) -> None:
        """Kill it, and start the next, which goes on where it ended."""
        self.device.end(signal.SIGKILL)
        self._said += self.device.said
        started = {id_ for type_, id_ in self._said if type_ == "music_started"}
        # No pair has a number above this one: a restart skips one at most.
        known = max((n for n in range(2 * len(started) + 10) if _id(n) in started), default=-1)
        # The pair after the last one known may have been said without being told.
        self.device = self._new_device(first=known + 2, pairs=max(self._pairs - len(started), 1))

    def finish(self) -> None:
        """Wait until all was said and has arrived, and end the device in order."""
        self._wait_for(sys.maxsize)
        self.bring_back()
        wait(lambda: set(self.said) <= _arrived(self.ears.payloads), "the last events")
        self.device.end(signal.SIGTERM)

    def close(self) -> None:
        """End everything but the broker."""
        if self.device.alive:
            self.device.end(signal.SIGKILL)
        self.ears.close()
        self.line.cut()

    def _wait_for(self, said: int) -> None:
        def reached() -> bool:
            if not self.device.alive:
                raise Lost(f"the device ended by itself; see {self._directory / 'device.log'}")
            return self.device.done or len(self.said) >= said

        wait(reached, f"event {said}", 3600)

    def _new_device(self, *, first: int, pairs: int) -> Device:
        return Device(self._directory, port=self.line.port, first=first, pairs=pairs)


def soak_kills(
    directory: Path, *, pairs: int, broker_kills: int, device_kills: int, seed: int, show: Callable[[str], None]
) -> Figures:
    """Kill brokers and devices at random while pairs are said.

    Raises:
        Lost: an event was.
    """
    began, draw = time.monotonic(), random.Random(seed)  # noqa: S311 - a soak that can be repeated
    moments = sorted(draw.sample(range(10, 2 * pairs - 10), broker_kills + device_kills))
    kinds = ["broker"] * broker_kills + ["device"] * device_kills
    draw.shuffle(kinds)
    with brokers(directory) as make_broker, closing(Battle(directory, make_broker(), pairs=pairs)) as battle:
        for number, (moment, kind) in enumerate(zip(moments, kinds, strict=True), 1):
            battle.reach(moment)
            time.sleep(draw.uniform(0, 0.03))
            if kind == "broker":
                battle.kill_broker(down_for=draw.randrange(LONGEST_DOWN))
            else:
                battle.kill_device()
            arrived = len(battle.ears.payloads)
            show(f"{number} of {len(moments)} kills, {len(battle.said)} events said, {arrived} arrived")
        battle.finish()
        figures = check(battle.ears.payloads, battle.said, at_least=pairs)
        with reading(directory / "state" / FILE) as connection:
            kept = sum(1 for _ in intervals(connection, since=0, until=time.time()))
        if kept != figures["pairs"]:
            raise Lost(f"the history holds {kept} intervals of {figures['pairs']}")
    kills = {"broker_kills": broker_kills, "device_kills": device_kills}
    return figures | kills | {"history": kept, "took_s": round(time.monotonic() - began, 1)}


def soak_away(directory: Path, *, pairs: int, limit: int, within_s: float, show: Callable[[str], None]) -> Figures:
    """Say pairs without a broker, then let it return. The waits between attempts are those of the real device.

    Raises:
        Lost: an event was, or it took longer than `within_s`.
    """
    ears = Ears()
    with ExitStack() as stack:
        broker = stack.enter_context(brokers(directory))()
        broker.stop()
        line = stack.enter_context(Line(broker.port))
        line.cut()
        device = Device(directory, port=line.port, first=0, pairs=pairs, limit=limit, real_retry=True)
        stack.callback(lambda: device.end(signal.SIGKILL) if device.alive else None)
        while not device.done:
            if not device.alive:
                raise Lost(f"the device ended by itself; see {directory / 'device.log'}")
            show(f"{len(device.said)} of {2 * pairs} events said, {(device.resident_mb or [0])[-1]:.1f} MB")
            time.sleep(0.5)
        before = len(device.said)
        said = device.said[-limit:]
        broker.start()
        ears.listen(broker.port)
        stack.callback(ears.close)
        returned = time.monotonic()
        line.mend()
        wait(lambda: bool(ears.payloads), "the first event")
        first_s = time.monotonic() - returned
        wait(lambda: len(ears.payloads) >= len(said) and set(said) <= _arrived(ears.payloads), "all events")
        took_s = time.monotonic() - returned
        device.end(signal.SIGTERM)
        said += device.said[before:]  # the last stop
        wait(lambda: len(ears.payloads) >= len(said), "the last stop")
        arrived = list(ears.payloads)
        if json.loads(arrived[0])["event_type"] == "music_stopped":
            del arrived[0], said[0]  # its start was dropped
        figures = check(arrived, said, at_least=len(said) // 2)
    if took_s > within_s:
        raise Lost(f"delivered {took_s:.1f} s after the broker's return, not within {within_s:g} s")
    return figures | {
        "said": len(device.said),
        "dropped": max(0, before - limit),
        "first_event_s": round(first_s, 2),
        "all_events_s": round(took_s, 2),
        "resident_mb_at_start": device.resident_mb[0],
        "resident_mb_after_500_pairs": device.resident_mb[1] if len(device.resident_mb) > 1 else 0.0,
        "resident_mb_at_end": device.resident_mb[-1],
    }


def _id(pair: int) -> str:
    return event_id(NODE, SOURCE, BEGIN + pair * PAIR_S)


def _arrived(payloads: list[str]) -> set[tuple[str, str]]:
    events: list[dict[str, Any]] = [json.loads(payload) for payload in list(payloads)]
    return {(event["event_type"], event["id"]) for event in events}


def _show(text: str) -> None:
    print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201 - a program for the terminal


def main() -> int:
    """Run one soak; 0 if nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["kills", "away", "power"])
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--broker-kills", type=int, default=200)
    parser.add_argument("--device-kills", type=int, default=50)
    parser.add_argument("--limit", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="oido-soak-") as folder:
        directory = Path(folder)
        try:
            if arguments.what == "kills":
                figures = soak_kills(
                    directory,
                    pairs=arguments.pairs or 10_000,
                    broker_kills=arguments.broker_kills,
                    device_kills=arguments.device_kills,
                    seed=arguments.seed,
                    show=_show,
                )
            elif arguments.what == "away":
                figures = soak_away(
                    directory, pairs=arguments.pairs or 3600, limit=arguments.limit, within_s=10.0, show=_show
                )
            else:
                figures = soak_power(directory, rounds=arguments.rounds, seed=arguments.seed, show=_show)
        except AssertionError as lost:
            print(f"\nFAILED: {lost}", file=sys.stderr)  # noqa: T201 - the same
            return 1
    print(file=sys.stderr)  # noqa: T201 - the same
    print(json.dumps(figures))  # noqa: T201 - the same
    return 0


if __name__ == "__main__":
    sys.exit(main())
