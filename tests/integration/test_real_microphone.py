"""The microphone against a real PortAudio, ALSA and PulseAudio."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pulse import Pulse
from waiting import DEADLINE_S

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


class Listener:
    """The child process that listens."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def next(self, key: str) -> Any:
        """The value of the next line that has this key; a child that ends first fails the test."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            if key in told:
                return told[key]
        pytest.fail(f"the listener ended without telling {key!r}")

    def next_loud(self) -> dict[str, Any]:
        """The next second that is not silence."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told: dict[str, Any] = json.loads(line)
            if told.get("level_dbfs", -120) > -40:
                return told
        pytest.fail("the listener ended without hearing anything")

    def exit_status(self) -> int:
        """Wait for its end."""
        return self._process.wait(DEADLINE_S)


@contextmanager
def listening(pulse: Pulse, *, seconds: int, stall_s: float) -> Iterator[Listener]:
    """A child that listens to the default microphone."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("listener.py")), str(seconds), str(stall_s)],
        env={**pulse.environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # ALSA and PortAudio comment on a device that goes away
        text=True,
    )
    with process:
        try:
            yield Listener(process)
        finally:
            process.kill()


def tone(path: Path, *, frequency_hz: int, seconds: float) -> Path:
    """A sine at -12 dBFS (RMS -15) with silence on both sides."""
    sound = 0.25 * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * 48_000)) / 48_000)
    silence = np.zeros(24_000)
    soundfile.write(path, np.concatenate([silence, sound, silence]), 48_000)
    return path


def test_what_is_played_is_heard(pulse: Pulse, tmp_path: Path) -> None:
    """At its pitch and level, with the time of day, and the device is freed at the end."""
    path = tone(tmp_path / "tone.wav", frequency_hz=1_000, seconds=4)
    with listening(pulse, seconds=6, stall_s=5) as listener:
        assert "default" in listener.next("devices")
        listener.next("level_dbfs")
        pulse.play(path)
        listener.next_loud()  # perhaps the beginning of the tone
        second = listener.next_loud()
        assert second["frequency_hz"] == pytest.approx(1_000, abs=1)
        assert second["level_dbfs"] == pytest.approx(-15, abs=1)
        assert second["wall_time"] == pytest.approx(time.time(), abs=DEADLINE_S)
        assert listener.next("closed")
        assert listener.exit_status() == 0


def test_an_unplugged_microphone_is_lost_and_found_again(pulse: Pulse, tmp_path: Path) -> None:
    """Removed: lost. Plugged in again: the same Microphone hears it."""
    path = tone(tmp_path / "tone.wav", frequency_hz=700, seconds=3)
    with listening(pulse, seconds=60, stall_s=1) as listener:
        listener.next("level_dbfs")
        pulse.unplug()
        assert "'default'" in listener.next("lost")
        pulse.plug()
        listener.next("level_dbfs")
        pulse.play(path)
        listener.next_loud()
        assert listener.next_loud()["frequency_hz"] == pytest.approx(700, abs=1)


def test_a_microphone_whose_server_stops_is_lost(pulse: Pulse) -> None:
    """A sound server that hangs gives no sample and no error: the stall is noticed."""
    with listening(pulse, seconds=60, stall_s=1) as listener:
        listener.next("level_dbfs")
        pulse.freeze()
        try:
            assert "gave no sample for 1 s" in listener.next("lost")
        finally:
            pulse.thaw()
