"""A private PulseAudio whose default microphone is the monitor of a null sink: what is played is heard."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from waiting import DEADLINE_S


@dataclass(slots=True)
class Pulse:
    """A running server."""

    server: "subprocess.Popen[bytes]"
    environment: dict[str, str]
    """For child processes: PortAudio and libpulse read it when they start."""
    sinks: list[str] = field(default_factory=list)
    """The modules of the null sinks, newest last."""

    def control(self, *command: str) -> str:
        """Run pactl; what it prints.

        Raises:
            subprocess.CalledProcessError: the server refuses.
        """
        done = subprocess.run(
            ["pactl", *command],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=DEADLINE_S,
        )
        return done.stdout.strip()

    def plug(self) -> None:
        """Add the null sink and make its monitor the default microphone."""
        self.sinks.append(
            self.control("load-module", "module-null-sink", "sink_name=mic", "rate=48000", "channels=1")
        )
        self.control("set-default-sink", "mic")
        self.control("set-default-source", "mic.monitor")

    def unplug(self) -> None:
        """Remove it, and the microphone with it."""
        self.control("unload-module", self.sinks.pop())

    def freeze(self) -> None:
        """Let the server hang, as one that waits for a stuck driver does."""
        self.server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.server.send_signal(signal.SIGCONT)

    def play(self, path: Path) -> None:
        """Play a sound file into the microphone and wait until it has ended."""
        subprocess.run(["paplay", str(path)], env=self.environment, check=True, timeout=60)


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    """A PulseAudio of the test's own, with one microphone plugged in; needs no sound card or session."""
    with sound_server(tmp_path) as running:
        yield running


@contextmanager
def sound_server(directory: Path) -> Iterator[Pulse]:
    """A PulseAudio with one microphone, that keeps its files in `directory`.

    Skips the test where something it needs is not installed.
    """
    for program in ("pulseaudio", "pactl", "paplay"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (apt install pulseaudio pulseaudio-utils)")
    if find_library("portaudio") is None:
        pytest.skip("PortAudio is not installed (apt install libportaudio2)")
    if not any(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
        pytest.skip("ALSA's PulseAudio plugin is not installed (apt install libasound2-plugins)")
    folder = directory / "pulse"
    runtime = folder / "runtime"
    for private in (folder, runtime):
        private.mkdir(mode=0o700)
    script = folder / "script.pa"
    script.write_text(f"load-module module-native-protocol-unix socket={runtime}/native auth-anonymous=1\n")
    asoundrc = folder / "asoundrc"
    asoundrc.write_text("</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\nctl.!default { type pulse }\n")
    environment = {
        **os.environ,
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "PULSE_RUNTIME_PATH": str(runtime),
        "PULSE_STATE_PATH": str(folder / "state"),
        "PULSE_SERVER": f"unix:{runtime}/native",
        "ALSA_CONFIG_PATH": str(asoundrc),
    }
    log = folder / "log"
    server = subprocess.Popen(
        [
            *(
                "pulseaudio",
                "-n",
                "-F",
                str(script),
                "--daemonize=no",
                "--exit-idle-time=-1",
                "--disallow-exit",
            ),
            *("--use-pid-file=no", "--system=no", f"--log-target=file:{log}"),
        ],
        env=environment,
        stderr=subprocess.DEVNULL,  # it warns of running as root
    )
    try:
        running = Pulse(server, environment)
        _await_answer(running, log)
        running.plug()
        yield running
    finally:
        server.terminate()
        try:
            server.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _await_answer(server: Pulse, log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            server.control("info")
        except subprocess.CalledProcessError:
            if time.monotonic() > deadline:
                pytest.fail(f"PulseAudio does not answer: {log.read_text() if log.exists() else 'no log'}")
            time.sleep(0.05)
        else:
            return
