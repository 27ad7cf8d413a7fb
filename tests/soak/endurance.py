"""Hours of sound through the whole daemon at full speed: does it grow?

    python tests/soak/endurance.py [--hours 72] [--seed 0] [--broker mosquitto|none]

One live source gives endless synthetic sound (noise, rhythm, silence, speech-like noise, in random turns) as fast
as the daemon takes it, into the real pipeline, the real outbox and a real mosquitto (`none`: standard output,
thrown away). The source is lost and found again about once in an hour of sound. After every hour of sound one line
shows resident memory, threads and file descriptors.

Exit code 0 if memory grew by at most 2 MB after the first hour, threads and descriptors stayed as they were, and
every start of music has its stop.
"""

# ruff: noqa: E402, T201 - a script: it finds the repository first, and prints

import argparse
import json
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "integration")]
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import paho.mqtt.client as paho
from broker import brokers
from hearing_fakes import chord, noise
from subscriber import Subscriber, subscribers
from waiting import eventually

from device.configuration.settings import Config, MqttConfig, NodeConfig, SourceConfig
from device.daemon.daemon import run
from device.daemon.memory import keep_buffers
from device.errors import SourceLost
from device.monitoring.host import resident_mb
from device.sound import SAMPLE_RATE, Block, FloatArray

GROWTH_MB = 2.0
"""How much more memory than after the first hour there may be."""

BLOCK_S = 0.1
TURN_S = 24.0
HOUR = 3600 * SAMPLE_RATE


def turns(seed: int) -> list[FloatArray]:
    """Sounds of TURN_S seconds each."""
    generator = np.random.default_rng(seed)
    time_s = np.arange(round(TURN_S * SAMPLE_RATE)) / SAMPLE_RATE
    steps = [chord(0.5, frequencies_hz=[f * 220 * 2 ** (k / 12) for f in (1, 1.26, 1.5)]) for k in (0, 5, 7, 2)]
    rhythm = np.concatenate(steps * 13)[: len(time_s)] * np.exp(-3 * (time_s % 0.5))
    babble = noise(TURN_S, seed=seed) * (0.5 + 0.5 * np.sin(2 * np.pi * (3 + generator.random()) * time_s))
    quiet = noise(TURN_S, level_dbfs=-55, seed=seed + 1)
    return [
        each.astype(np.float32) for each in (rhythm, babble, quiet, noise(TURN_S, seed=seed + 2), rhythm * 0.3)
    ]


class Tape:
    """Endless sound that is never written down, and the figures of every hour of it."""

    def __init__(self, *, hours: float, seed: int) -> None:
        self.name = "tape"
        self.played = 0
        self.total = round(hours * HOUR)
        self.figures: list[tuple[float, float, int, int]] = []
        """Hours of sound, MB resident, threads, descriptors."""
        self.began = time.monotonic()
        self._turns = turns(seed)
        self._random = np.random.default_rng(seed)
        self._closed = False

    def blocks(self) -> Iterator[Block]:
        """Turns until it is lost (after an hour or so) or has been heard in full."""
        size, start = round(BLOCK_S * SAMPLE_RATE), 0
        left = round(self._random.uniform(0.5, 1.5) * HOUR)
        began = time.time()
        while not self._closed and self.played < self.total:
            turn = self._turns[self._random.integers(len(self._turns))]
            for at in range(0, len(turn), size):
                samples = turn[at : at + size]
                yield Block(samples, start, wall_time=began + start / SAMPLE_RATE)
                start += len(samples)
                self._count(len(samples))
                if self._closed:
                    return
            left -= len(turn)
            if left < 0:
                raise SourceLost("tape: pulled out, as planned")
        os.kill(os.getpid(), 15)
        while not self._closed:
            time.sleep(0.05)

    def close(self) -> None:
        """End."""
        self._closed = True

    def reopened(self, _: SourceConfig) -> "Tape":
        """The same tape, where it was."""
        self._closed = False
        return self

    def _count(self, samples: int) -> None:
        before, self.played = self.played // HOUR, self.played + samples
        if self.played // HOUR == before:
            return
        hours = self.played / HOUR
        figure = (hours, resident_mb(), threading.active_count(), sum(1 for _ in Path("/proc/self/fd").iterdir()))
        self.figures.append(figure)
        speed = hours * 3600 / (time.monotonic() - self.began)
        shown = "{:5.0f} h  {:6.1f} MB  {} threads  {} descriptors".format(*figure)
        print(f"{shown}  {speed:,.0f} x", file=sys.stderr, flush=True)


