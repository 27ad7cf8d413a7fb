"""`oido run` as systemd and an administrator meet it: signals, figures, absence; against real servers."""

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from broker import Mosquitto
from pulse import Pulse
from subscriber import Subscriber, subscribers
from waiting import DEADLINE_S, eventually, free_port

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
HUNG = """
import sys
from pathlib import Path
from supervised import Hang, HangingSource
from device.configuration.settings import load
from device.daemon.daemon import run
from device.demo import AUDIO
from device.sources.recording import Recording
recording = list(Recording(AUDIO / "music.ogg", name="room").blocks())
sys.exit(run(load(Path(sys.argv[1])), open_source=lambda _: HangingSource(recording, Hang())))
"""
"""A daemon whose source plays music and then hangs inside a read."""

Subscribe = Callable[..., Subscriber]


@pytest.fixture
def subscribe() -> Iterator[Subscribe]:
    """Makes subscribers, and ends them."""
    with subscribers() as make:
        yield make


@contextmanager
def python(*words: str, environment: Mapping[str, str]) -> "Iterator[subprocess.Popen[bytes]]":
    """A running interpreter, ended if the test has not done so."""
    paths = f"{ROOT}:{ROOT / 'tests'}"
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": paths},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def configure(folder: Path, port: int, more: str = "") -> str:
    """Write a configuration; the same file each time."""
    file = folder / "config.toml"
    file.write_text(
        f'[node]\nname = "den"\nstate_dir = "{folder}/state"\n'
        '[[source]]\nname = "room"\nkind = "microphone"\nflat_line_s = 0\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\nstate_interval_s = 1.0\n{more}'
    )
    return str(file)


def end(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM, and an end in order."""
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE_S) == 0


def events(subscriber: Subscriber) -> list[str]:
    """Kinds of the room's events, in order."""
    return [json.loads(payload)["event_type"] for payload in subscriber.payloads("oido/den/room/event")]


def test_a_source_that_hangs_does_not_hold_the_exit(
    mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path, pulse: Pulse
) -> None:
    """SIGTERM while a read hangs: the music's stop and `offline` arrive, and the process is gone."""
    subscriber = subscribe(mosquitto.port)
    file = configure(tmp_path, mosquitto.port)
    with python("-c", HUNG, file, environment=pulse.environment) as process:
        assert eventually(lambda: subscriber.last("oido/den/room/music") == "ON")
        # It was offline before it heard anything: the event says that it has been online since.
        assert eventually(lambda: events(subscriber) == ["music_started"])
        assert eventually(lambda: subscriber.last("oido/den/room/availability") == "offline")
        end(process)
    assert eventually(lambda: subscriber.last("oido/den/status") == "offline")
    assert events(subscriber) == ["music_started", "music_stopped"]


def test_a_microphone_that_is_absent_at_boot_is_heard_once_it_is_there(
    pulse: Pulse, mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path
) -> None:
    """Offline, but online as a device; then hearing without a restart; and SIGTERM ends it."""
    pulse.unplug()
    subscriber = subscribe(mosquitto.port)
    file = configure(tmp_path, mosquitto.port)
    with python("-m", "device", "run", "-c", file, environment=pulse.environment) as process:
        assert eventually(lambda: subscriber.last("oido/den/status") == "online")
        assert eventually(lambda: "no audio" in (subscriber.last("oido/den/room/state") or ""))
        assert subscriber.last("oido/den/room/availability") == "offline"
        pulse.plug()
        assert eventually(lambda: subscriber.last("oido/den/room/availability") == "online")
        end(process)
    assert eventually(lambda: subscriber.last("oido/den/status") == "offline")
    assert subscriber.last("oido/den/room/availability") == "offline"


def test_a_reload_moves_the_device(
    pulse: Pulse, mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path
) -> None:
    """SIGHUP: a wrong file changes nothing; a right one renames the node, and figures are served from then on."""
    subscriber = subscribe(mosquitto.port)
    file = configure(tmp_path, mosquitto.port)
    with python("-m", "device", "run", "-c", file, environment=pulse.environment) as process:
        assert eventually(lambda: subscriber.last("oido/den/room/availability") == "online")
        Path(file).write_text('[node]\nnam = "x"\n')
        process.send_signal(signal.SIGHUP)
        before = len(subscriber.payloads("oido/den/room/state"))
        assert eventually(lambda: len(subscriber.payloads("oido/den/room/state")) > before)
        port = free_port()
        configure(tmp_path, mosquitto.port, f"[metrics]\nport = {port}\n")
        Path(file).write_text(Path(file).read_text().replace('"den"', '"attic"'))
        process.send_signal(signal.SIGHUP)
        assert eventually(lambda: subscriber.last("oido/attic/room/availability") == "online")
        # Offline, and soon after forgotten: what is retained under the old name is cleared.
        assert subscriber.last("oido/den/status") in ("offline", "")
        assert subscriber.last("oido/den/room/availability") in ("offline", "")
        assert 'oido_available{source="room"} 1' in page(port)
        end(process)


def test_a_reload_does_not_end_a_pause(
    pulse: Pulse, mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path
) -> None:
    """Who let the microphone go must not find it listening because some key has changed."""
    subscriber = subscribe(mosquitto.port)
    file = configure(tmp_path, mosquitto.port)
    with python("-m", "device", "run", "-c", file, environment=pulse.environment) as process:
        assert eventually(lambda: subscriber.last("oido/den/room/availability") == "online")
        subscriber.client.publish("oido/den/room/set", '{"paused": true}', qos=1)
        assert eventually(lambda: '"paused":true' in (subscriber.last("oido/den/room/state") or ""))
        Path(file).write_text(Path(file).read_text().replace('"den"', '"attic"'))
        process.send_signal(signal.SIGHUP)
        assert eventually(lambda: '"paused":true' in (subscriber.last("oido/attic/room/state") or ""))
        assert not pulse.control("list", "short", "source-outputs")
        end(process)
    assert "online" not in subscriber.payloads("oido/attic/room/availability")


def page(port: int) -> str:
    """The figures."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        finally:
            connection.close()
