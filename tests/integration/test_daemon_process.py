"""`oido run` as systemd and an administrator meet it: signals, figures, absence; against real servers."""

import http.client
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from broker import Mosquitto
from children import child
from pulse import Pulse, sound_server
from subscriber import Subscriber, subscribers
from waiting import DEADLINE_S, eventually, free_port

from device.demo import AUDIO

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
def python(
    *words: str, environment: Mapping[str, str], under: Sequence[str] = ()
) -> "Iterator[subprocess.Popen[bytes]]":
    """A running interpreter, ended if the test has not done so."""
    paths = f"{ROOT}:{ROOT / 'tests'}"
    process = subprocess.Popen(
        [*under, sys.executable, *words],
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


def test_a_microphone_that_appears_while_another_is_open_is_heard(
    pulse: Pulse, mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path
) -> None:
    """Also when it is replugged, and the other stays available; then what is played into each is heard by it."""
    folder = tmp_path / "second"
    folder.mkdir()
    # A server of its own: PortAudio lists whatever a running one might have.
    servers = {"kitchen": pulse.environment["PULSE_SERVER"], "bar": f"unix:{folder}/pulse/runtime/native"}
    with Path(pulse.environment["ALSA_CONFIG_PATH"]).open("a") as asoundrc:
        asoundrc.writelines(
            f'pcm.{name} {{ type pulse server "{server}" device "mic.monitor" }}\n'
            for name, server in servers.items()
        )
    subscriber = subscribe(mosquitto.port)
    file = tmp_path / "config.toml"
    file.write_text(
        f'[node]\nname = "den"\nstate_dir = "{tmp_path}/state"\n'
        + "".join(f'[[source]]\nname = "{name}"\ndevice = "{name}"\nflat_line_s = 0\n' for name in servers)
        + f'[mqtt]\nhost = "127.0.0.1"\nport = {mosquitto.port}\nstate_interval_s = 0.5\n'
    )

    def available(name: str) -> str | None:
        return subscriber.last(f"oido/den/{name}/availability")

    def loud(name: str) -> bool:
        level = json.loads(subscriber.last(f"oido/den/{name}/state") or "{}").get("level_dbfs")
        return level is not None and level > -40

    with python("-m", "device", "run", "-c", str(file), environment=pulse.environment) as process:
        assert eventually(lambda: available("kitchen") == "online")
        assert eventually(lambda: "no audio" in (subscriber.last("oido/den/bar/state") or ""))
        before = len(subscriber.payloads("oido/den/kitchen/availability"))
        with sound_server(folder) as second:
            assert eventually(lambda: available("bar") == "online")
            second.unplug()
            assert eventually(lambda: available("bar") == "offline")
            second.plug()
            assert eventually(lambda: available("bar") == "online")
            assert "offline" not in subscriber.payloads("oido/den/kitchen/availability")[before:]
            for name, server in {"kitchen": pulse, "bar": second}.items():
                with child(["paplay", str(AUDIO / "music.ogg")], env=server.environment):
                    assert eventually(partial(loud, name))
            end(process)


@pytest.mark.soak
def test_a_disk_that_takes_seconds_loses_no_sound(
    pulse: Pulse, mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path
) -> None:
    """Each fsync takes 2 s, as on a worn SD card: no gap at any of three sources with events at the same time."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed (apt install strace)")
    subscriber = subscribe(mosquitto.port)
    port = free_port()
    others = "".join(f'[[source]]\nname = "{name}"\nflat_line_s = 0\n' for name in ("hall", "bar"))
    more = f"telemetry_interval_s = 1.0\n[history]\nenabled = true\n[metrics]\nport = {port}\n{others}"
    slow = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "--seccomp-bpf", "-e", "trace=fsync,fdatasync"]
    slow += ["-e", "inject=fsync,fdatasync:delay_exit=2000000"]
    command = ["-m", "device", "run", "-c", configure(tmp_path, mosquitto.port, more)]

    def said(source: str, leaf: str) -> list[str]:
        return subscriber.payloads(f"oido/den/{source}/{leaf}")

    def sources(condition: Callable[[str], bool]) -> bool:
        return all(condition(source) for source in ("room", "hall", "bar"))

    with python(*command, environment=pulse.environment, under=slow) as process:
        assert eventually(lambda: sources(lambda source: said(source, "availability")[-1:] == ["online"]))
        pulse.play(AUDIO / "music.ogg")
        assert eventually(lambda: sources(lambda source: len(said(source, "event")) == 2))
        heard = {source: len(said(source, "state")) for source in ("room", "hall", "bar")}
        assert eventually(lambda: sources(lambda source: len(said(source, "state")) > heard[source] + 10))
        figures = page(port)
        assert sources(lambda source: f'oido_overruns_total{{source="{source}"}} 0' in figures), figures
        assert sources(lambda source: f'oido_source_losses_total{{source="{source}"}} 0' in figures), figures
        end(process)


def test_a_pause_outlives_a_kill(pulse: Pulse, mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path) -> None:
    """Killed as soon as it has confirmed; the next daemon says `paused` and never opens the microphone."""
    subscriber = subscribe(mosquitto.port)
    file = configure(tmp_path, mosquitto.port)
    with python("-m", "device", "run", "-c", file, environment=pulse.environment) as process:
        assert eventually(lambda: subscriber.last("oido/den/room/availability") == "online")
        subscriber.client.publish("oido/den/room/set", '{"paused": true, "mode": "recall"}', qos=1)
        assert eventually(lambda: '"ok":true' in (subscriber.last("oido/den/room/response") or ""))
        process.kill()
        process.wait(DEADLINE_S)
    assert eventually(lambda: subscriber.last("oido/den/status") == "offline")
    before = len(subscriber.received)
    with python("-m", "device", "run", "-c", file, environment=pulse.environment) as process:
        assert eventually(lambda: subscriber.last("oido/den/status") == "online")
        subscriber.client.publish("oido/den/room/set", '{"transaction": "how"}', qos=1)
        assert eventually(lambda: '"how"' in (subscriber.last("oido/den/room/response") or ""))
        assert '"paused":true,"mode":"recall"' in (subscriber.last("oido/den/room/response") or "")
        assert not pulse.control("list", "short", "source-outputs")
        states = [payload for topic, payload, _ in subscriber.received[before:] if topic.endswith("room/state")]
        assert states
        assert all('"paused":true' in state for state in states)
        end(process)


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
