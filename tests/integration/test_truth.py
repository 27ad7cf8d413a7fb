"""What the broker retains is true or cleared: through kills, hangs and restarts, and after every rename."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from broker import Mosquitto, brokers
from soak.truth import persistent, soak_kills, soak_restarts, soak_stops
from subscriber import Subscriber, subscribers
from waiting import DEADLINE_S, eventually

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
Subscribe = Callable[..., Subscriber]


@pytest.fixture
def subscribe() -> Iterator[Subscribe]:
    """Makes subscribers, and ends them."""
    with subscribers() as make:
        yield make


def test_no_music_is_claimed_after_a_kill(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Before there is music again, nobody sees the old `ON` beside `online`."""
    soak_kills(tmp_path, mosquitto, rounds=2, seed=1)


def test_no_music_is_claimed_after_a_stop(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """What was heard before SIGSTOP says nothing after SIGCONT."""
    soak_stops(tmp_path, mosquitto, rounds=1)


@pytest.mark.parametrize("remembers", [False, True])
def test_no_music_is_claimed_after_a_restart_of_the_broker(tmp_path: Path, *, remembers: bool) -> None:
    """Of one that has forgotten everything, and of one that remembers music that has ended since."""
    with brokers(tmp_path) as make:
        soak_restarts(tmp_path, make(more=persistent(tmp_path) if remembers else ""), rounds=1)


def configuration(folder: Path, port: int, *, node: str = "den", source: str = "room", more: str = "") -> Path:
    """Standard input that never says anything, and a broker."""
    file = folder / "config.toml"
    file.write_text(
        f'[node]\nname = "{node}"\nstate_dir = "{folder / "state"}"\n[[source]]\nname = "{source}"\n'
        f'kind = "stdin"\nstall_s = 3600\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\n{more}\n'
    )
    return file


@contextmanager
def oido(file: Path, *, sig: signal.Signals = signal.SIGKILL) -> "Iterator[subprocess.Popen[bytes]]":
    """A running `oido run`, ended by this signal."""
    process = subprocess.Popen(
        [sys.executable, "-m", "device", "run", "-c", str(file)],
        cwd=ROOT,
        env={**os.environ, "XDG_RUNTIME_DIR": str(file.parent / "run")},
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.send_signal(sig)
        try:
            process.wait(DEADLINE_S)
        finally:
            process.kill()
            assert process.stdin is not None
            process.stdin.close()


def retained(subscribe: Subscribe, port: int) -> set[str]:
    """Every topic that holds something."""
    late = subscribe(port, "#")
    late.client.publish("marker", "x", qos=1)
    assert eventually(lambda: late.last("marker") == "x")
    return {topic for topic, payload, was_retained in late.received if was_retained and payload}


def check(file: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    """`oido check`."""
    command = [sys.executable, "-m", "device", "check", "-c", str(file), *more]
    return subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


RENAMES: dict[str, dict[str, str]] = {
    "source": {"source": "hall"},
    "node": {"node": "attic"},
    "base topic": {"more": 'base_topic = "ears"'},
    "prefix": {"more": '[homeassistant]\ndiscovery_prefix = "ha"'},
    "discovery off": {"more": "[homeassistant]\nenabled = false"},
}


@pytest.mark.parametrize("renamed", RENAMES)
@pytest.mark.parametrize("how", ["killed", "reloaded"])
def test_what_is_renamed_leaves_nothing_behind(
    mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path, renamed: str, how: str
) -> None:
    """Neither after SIGKILL and a new start, nor at a reload: only the new names are there."""
    file = configuration(tmp_path, mosquitto.port)
    new = RENAMES[renamed]
    status = f"{'ears' if 'base_topic' in new.get('more', '') else 'oido'}/{new.get('node', 'den')}/status"
    with oido(file) as first:
        watcher = subscribe(mosquitto.port, "oido/+/status")
        assert eventually(lambda: watcher.last("oido/den/status") == "online")
        old = retained(subscribe, mosquitto.port)
        configuration(tmp_path, mosquitto.port, **new)
        if how == "killed":
            first.kill()
            first.wait(DEADLINE_S)
            assert eventually(lambda: watcher.last("oido/den/status") == "offline")
            with oido(file):
                left = _left_once_online(subscribe, mosquitto.port, status, old)
        else:
            first.send_signal(signal.SIGHUP)
            left = _left_once_online(subscribe, mosquitto.port, status, old)
    gone = {topic for topic in old if topic not in left}
    assert gone
    expected = {"source": "/room/", "node": "oido/den/", "base topic": "oido/den/"}.get(renamed, "homeassistant/")
    assert not [topic for topic in left if expected in topic]
    assert "homeassistant/device/den_room/config" in gone or renamed == "base topic"


def _left_once_online(subscribe: Subscribe, port: int, status: str, old: set[str]) -> set[str]:
    """What is retained when `online` is said and the old set has changed."""
    watcher = subscribe(port, status)
    assert eventually(lambda: watcher.last(status) == "online" and retained(subscribe, port) != old)
    return retained(subscribe, port)


def test_ghosts_are_named_and_forgotten(mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path) -> None:
    """Also those that no ledger knows; then nothing of this device is left, and all of another one."""
    file = configuration(tmp_path, mosquitto.port)
    with oido(file, sig=signal.SIGTERM):
        watcher = subscribe(mosquitto.port, "oido/+/status")
        assert eventually(lambda: watcher.last("oido/den/status") == "online")
    (tmp_path / "state" / "retained").unlink()
    watcher.client.publish("oido/elsewhere/status", "online", qos=1, retain=True).wait_for_publish(DEADLINE_S)
    configuration(tmp_path, mosquitto.port, source="hall")
    said = check(file)
    assert said.returncode == 1
    (line,) = [line for line in said.stdout.splitlines() if "left behind" in line]
    assert line.startswith("FAIL retained topics: left behind: ")
    assert "oido/den/room/state" in line
    assert "homeassistant/device/den_room/config" in line
    forgotten = check(file, "--forget")
    assert (forgotten.returncode, forgotten.stderr) == (0, "")
    assert "Home Assistant: must be running" in forgotten.stdout
    assert "ok   broker: cleared oido/den/room/state" in forgotten.stdout
    assert retained(subscribe, mosquitto.port) == {"oido/elsewhere/status"}
    assert "nothing of 'den' is retained" in check(file, "--forget").stdout


def test_the_ledger_is_written_once(mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path) -> None:
    """It holds all that is retained before anything is; the second start writes nothing."""
    file = configuration(tmp_path, mosquitto.port)
    ledger = tmp_path / "state" / "retained"
    watcher = subscribe(mosquitto.port, "oido/+/status")
    written = []
    for _ in range(2):
        with oido(file):
            assert eventually(lambda: watcher.last("oido/den/status") == "online")
            there = retained(subscribe, mosquitto.port)
        known = {line.split(" ", 1)[1] for line in ledger.read_text().splitlines()}
        assert there <= known
        written.append(ledger.stat().st_mtime_ns)
        assert eventually(lambda: watcher.last("oido/den/status") == "offline")
    assert written[0] == written[1]
