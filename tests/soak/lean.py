"""What does oido weigh? Each import, the live daemon, and the time from its start to its first decision.

    python tests/soak/lean.py [--seconds 60] [--times 5] [--model NAME]

Imports: each in a process of its own, with what it imports itself; the median of so many, in milliseconds, and in
MB of 2**20 bytes above a Python that has imported nothing. PSS counts a page that n processes share as 1/n.

Live: `oido run` with the default model and a real mosquitto hears sound at its own pace: music on standard
input, and the microphone of a real PulseAudio (skipped where there is none). VmHWM, the most that was ever
resident, is read at the end; PSS is compared with that of two processes beside it that have done nothing: one
has imported the same libraries, which is what counts, and one our own modules too. Fifteen seconds after the
start the daemon gives back what only the start needed (device/daemon/memory.py), so it may be less than theirs.
The microphone is measured twice: with ALSA as it is on this machine, and with nothing but the device itself, as
on Raspberry Pi OS Lite. PortAudio opens everything that ALSA's configuration names, and one package of plugins
(libasound2-plugins: /etc/alsa/conf.d/60-a52-encoder.conf) brings all of ffmpeg's codecs with it.

Start: from exec to the arrival of the first state with a score at a subscriber, the sound being there at once.

Exit code 0 if the peak is at most 75 MB on standard input and with nothing but the device itself, PSS at most 8 MB
above the libraries alone, and the first decision there within 1.0 s.
"""

# ruff: noqa: E402, T201 - a script: it finds the repository first, and prints

import argparse
import contextlib
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "integration")]

import numpy as np
import pytest
from broker import Mosquitto, brokers
from children import end, must_run
from pulse import sound_server
from subscriber import Subscriber, subscribers
from waiting import eventually

from device.configuration.settings import ModelConfig
from device.monitoring.host import Memory, read_memory
from device.sound import SAMPLE_RATE
from device.sources.recording import Recording

PEAK_MB, ABOVE_MB, FIRST_S = 75.0, 8.0, 1.0
"""What is allowed."""

MODULES = (
    "argparse", "json", "logging", "hashlib", "ssl", "sqlite3", "importlib.metadata", "numpy", "numpy.fft", "soxr",
    "soundfile", "sounddevice", "paho.mqtt.client", "ai_edge_litert.interpreter", "tflite_runtime.interpreter",
    "onnxruntime", "scipy.fft", "scipy.signal", "matplotlib.figure", "device.cli", "device.daemon.daemon",
    "device.publishing.mqtt",
)  # fmt: skip
"""The last are ours, with what they import. scipy and matplotlib are there to compare: no daemon has them."""

IMPORTS = """
import json, sys, time
began = time.perf_counter()
for name in sys.argv[1:]:
    try:
        __import__(name)
    except ImportError:
        if len(sys.argv) == 2:
            sys.exit(3)
print(json.dumps(1000 * (time.perf_counter() - began)), flush=True)
sys.stdin.read()
"""

ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": str(ROOT)}

IMPORTED_S = 8.0
"""After so long everything has been imported that will be."""

PIPE_BYTES = 65_536
"""What a pipe holds: two seconds of sound, of which the first decision needs one."""


@dataclass(frozen=True, slots=True)
class Import:
    """Of one fresh process."""

    ms: float
    process: Path
    """In /proc."""


@contextlib.contextmanager
def importing(*modules: str, environment: Mapping[str, str] = ENVIRONMENT) -> Iterator[Import | None]:
    """A process that has imported these and does nothing: what it costs, while it lives.

    None where the only one is not installed; of several, those that are not do not count.
    """
    words = [sys.executable, "-c", IMPORTS, *modules]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**environment}
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        yield Import(json.loads(line), Path(f"/proc/{process.pid}")) if line else None
        process.stdin.close()


def imported(*modules: str) -> tuple[float, Memory] | None:
    """Milliseconds and memory that these cost a fresh process."""
    with importing(*modules) as found:
        return None if found is None else (found.ms, read_memory(found.process))


