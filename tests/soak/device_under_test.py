"""A device with everything real but its ears: a child of outbox.py, made to be killed.

    python device_under_test.py PORT STATE_DIR FIRST_PAIR PAIRS [LIMIT]

Music of 0.96 s and a pause of 0.96 s alternate, one pair after the other, as fast as it goes: a scripted source
and a scripted model drive the real Listener, Reporter, State, Backlog, outbox and MQTT session. Pair n has the
onset BEGIN + n * 1.92 s, so that ids are unique over restarts and the order of all events is known. On standard
output, one JSON line each: {"said": "music_started", "id": ...} once `publish` has returned, so that the event is
durable; {"rss_mb": x, ...} every 500 pairs; {"done": true} at the end. Then it publishes on until SIGTERM.
"""

import json
import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from hearing_fakes import sidecar_of  # noqa: E402 - the path comes first, as this is started as a program

from device.configuration.settings import (  # noqa: E402 - the same
    Config,
    DecisionConfig,
    HistoryConfig,
    MqttConfig,
    NodeConfig,
    SourceConfig,
)
from device.daemon.listener import Listener  # noqa: E402
from device.daemon.signals import signals  # noqa: E402
from device.daemon.writer import Writer  # noqa: E402
from device.hearing.models.inputs import StatisticsInput  # noqa: E402
from device.hearing.models.loading import StatisticsModel  # noqa: E402
from device.hearing.models.runtimes import Runtime  # noqa: E402
from device.monitoring.host import resident_mb  # noqa: E402
from device.publishing.message import Message, Topics  # noqa: E402
from device.publishing.mqtt import MqttPublisher  # noqa: E402
from device.publishing.retry import Retry  # noqa: E402
from device.sound import SAMPLE_RATE, Block, FloatArray  # noqa: E402
from device.storage.state import State  # noqa: E402

BEGIN = 1_700_000_000.0
"""When pair 0 starts, seconds since the epoch."""

PATCH = 15_360
"""Samples: 0.96 s."""

PAIR_S = 2 * PATCH / SAMPLE_RATE
NODE, SOURCE = "soak", "room"


class AlternatingRuntime(Runtime):
    """Music, no music, music, and so on, whatever it is given."""

    description = "alternating"

    def __init__(self) -> None:
        self._calls = 0

    def run_all(self, features: FloatArray) -> list[FloatArray]:
        """(n, 1)."""
        self._calls += 1
        return [np.full((len(features), 1), self._calls % 2, np.float32)]


class ScriptedSource:
    """So many patches of a very quiet noise, and then nothing until it is closed."""

    name = SOURCE

    def __init__(self, patches: int) -> None:
        self._patches = patches
        self._closed = threading.Event()

    def blocks(self) -> Iterator[Block]:
        """Patches, as fast as they are taken."""
        samples = (1e-3 * np.random.default_rng(0).standard_normal(PATCH)).astype(np.float32)
        for number in range(self._patches):
            if self._closed.is_set():
                return
            yield Block(samples=samples, start=number * PATCH)
        tell(done=True)
        self._closed.wait()

    def close(self) -> None:
        """End."""
        self._closed.set()


class TellingPublisher(MqttPublisher):
    """Tells the parent about each event once the real publisher has taken it."""

    said = 0

    def publish(self, message: Message) -> None:
        """Publish, then tell."""
        super().publish(message)
        if message.topic.endswith("/event"):
            event = json.loads(message.payload)
            tell(said=event["event_type"], id=event["id"])
            self.said += 1
            if self.said % 1000 == 0:
                tell(rss_mb=resident_mb(), pairs=self.said // 2, waiting=self.queued_events)


def tell(**line: object) -> None:
    """Print one line at once, in a single write: two threads do this."""
    print(json.dumps(line) + "\n", end="", flush=True)  # noqa: T201 - the parent reads it


def main(port: int, state_dir: str, first: int, pairs: int, limit: int, environment: Mapping[str, str]) -> None:
    """Run until SIGTERM, or worse."""
    logging.basicConfig(level=logging.WARNING)
    config = Config(
        node=NodeConfig(name=NODE, state_dir=state_dir),
        mqtt=MqttConfig(host="127.0.0.1", port=port, max_queued_events=limit),
        decision=DecisionConfig(on=0.5, min_on_s=0, min_off_s=0),
        history=HistoryConfig(enabled=True),
    )
    state = State(config, environment=environment)
    topics = Topics("oido", NODE)
    soon = Retry(first_s=0.05, longest_s=0.1, short_s=0.1, conflict_s=0.1)
    retry = Retry() if "SOAK_REAL_RETRY" in environment else soon
    with (
        signals(reload=False) as asked,
        Writer(
            TellingPublisher(config.mqtt, topics=topics, outbox=state.outbox, retry=retry), state.journal
        ) as publisher,
    ):
        listener = Listener(
            SourceConfig(name=SOURCE, flat_line_s=0.0),
            config=config,
            open_source=lambda: ScriptedSource(2 * pairs),
            model=StatisticsModel(sidecar_of(), AlternatingRuntime(), StatisticsInput(1)),
            publisher=publisher,
            origin=BEGIN + first * PAIR_S,
            journal=state.journal,
        )
        tell(rss_mb=resident_mb(), pairs=0, waiting=publisher.queued_events)
        listener.start()
        while not asked.wait(60.0):
            pass
        listener.stop()
        listener.join(5)
    state.close()


if __name__ == "__main__":
    main(
        int(sys.argv[1]),
        sys.argv[2],
        int(sys.argv[3]),
        int(sys.argv[4]),
        int(sys.argv[5]) if len(sys.argv) > 5 else 10_000,
        os.environ,
    )
