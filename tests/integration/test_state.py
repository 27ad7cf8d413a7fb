"""What a real `oido run` leaves behind, and what the next one makes of it."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broker import Mosquitto
from subscriber import Subscriber, subscribers
from waiting import DEADLINE_S, eventually

from device.demo import AUDIO
from device.sound import SAMPLE_RATE
from device.sources.recording import Recording
from device.storage.history import FILE, intervals, reading

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
EVENT = "oido/oido/room/event"


class Device:
    """`oido run` that hears what is written to it."""

    def __init__(self, config: Path) -> None:
        folder = config.parent
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder / "run")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "device", "run", "-c", str(config)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def play(self, samples: bytes) -> None:
        """Let it hear signed 16-bit samples."""
        assert self.process.stdin is not None
        self.process.stdin.write(samples)
        self.process.stdin.flush()

    def kill(self) -> str:
        """SIGKILL; what it had logged."""
        self.process.kill()
        return self.process.communicate()[1].decode()


@contextmanager
def device(config: Path) -> Iterator[Device]:
    """A running one, killed at the end."""
    running = Device(config)
    try:
        yield running
    finally:
        running.kill()


@pytest.fixture
def config(mosquitto: Mosquitto, tmp_path: Path) -> Path:
    """Standard input to the broker, with a history."""
    file = tmp_path / "config.toml"
    file.write_text(
        f'[node]\nstate_dir = "{tmp_path / "state"}"\n[[source]]\nname = "room"\nkind = "stdin"\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {mosquitto.port}\n[history]\nenabled = true\n'
    )
    return file


def music() -> list[bytes]:
    """Seconds of Bach, signed 16-bit at 16 kHz."""
    blocks = Recording(AUDIO / "music.ogg", name="music").blocks()
    samples = np.concatenate([block.samples for block in blocks])
    sound = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    return [sound[at : at + 2 * SAMPLE_RATE] for at in range(0, len(sound), 2 * SAMPLE_RATE)]


def events(subscriber: Subscriber) -> list[dict[str, Any]]:
    """What arrived; an event that a kill kept from being acknowledged arrives again, and counts once."""
    return [json.loads(payload) for payload in dict.fromkeys(subscriber.payloads(EVENT))]


def test_music_that_a_killed_device_heard_is_ended_by_the_next(
    mosquitto: Mosquitto, config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One stop, with the id of the start, dated when the music was heard last; and one interval in the history."""
    with subscribers() as subscribe:
        subscriber = subscribe(mosquitto.port)
        with device(config) as first:
            for second in music():
                first.play(second)
            assert eventually(lambda: len(events(subscriber)) == 1)
            heard = config.parent / "run" / "oido" / "oido+room.heard"
            assert eventually(heard.exists)
        with device(config):
            assert eventually(lambda: len(events(subscriber)) == 2)
    start, stop = events(subscriber)
    assert (start["event_type"], stop["event_type"]) == ("music_started", "music_stopped")
    assert (start["id"], start["started"]) == (stop["id"], stop["started"])
    assert 0 < stop["duration_s"] < 60
    command = [sys.executable, "-m", "device", "history", "--json", "-c", str(config)]
    # Sound that is written faster than it would be heard is dated into the future.
    subprocess.run([*command, "--until", "2999-01-01"], cwd=ROOT, check=True, timeout=DEADLINE_S)
    row = json.loads(capfd.readouterr().out)
    assert (row["id"], row["duration_s"]) == (stop["id"], stop["duration_s"])


def test_a_second_device_on_the_same_state_is_refused(mosquitto: Mosquitto, config: Path) -> None:
    """One sentence, exit code 1; the first goes on."""
    with subscribers() as subscribe:
        subscriber = subscribe(mosquitto.port)
        with device(config) as first:
            assert eventually(lambda: subscriber.last("oido/oido/status") == "online")
            second = Device(config)
            complaint = second.process.communicate(timeout=DEADLINE_S)[1].decode()
            assert second.process.returncode == 1
            assert "another oido is running with the state directory" in complaint
            assert "Traceback" not in complaint
            assert first.process.poll() is None
            assert subscriber.last("oido/oido/status") == "online"


def test_a_state_directory_that_cannot_be_is_done_without(mosquitto: Mosquitto, config: Path) -> None:
    """One sentence; the device runs."""
    (config.parent / "state").write_text("in the way")
    with subscribers() as subscribe:
        subscriber = subscribe(mosquitto.port)
        with device(config) as running:
            assert eventually(lambda: subscriber.last("oido/oido/status") == "online")
            log = running.kill()
    assert log.count("the state directory") == 1
    assert "Traceback" not in log


def test_intervals_of_sound_that_is_fed_too_fast_do_not_overlap(config: Path) -> None:
    """Music and noise in turn, written as fast as they are heard: the history has them one after the other."""
    silence = bytes(2 * SAMPLE_RATE * 20)
    with device(config) as running:
        for _ in range(4):
            running.play(b"".join(music()) + silence)
        assert running.process.stdin is not None
        running.process.stdin.close()
        running.process.stdin = None
        running.process.wait(DEADLINE_S)
    with reading(config.parent / "state" / FILE) as connection:
        found = list(intervals(connection, since=0.0, until=1e12))
    assert len(found) >= 2
    assert all(one.ended <= next_.started for one, next_ in itertools.pairwise(found))
