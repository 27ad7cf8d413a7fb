"""Short versions of the soaks in tests/soak/outbox.py, and that a quiet device leaves the disk alone."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from broker import Mosquitto
from soak.outbox import soak_away, soak_kills
from subscriber import subscribers
from waiting import DEADLINE_S, eventually

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]

WRITES = "write,pwrite64,writev,pwritev,fsync,fdatasync,ftruncate,fallocate,rename,unlink,mkdir,openat,creat,msync"
"""System calls that change files, and the opening of files to tell which of them do."""


def ignore(_: str) -> None:
    """Nobody watches."""


@pytest.mark.soak
def test_no_event_is_lost_when_broker_and_device_are_killed(tmp_path: Path) -> None:
    """300 pairs, 6 brokers, 5 devices, SIGKILL all: everything arrives, in order, also the history."""
    figures = soak_kills(tmp_path, pairs=300, broker_kills=6, device_kills=5, seed=2, show=ignore)
    assert figures["lost"] == 0
    assert figures["pairs"] >= 300


@pytest.mark.soak
def test_a_broker_that_returns_gets_what_waited(tmp_path: Path) -> None:
    """The newest as many as are kept, in order."""
    figures = soak_away(tmp_path, pairs=200, limit=300, within_s=DEADLINE_S, show=ignore)
    assert figures["dropped"] > 90
    assert figures["pairs"] == 150


@pytest.mark.soak
def test_a_loss_of_power_loses_no_event(tmp_path: Path) -> None:
    """Hundreds of moments at which the files were copied as they stood, or the process was killed."""
    command = [sys.executable, str(ROOT / "tests" / "soak" / "outbox.py"), "power", "--rounds", "150"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["power_losses"] == 300


def test_a_quiet_device_writes_nothing_to_disk(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Connected, hearing no music and saying so twice a second: strace sees no file written, synced or made."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed (apt install strace)")
    config = tmp_path / "config.toml"
    config.write_text(
        f'[node]\nstate_dir = "{tmp_path / "state"}"\n[[source]]\nname = "room"\nkind = "stdin"\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {mosquitto.port}\nstate_interval_s = 0.5\n'
        "telemetry_interval_s = 1.0\n[history]\nenabled = true\n"
    )
    second = b"\1\0\xff\xff" * 8000
    trace = tmp_path / "trace"
    with (
        subscribers() as subscribe,
        subprocess.Popen(
            [sys.executable, "-m", "device", "run", "-c", str(config)], cwd=ROOT, stdin=subprocess.PIPE
        ) as oido,
    ):
        subscriber = subscribe(mosquitto.port)
        assert oido.stdin is not None

        def play(seconds: int) -> None:
            assert oido.stdin is not None
            for _ in range(seconds):
                oido.stdin.write(second)
                oido.stdin.flush()
                time.sleep(0.02)

        def heard(times: int) -> bool:
            play(1)
            return len(subscriber.payloads("oido/oido/room/telemetry")) > times

        assert eventually(lambda: heard(1))
        command = ["strace", "-f", "-y", "-qq", "-e", f"trace={WRITES}", "-o", str(trace), "-p", str(oido.pid)]
        with subprocess.Popen(command) as strace:

            def traces() -> bool:
                play(1)  # with telemetry, which opens a file of /proc
                return strace.poll() is not None or (trace.exists() and trace.stat().st_size > 0)

            assert eventually(traces)
            if strace.poll() is not None:
                pytest.skip("strace may not attach to a process here")
            said = len(subscriber.received)
            assert eventually(lambda: heard(60))
            assert len(subscriber.received) > said + 50
            strace.terminate()
        oido.stdin.close()
        oido.wait(DEADLINE_S)
    calls = trace.read_text().splitlines()
    assert any("/proc/" in call for call in calls)
    assert [call for call in calls if touches_disk(call)] == []
    assert (tmp_path / "state" / "outbox.db").exists()
    assert "music_started" not in str(subscriber.received)


def touches_disk(call: str) -> bool:
    """Whether a line of strace -y changes a file: not a socket, a pipe, or a file that is only read."""
    name = call.split(maxsplit=1)[-1]
    if name.startswith("openat("):
        return "O_WRONLY" in call or "O_RDWR" in call or "O_CREAT" in call
    return not any(
        kind in call for kind in ("<socket:", "<pipe:", "<TCP:", "<UNIX", "<anon_inode:", "exited with")
    )


@pytest.mark.parametrize(
    ("call", "touches"),
    [
        ("12 write(7</var/lib/oido/outbox.db-wal>, ...) = 32", True),
        ("12 fdatasync(7</var/lib/oido/outbox.db-wal>) = 0", True),
        ('12 openat(AT_FDCWD</>, "/a", O_RDWR|O_CREAT, 0644) = 3</a>', True),
        ('12 openat(AT_FDCWD</>, "/proc/self/statm", O_RDONLY|O_CLOEXEC) = 3</proc/1/statm>', False),
        ("12 write(7<socket:[123]>, ...) = 32", False),
    ],
)
def test_the_judge_of_calls_sees_what_writes(call: str, touches: bool) -> None:  # noqa: FBT001 - a parameter
    """Otherwise the test above could not fail."""
    assert touches_disk(call) is touches