class Audience:
    """Judges the events as they arrive at a subscriber: it keeps none, as this is the daemon's process too."""

    def __init__(self, subscriber: Subscriber) -> None:
        self.started = self.stopped = 0
        self.wrong = ""
        """The first event that was out of turn."""
        self._playing = ""
        subscriber.client.on_message = self._on_message

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        event = json.loads(message.payload)
        starts = event["event_type"] == "music_started"
        if self._playing != ("" if starts else event["id"]):
            self.wrong = self.wrong or f"{event['event_type']} of {event['id']} while {self._playing!r} was on"
        self._playing = event["id"] if starts else ""
        self.started += starts
        self.stopped += not starts


def verdict(figures: list[tuple[float, float, int, int]]) -> bool:
    """Print and judge."""
    if len(figures) < 2:
        print("less than two hours: nothing to compare")
        return True
    first, after = figures[0], figures[1:]
    growth = max(figure[1] for figure in after) - first[1]
    threads, descriptors = ({figure[column] for figure in figures} for column in (2, 3))
    print(
        f"after 1 h {first[1]:.1f} MB; highest {first[1] + growth:.1f} MB, at the end {after[-1][1]:.1f} MB: "
        f"growth {growth:+.2f} MB (allowed {GROWTH_MB:g})"
    )
    print(f"threads {sorted(threads)}, file descriptors {sorted(descriptors)}")
    return growth <= GROWTH_MB and len(threads) == len(descriptors) == 1


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=72.0, help="of sound (default 72)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--broker", choices=["mosquitto", "none"], default="mosquitto")
    arguments = parser.parse_args()
    keep_buffers()
    logging.basicConfig(level=logging.ERROR)
    tape = Tape(hours=arguments.hours, seed=arguments.seed)
    print(
        f"{resident_mb():.1f} MB are this script's, its tape most of all, before the daemon begins",
        file=sys.stderr,
    )
    source = SourceConfig(name="tape", kind="microphone", retry_longest_s=0.5)

    # The clock of the sound runs much faster than ours: an hour's worth of states is due in seconds.
    def mqtt(**where: Any) -> MqttConfig:
        return MqttConfig(state_interval_s=60.0, telemetry_interval_s=600.0, **where)

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        node = NodeConfig(name="soak", state_dir=folder)
        audience = None
        if arguments.broker == "mosquitto":
            broker = stack.enter_context(brokers(Path(folder)))(more="log_type none")
            audience = Audience(stack.enter_context(subscribers())(broker.port, "oido/+/+/event"))
            config = Config(node=node, source=(source,), mqtt=mqtt(host="127.0.0.1", port=broker.port))
        else:
            stack.enter_context(redirect_stdout(stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))))
            config = Config(node=node, source=(source,), mqtt=mqtt())
        code = run(config, open_source=tape.reopened)
        if audience is not None:
            eventually(lambda: audience.started == audience.stopped)
    seconds = time.monotonic() - tape.began
    print(f"{tape.played / HOUR:.1f} h of sound in {seconds:.0f} s ({tape.played / SAMPLE_RATE / seconds:,.0f} x)")
    good = verdict(tape.figures)
    if audience is not None:
        wrong = f", {audience.wrong}" if audience.wrong else ""
        print(f"events at the broker: {audience.started} starts, {audience.stopped} stops{wrong}")
        good = good and audience.started == audience.stopped and not audience.wrong
    print("ok" if good and code == 0 else "FAILED")
    return 0 if good and code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
