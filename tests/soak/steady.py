"""Live sound in the steady state: how much of a processor, and what is written?

    python tests/soak/steady.py [--seconds 600] [--warm-up 20] [--model NAME] [--yamnet FILE.tflite]

`oido run` hears noise in a loop (no events) at the pace of the clock, in a process of its own, publishes to a real
mosquitto, and keeps its outbox in a directory. After 20 s of warming up its processor time is read from
/proc/PID/stat, what it writes from /proc/PID/io (`write_bytes`: what is meant for a disk; `syscw`: calls of write,
those to sockets not counted), and the files of its state directory are compared.

Beside it, in the same minutes, at the same pace and in processes of its own, YAMNet's official TFLite
(ai-edge-litert, one thread) judges the same sound, 0.975 s at a time: every 0.48 s as Google's own code does, and
every 0.96 s, which is how often oido decides. Skipped where its file is absent.

Exit code 0 if the daemon took less than 1 % of one core (--percent) and wrote nothing to disk.
"""

# ruff: noqa: E402, T201 - a script: it finds the repository first, and prints

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "integration")]
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import soundfile
from broker import brokers
from children import child, end, must_run

SAMPLE_RATE_HZ = 16_000
TICKS = os.sysconf("SC_CLK_TCK")

YAMNET = """
import sys, time
import numpy as np
import soundfile
from ai_edge_litert.interpreter import Interpreter
model, sound, hop_s = sys.argv[1], sys.argv[2], float(sys.argv[3])
interpreter = Interpreter(model_path=model, num_threads=1)
interpreter.allocate_tensors()
feed, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
samples = soundfile.read(sound, dtype="float32")[0]
began = time.monotonic()
count = 0
while True:
    at = int(count * hop_s * 16000) % (len(samples) - 15600)
    interpreter.set_tensor(feed["index"], samples[at : at + 15600].reshape(feed["shape"]))
    interpreter.invoke()
    interpreter.get_tensor(answer["index"])
    count += 1
    time.sleep(max(0.0, began + count * hop_s - time.monotonic()))
"""


class Process:
    """A child, as /proc shows it."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]") -> None:
        self.name = name
        self._process = process
        self._before = (0.0, 0, 0)
        self._at = 0.0

    def begin(self) -> None:
        """From here on it counts."""
        self._before, self._at = self._read(), time.monotonic()

    def end(self) -> tuple[float, int, int, float]:
        """Percent of one core, bytes written to disk, write calls, and MB resident now."""
        if self._process.poll() is not None:
            raise SystemExit(f"{self.name} ended with {self._process.returncode}")
        seconds = time.monotonic() - self._at
        now = self._read()
        cpu_s, written, calls = (after - before for after, before in zip(now, self._before, strict=True))
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        resident_mb = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        return 100 * cpu_s / seconds, int(written), int(calls), resident_mb

    def _read(self) -> tuple[float, int, int]:
        stat = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        lines = Path(f"/proc/{self._process.pid}/io").read_text().splitlines()
        io = dict(line.split(": ") for line in lines)
        # Fields 14 and 15 of proc(5), utime and stime; the split begins with field 3.
        return (int(stat[11]) + int(stat[12])) / TICKS, int(io["write_bytes"]), int(io["syscw"])


def feed(pipe: "subprocess.Popen[bytes]", pcm: bytes, stopping: threading.Event) -> None:
    """Live sound on standard input: a tenth of a second ten times a second."""
    size = 2 * SAMPLE_RATE_HZ // 10
    began, count = time.monotonic(), 0
    assert pipe.stdin is not None
    while not stopping.wait(max(0.0, began + count / 10 - time.monotonic())):
        at = count * size % len(pcm)
        try:
            pipe.stdin.write(pcm[at : at + size])
            pipe.stdin.flush()
        except OSError:
            return
        count += 1


def contents(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file and what is in it."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield str(file.relative_to(folder)), hashlib.sha256(file.read_bytes()).hexdigest()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600.0, help="to measure for (default 600)")
    parser.add_argument("--warm-up", type=float, default=20.0, help="seconds before it (default 20)")
    parser.add_argument("--model", help="default: the daemon's own default")
    parser.add_argument("--yamnet", type=Path, default=ROOT.parent / "shared" / "weights" / "yamnet.tflite")
    parser.add_argument("--percent", type=float, default=1.0, help="of one core, allowed (default 1)")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> int:
    """Run it."""
    arguments = _arguments()
    sound = 0.01 * np.random.default_rng(arguments.seed).standard_normal(60 * SAMPLE_RATE_HZ)
    pcm = (sound * 32_767).astype("<i2").tobytes()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        state = folder / "state"
        wav = folder / "sound.wav"
        soundfile.write(wav, sound, SAMPLE_RATE_HZ)
        broker = stack.enter_context(brokers(folder))()
        file = folder / "oido.toml"
        file.write_text(
            f'[node]\nname = "steady"\nstate_dir = "{state}"\n[[source]]\nname = "room"\nkind = "stdin"\n'
            + (f'[model]\nname = "{arguments.model}"\n' if arguments.model else "")
            + f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n'
        )
        oido = [sys.executable, "-m", "device", "run", "-c", str(file)]
        daemon = stack.enter_context(child(oido, cwd=ROOT, stdin=subprocess.PIPE))
        watched = [Process("oido run", daemon)]
        if arguments.yamnet.exists():
            for hop_s in ("0.48", "0.96"):
                words = [sys.executable, "-c", YAMNET, str(arguments.yamnet), str(wav), hop_s]
                yamnet = stack.enter_context(child(words, stderr=subprocess.DEVNULL))
                watched.append(Process(f"YAMNet every {hop_s} s", yamnet))
        else:
            print(f"YAMNet is not compared: there is no {arguments.yamnet}")
        stopping = threading.Event()
        feeder = threading.Thread(target=feed, args=(daemon, pcm, stopping), name="feed")
        feeder.start()
        try:
            must_run(daemon, seconds=arguments.warm_up)
            before = dict(contents(state))
            for each in watched:
                each.begin()
            began = time.monotonic()
            while (passed := time.monotonic() - began) < arguments.seconds:
                must_run(daemon, seconds=min(30.0, arguments.seconds - passed))
                print(f"{time.monotonic() - began:5.0f} s of {arguments.seconds:.0f}", file=sys.stderr, flush=True)
            figures = [(each.name, *each.end()) for each in watched]
            unchanged = before == dict(contents(state))
        finally:
            stopping.set()
            end(daemon)  # which ends a write that hangs in the feeder
            feeder.join()
    for what, percent, written, calls, resident_mb in figures:
        print(
            f"{what}: {percent:.2f} % of one core, {written} bytes to disk in {calls} writes, {resident_mb:.1f} MB"
        )
    print(f"state directory ({len(before)} files): {'unchanged' if unchanged else 'CHANGED'}")
    _, percent, written, _, _ = figures[0]
    good = percent < arguments.percent and not written and unchanged
    print("ok" if good else "FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