def table(times: int) -> None:
    """Print what each import costs."""
    bare = cost(times)
    assert bare is not None
    print(f"Python alone: RSS {bare[1]:.1f} MB, PSS {bare[2]:.1f} MB")
    print(f"{'import':<28} {'ms':>6} {'RSS':>6} {'PSS':>6}")
    for name in MODULES:
        found = cost(times, name)
        if found is None:
            print(f"{name:<28} not installed")
        else:
            ms, rss_mb, pss_mb = (one - other for one, other in zip(found, bare, strict=True))
            print(f"{name:<28} {ms:6.0f} {rss_mb:+6.1f} {pss_mb:+6.1f}", flush=True)


def cost(times: int, *modules: str) -> tuple[float, float, float] | None:
    """Medians: milliseconds, RSS and PSS."""
    found = [each for each in (imported(*modules) for _ in range(times)) if each is not None]
    if not found:
        return None
    return (
        statistics.median(ms for ms, _ in found),
        statistics.median(memory.rss_mb for _, memory in found),
        statistics.median(memory.pss_mb or 0.0 for _, memory in found),
    )


class Daemon:
    """`oido run`, started anew each time, and the sound for it."""

    def __init__(self, folder: Path, broker: Mosquitto, *, source: str, model: str, pcm: bytes) -> None:
        """Write its configuration."""
        self._config = folder / f"{source}.toml"
        self._log = folder / f"{source}.log"
        self._config.write_text(
            f'[node]\nname = "lean"\nstate_dir = "{folder}/state"\n[[source]]\nname = "room"\nkind = "{source}"\n'
            f'[model]\nname = "{model}"\n[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n',
            encoding="utf-8",
        )
        self._pcm = pcm if source == "stdin" else b""

    @contextlib.contextmanager
    def running(
        self, *options: str, environment: Mapping[str, str] = ENVIRONMENT, live: bool = True
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """Start it, and give it sound: as it sounds, or at once as much as a pipe holds; at the end, stop it."""
        words = [sys.executable, *options, "-m", "device", "run", "-c", str(self._config)]
        fed = subprocess.PIPE if self._pcm else subprocess.DEVNULL
        stopping = threading.Event()
        with (
            self._log.open("wb") as log,
            subprocess.Popen(words, cwd=ROOT, stdin=fed, stderr=log, env={**environment}) as process,
        ):
            feeder = threading.Thread(target=self._feed, args=(process, stopping, live), name="feed")
            feeder.start()
            try:
                yield process
            finally:
                stopping.set()
                end(process)  # which ends a write that hangs in the feeder
                feeder.join()

    def log(self) -> str:
        """What it said on standard error."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _feed(self, process: "subprocess.Popen[bytes]", stopping: threading.Event, live: bool) -> None:  # noqa: FBT001 - of this class alone
        if process.stdin is None:
            return
        size, began = 2 * SAMPLE_RATE // 10 if live else PIPE_BYTES, time.monotonic()
        # What is written after its end finds nobody.
        with contextlib.suppress(OSError):
            for count in itertools.count():
                at = count * size % (len(self._pcm) - size)
                os.write(process.stdin.fileno(), self._pcm[at : at + size])
                if not live or stopping.wait(max(0.0, began + (count + 1) / 10 - time.monotonic())):
                    return


def libraries(daemon: Daemon, environment: Mapping[str, str]) -> list[str]:
    """What the daemon imports, in its order."""
    with daemon.running("-X", "importtime", environment=environment) as process:
        must_run(process, seconds=IMPORTED_S)
    names = re.findall(r"^import time: +\d+ \| +\d+ \| +(\S+)$", daemon.log(), re.MULTILINE)
    return [name for name in names if name not in ("site", "sitecustomize")]


def decided(payload: str) -> bool:
    """Whether a state has a score."""
    return '"score"' in payload and json.loads(payload).get("score") is not None


def first_decision_s(daemon: Daemon, heard: Subscriber) -> float:
    """From exec to the first state with a score."""
    before = len(heard.received)
    began = time.monotonic()
    with daemon.running(live=False) as process:

        def has_decided() -> bool:
            must_run(process, seconds=0)
            return any(decided(payload) for _, payload, _ in heard.received[before:])

        if not eventually(has_decided):
            raise SystemExit(f"it decided nothing: {daemon.log()[-500:]}")
        return time.monotonic() - began


def weigh(
    name: str, daemon: Daemon, environment: Mapping[str, str], seconds: float, heard: Subscriber
) -> tuple[float, float]:
    """Print and return the peak of the live daemon, and its PSS above that of the libraries that it imports."""
    modules = libraries(daemon, environment)
    foreign = [module for module in modules if module.partition(".")[0] != "device"]
    before = len(heard.received)
    with daemon.running(environment=environment) as process:
        must_run(process, seconds=seconds)
        # All three at the same time: what they share with each other and with others counts alike in each.
        with (
            importing(*foreign, environment=environment) as theirs,
            importing(*modules, environment=environment) as all_of_it,
        ):
            assert theirs is not None
            assert all_of_it is not None
            processes = (Path(f"/proc/{process.pid}"), theirs.process, all_of_it.process)
            live, without_us, idle = (read_memory(each) for each in processes)
    if not any(decided(payload) for _, payload, _ in heard.received[before:]):
        raise SystemExit(f"it decided nothing: {daemon.log()[-500:]}")
    above_mb, above_theirs_mb = ((live.pss_mb or 0.0) - (each.pss_mb or 0.0) for each in (idle, without_us))
    print(
        f"{name}: peak {live.peak_rss_mb:.1f} MB, RSS {live.rss_mb:.1f} MB; a process that only imports its "
        f"{len(modules)} modules: RSS {idle.rss_mb:.1f} MB, PSS above it {above_mb:+.1f} MB; without the "
        f"{len(modules) - len(foreign)} of our own: RSS {without_us.rss_mb:.1f} MB, PSS above it "
        f"{above_theirs_mb:+.1f} MB",
        flush=True,
    )
    return live.peak_rss_mb, above_theirs_mb


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of live sound (default 60)")
    parser.add_argument(
        "--times", type=int, default=5, help="of each import and start; the median counts (default 5)"
    )
    parser.add_argument("--model", default=ModelConfig().name)
    arguments = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    table(arguments.times)
    music = ROOT / "device" / "audio" / "music.ogg"
    sound = np.concatenate([block.samples for block in Recording(music, name="music").blocks()])
    pcm = (32_767 * sound).astype("<i2").tobytes()
    weights: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = Path(folder)
        broker = stack.enter_context(brokers(path))()
        heard = stack.enter_context(subscribers())(broker.port)
        seconds = arguments.seconds
        piped = Daemon(path, broker, source="stdin", model=arguments.model, pcm=pcm)
        weights.append(weigh("standard input", piped, ENVIRONMENT, seconds, heard))
        starts = [first_decision_s(piped, heard) for _ in range(arguments.times)]
        try:
            pulse = stack.enter_context(sound_server(path))
        except pytest.skip.Exception as skipped:
            print(f"no microphone: {skipped}")
        else:
            microphone = Daemon(path, broker, source="microphone", model=arguments.model, pcm=b"")
            here = {**ENVIRONMENT, **pulse.environment, "PYTHONPATH": str(ROOT)}
            (path / "alone.conf").write_text("pcm.default { type pulse }\nctl.default { type pulse }\n")
            alone = {**here, "ALSA_CONFIG_PATH": str(path / "alone.conf")}
            weights.append(weigh("microphone", microphone, alone, seconds, heard))
            weigh("microphone, ALSA as it is here", microphone, here, seconds, heard)
    first_s = statistics.median(starts)
    print(f"first decision {first_s:.2f} s after exec; each: {', '.join(f'{each:.2f}' for each in starts)}")
    good = first_s <= FIRST_S and all(peak <= PEAK_MB and above <= ABOVE_MB for peak, above in weights)
    print("ok" if good else "FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
