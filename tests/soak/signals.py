"""SIGTERM at every moment of the daemon's life: does it always end, and is `offline` said?

    python tests/soak/signals.py [--starts 1000] [--signals 100000] [--within-s 2] [--jobs 2] [--seed 1]

First, a child waits as the daemon's main loop does, for half a millisecond at a time, and is sent so many SIGTERM
as fast as that goes; it must notice the SIGHUP that comes last.

Then `oido run` is started again and again, with a real mosquitto, and gets one SIGTERM or two (as `timeout` sends
them) at a random moment: one in four while it starts, the others within a second after `online` was said. It must
end within `--within-s` of the last one, and the broker must keep `offline`, unless `online` was never said.

Exit code 0 if each one ended in time, and none left `online` behind.
"""

# ruff: noqa: E402, T201 - a script: it finds the repository first, and prints

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "integration")]
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from broker import brokers
from subscriber import Subscriber
from waiting import eventually

EARLY = 0.25
"""How many are ended while they start."""
STARTING_S = 1.5
"""When after the start of the process the first SIGTERM comes to these, at the latest."""
LISTENING_S = 1.0
"""When after `online` it comes to the others, at the latest."""
BETWEEN_S = 0.3
"""How long after it the second one comes, at the latest."""
HANGS_S = 30.0
"""Whoever takes longer is killed and counts as hung."""

WAIT = """
from device.daemon.signals import signals
with signals(reload=True) as asked:
    print("waiting", flush=True)
    while not asked.reload:
        if asked.wait(0.0005):
            asked.stop = False
"""


@dataclass(frozen=True)
class End:
    """How one daemon ended."""

    name: str
    took_s: float
    """From the last signal to the end of the process; `HANGS_S` if it had to be killed."""
    exit_code: int


def blast(count: int) -> bool:
    """Whether the waiting loop still lives after so many signals."""
    with subprocess.Popen([sys.executable, "-c", WAIT], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(count):
            process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGHUP)
        return end_of(process) == 0


def end_of(process: "subprocess.Popen[bytes]") -> int | None:
    """The exit code; None for one that had to be killed."""
    try:
        return process.wait(HANGS_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def start_and_end(folder: Path, port: int, subscriber: Subscriber, number: int, chance: random.Random) -> End:
    """One daemon, from its start to its end."""
    name = f"n{number}"
    file = folder / f"{name}.toml"
    file.write_text(
        f'[node]\nname = "{name}"\nstate_dir = "{folder}/{name}"\n[model]\nname = "logistic"\n'
        '[[source]]\nname = "room"\nkind = "stdin"\nstall_s = 3600\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'
    )
    early, second_s = chance.random() < EARLY, chance.choice((None, chance.uniform(0, BETWEEN_S)))
    with subprocess.Popen(
        [sys.executable, "-m", "device", "run", "-c", str(file)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(bytes(60_000))  # two seconds of sound, and then it stays open
        process.stdin.flush()
        if not early:
            eventually(lambda: subscriber.last(f"oido/{name}/status") == "online")
        time.sleep(chance.uniform(0, STARTING_S if early else LISTENING_S))
        process.send_signal(signal.SIGTERM)
        if second_s is not None:
            time.sleep(second_s)
            process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        code = end_of(process)
        took_s = HANGS_S if code is None else time.monotonic() - began
    return End(name, took_s, -signal.SIGKILL if code is None else code)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=1_000, help="of the daemon (default 1000)")
    parser.add_argument("--signals", type=int, default=100_000, help="against the loop alone (default 100000)")
    parser.add_argument("--within-s", type=float, default=2.0, help="from the signal to the end (default 2)")
    parser.add_argument("--jobs", type=int, default=2, help="daemons at a time (default 2)")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> int:
    """Run it."""
    arguments = _arguments()
    lives = blast(arguments.signals)
    print(f"{arguments.signals} signals: the waiting loop {'goes on' if lives else 'HANGS'}", flush=True)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        broker = stack.enter_context(brokers(folder))()
        subscriber = Subscriber(broker.port, "oido/+/status")
        stack.callback(subscriber.close)
        pool = stack.enter_context(ThreadPoolExecutor(arguments.jobs))
        chances = [random.Random(f"{arguments.seed} {number}") for number in range(arguments.starts)]  # noqa: S311
        ends = list(
            pool.map(
                lambda number: start_and_end(folder, broker.port, subscriber, number, chances[number]),
                range(len(chances)),
            )
        )
        said = {end.name: f"oido/{end.name}/status" for end in ends}
        left = [
            end.name
            for end in ends
            if not eventually(lambda topic=said[end.name]: subscriber.last(topic) != "online", deadline_s=5)  # type: ignore[misc]
        ]
        heard = sum(subscriber.last(topic) == "offline" for topic in said.values())
    times = sorted(end.took_s for end in ends)
    late = [end for end in ends if end.took_s > arguments.within_s]
    before = sum(end.exit_code == -signal.SIGTERM for end in ends)
    odd = [end for end in ends if end.exit_code not in (0, -signal.SIGTERM)]
    print(
        f"{len(ends)} starts: ended after {times[len(times) // 2]:.2f} s (median), {times[-1]:.2f} s (longest); "
        f"{len(late)} later than {arguments.within_s:g} s; {before} by the signal itself, before they began "
        "or after they had closed; "
        f"{heard} said offline; {len(left)} left online behind; other exit codes: {len(odd)}"
    )
    for end in (*late, *odd):
        print(f"  {end}")
    good = lives and not late and not left and not odd
    print("ok" if good else "FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
