"""A microphone that is pulled out and an ffmpeg that dies, again and again: how soon does a subscriber know?

    python tests/soak/source_loss.py [--times 20] [--seed 0]

`oido run` hears a microphone of a real PulseAudio (a null sink, removed and added again) and a live HTTP stream
through a real ffmpeg (killed, and frozen until its stream counts as stalled), and publishes to a real mosquitto.
Shown are the seconds until a subscriber reads `offline`, and from the moment when there is something to be heard
again until it reads `online`: minimum, median, maximum. The absences last between 0.2 and 10 s.

Exit code 0 if every loss was visible within 3 s and every recovery within 5 s (--loss-s, --recovery-s).
"""

# ruff: noqa: E402, T201 - a script: it finds the repository first, and prints

import argparse
import http.server
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "integration")]

from broker import Mosquitto, brokers
from children import child, must_run
from pulse import Pulse, sound_server
from subscriber import Subscriber, subscribers
from waiting import eventually

from device.daemon.listener import SETTLED_S

ENCODER = (
    *("ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "anoisesrc=r=44100:a=0.05"),
    *("-c:a", "libmp3lame", "-b:a", "128k", "-flush_packets", "1", "-f", "mp3", "-"),
)


class Radio(http.server.BaseHTTPRequestHandler):
    """Noise as MP3 without an end, in real time, and without the burst that most radios begin with."""

    def do_GET(self) -> None:
        """Send until the listener leaves."""
        self.send_response(200)
        self.send_header("Content-Type", "audio/mpeg")
        self.end_headers()
        with subprocess.Popen(ENCODER, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as encoder:
            assert encoder.stdout is not None
            try:
                while data := os.read(encoder.stdout.fileno(), 65_536):
                    self.wfile.write(data)
            except OSError:
                pass
            finally:
                encoder.kill()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def radio() -> Iterator[str]:
    """Its URL."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Radio) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/noise.mp3"
        finally:
            server.shutdown()


@contextmanager
def oido(folder: Path, *, broker: Mosquitto, pulse: Pulse, url: str) -> "Iterator[subprocess.Popen[bytes]]":
    """The daemon, with both sources."""
    file = folder / "oido.toml"
    file.write_text(
        f'[node]\nname = "soak"\nstate_dir = "{folder}/state"\n'
        # A null sink that nobody plays into is flat, and that is not what is measured here.
        '[[source]]\nname = "mic"\nkind = "microphone"\nflat_line_s = 0\n'
        f'[[source]]\nname = "radio"\nkind = "stream"\nurl = "{url}"\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n'
    )
    words = [sys.executable, "-m", "device", "run", "-c", str(file)]
    with (
        (folder / "log").open("wb") as log,
        child(words, cwd=ROOT, env=pulse.environment, stdin=subprocess.DEVNULL, stderr=log) as process,
    ):
        yield process


def ffmpeg_of(process: "subprocess.Popen[bytes]") -> int | None:
    """The process id of the daemon's child."""
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        for number in (task / "children").read_text().split():
            if "ffmpeg" in Path(f"/proc/{number}/comm").read_text():
                return int(number)
    return None


class Watch:
    """Times what a subscriber reads of one source."""

    def __init__(self, subscriber: Subscriber, source: str, process: "subprocess.Popen[bytes]") -> None:
        self._subscriber = subscriber
        self._process = process
        self._topic = f"oido/soak/{source}/availability"

    def until(self, word: str, *, of: int) -> float:
        """Seconds, from now until the word is read after `of` messages.

        Raises:
            SystemExit: it never is, or the daemon has ended.
        """

        def said() -> bool:
            must_run(self._process, seconds=0)
            return word in self._subscriber.payloads(self._topic)[of:]

        began = time.monotonic()
        if not eventually(said):
            raise SystemExit(f"{self._topic} never said {word!r}")
        return time.monotonic() - began

    def count(self) -> int:
        """Messages so far."""
        return len(self._subscriber.payloads(self._topic))


def microphone(
    watch: Watch, pulse: Pulse, *, times: int, chance: random.Random
) -> tuple[list[float], list[float]]:
    """Pull it out and put it in again."""
    losses, recoveries = [], []
    for turn in range(times):
        time.sleep((SETTLED_S if turn else 0.0) + chance.uniform(0.5, 2.0))
        of = watch.count()
        pulse.unplug()
        losses.append(watch.until("offline", of=of))
        time.sleep(chance.uniform(0.2, 10.0))
        pulse.plug()
        recoveries.append(watch.until("online", of=of))
        print(f"microphone {turn + 1}/{times}: {losses[-1]:.2f} s, {recoveries[-1]:.2f} s", file=sys.stderr)
    return losses, recoveries


def stream(
    watch: Watch, process: "subprocess.Popen[bytes]", number: signal.Signals, *, times: int, chance: random.Random
) -> tuple[list[float], list[float]]:
    """Send ffmpeg a signal; the stream itself goes on, so recovery counts from the loss."""
    losses, recoveries = [], []
    for turn in range(times):
        time.sleep((SETTLED_S if turn else 0.0) + chance.uniform(0.5, 2.0))
        of = watch.count()
        child = ffmpeg_of(process)
        if child is None:
            raise SystemExit("there is no ffmpeg to be killed")
        os.kill(child, number)
        losses.append(watch.until("offline", of=of))
        recoveries.append(watch.until("online", of=of))
        print(f"{number.name} {turn + 1}/{times}: {losses[-1]:.2f} s, {recoveries[-1]:.2f} s", file=sys.stderr)
    return losses, recoveries


def shown(name: str, losses: list[float], recoveries: list[float], *, loss_s: float, recovery_s: float) -> bool:
    """Print and judge one kind of loss."""
    for what, seconds, limit in (("offline", losses, loss_s), ("online again", recoveries, recovery_s)):
        print(
            f"{name}, {what}: min {min(seconds):.2f}  median {statistics.median(seconds):.2f}  "
            f"max {max(seconds):.2f} s of {len(seconds)} (allowed {limit:g})"
        )
    return max(losses) <= loss_s and max(recoveries) <= recovery_s


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20, help="losses of each kind (default 20)")
    parser.add_argument("--loss-s", type=float, default=3.0, help="until offline, at most (default 3)")
    parser.add_argument("--recovery-s", type=float, default=5.0, help="until online again, at most (default 5)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)  # noqa: S311 - no secret
    with (
        tempfile.TemporaryDirectory() as name,
        sound_server(Path(name)) as pulse,
        brokers(Path(name)) as make_broker,
        subscribers() as make_subscriber,
        radio() as url,
    ):
        broker = make_broker()
        subscriber = make_subscriber(broker.port)
        with oido(Path(name), broker=broker, pulse=pulse, url=url) as process:
            mic, air = Watch(subscriber, "mic", process), Watch(subscriber, "radio", process)
            mic.until("online", of=0)
            air.until("online", of=0)
            good = [
                shown(what, losses, recoveries, loss_s=arguments.loss_s, recovery_s=arguments.recovery_s)
                for what, (losses, recoveries) in (
                    ("microphone removed", microphone(mic, pulse, times=arguments.times, chance=chance)),
                    ("ffmpeg killed", stream(air, process, signal.SIGKILL, times=arguments.times, chance=chance)),
                    ("ffmpeg frozen", stream(air, process, signal.SIGSTOP, times=arguments.times, chance=chance)),
                )
            ]
    print("ok" if all(good) else "FAILED")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
