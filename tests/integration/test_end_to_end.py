"""The whole device: a sound is played, `oido` hears it, and a subscriber to a real broker reads what it was."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import soundfile
from broker import Mosquitto
from pulse import Pulse
from subscriber import Subscriber, subscribers
from waiting import DEADLINE_S, eventually

from device.demo import AUDIO

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
Subscribe = Callable[..., Subscriber]


@pytest.fixture
def subscribe() -> Iterator[Subscribe]:
    """Makes subscribers, and ends them."""
    with subscribers() as make:
        yield make


@contextmanager
def oido(*arguments: str, environment: Mapping[str, str] | None = None) -> "Iterator[subprocess.Popen[str]]":
    """A running `oido`; it is ended if the test has not done so."""
    process = subprocess.Popen(
        [sys.executable, "-m", "device", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def configuration(folder: Path, port: int) -> str:
    """A configuration file: the default microphone, a broker, a state that follows soon."""
    file = folder / "config.toml"
    file.write_text(
        f'[node]\nname = "den"\nstate_dir = "{folder / "state"}"\n[[source]]\nname = "room"\nkind = "microphone"\n'
        f'[decision]\nmin_off_s = 1.0\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'
    )
    return str(file)


def beginning(recording: Path, folder: Path, *, seconds: int) -> Path:
    """So much of it, in a file of its own."""
    rate = soundfile.info(recording).samplerate
    samples, _ = soundfile.read(recording, frames=seconds * rate)
    soundfile.write(folder / "beginning.wav", samples, rate)
    return folder / "beginning.wav"


def events(subscriber: Subscriber, topic: str) -> list[dict[str, Any]]:
    """The events that arrived, in order."""
    return [json.loads(payload) for payload in subscriber.payloads(topic)]


def test_music_played_into_the_microphone_is_announced(
    pulse: Pulse, mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path
) -> None:
    """Played through a real audio server: ON while it plays, a pair of events, OFF after it; then offline."""
    subscriber = subscribe(mosquitto.port)
    file = configuration(tmp_path, mosquitto.port)
    with oido("run", "-c", file, environment=pulse.environment) as device:
        assert eventually(lambda: subscriber.last("oido/den/room/availability") == "online")
        before = time.time()
        pulse.play(beginning(AUDIO / "music.ogg", tmp_path, seconds=10))
        assert eventually(lambda: "ON" in subscriber.payloads("oido/den/room/music"))
        assert eventually(lambda: len(events(subscriber, "oido/den/room/event")) == 2)
        after = time.time()
        device.send_signal(signal.SIGTERM)
        assert device.wait(DEADLINE_S) == 0
        assert eventually(lambda: subscriber.last("oido/den/status") == "offline")
    started, stopped = events(subscriber, "oido/den/room/event")
    assert (started["event_type"], stopped["event_type"]) == ("music_started", "music_stopped")
    assert started["id"] == stopped["id"]
    assert stopped["duration_s"] > 5
    year = time.gmtime(before).tm_year
    assert started["started"].startswith(str(year)) or time.gmtime(after).tm_year != year
    assert subscriber.last("oido/den/room/availability") == "offline"


def test_a_replayed_recording_reaches_the_broker_and_ends(mosquitto: Mosquitto, subscribe: Subscribe) -> None:
    """`run --input`: every message is acknowledged before the exit, which is 0."""
    subscriber = subscribe(mosquitto.port)
    environment = {"OIDO_MQTT_HOST": "127.0.0.1", "OIDO_MQTT_PORT": str(mosquitto.port), "OIDO_NODE_NAME": "den"}
    with oido("run", "--input", str(AUDIO / "music.ogg"), environment=environment) as device:
        assert device.wait(DEADLINE_S) == 0
    kinds = [event["event_type"] for event in events(subscriber, "oido/den/recording/event")]
    assert kinds == ["music_started", "music_stopped"]
    assert subscriber.last("oido/den/status") == "offline"


def test_a_killed_device_leaves_its_last_will(
    pulse: Pulse, mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path
) -> None:
    """After kill -9 the broker says `offline` for it, also to those who subscribe later."""
    with oido("run", "-c", configuration(tmp_path, mosquitto.port), environment=pulse.environment) as device:
        watching = subscribe(mosquitto.port)
        assert eventually(lambda: watching.last("oido/den/status") == "online")
        device.kill()
        assert eventually(lambda: watching.last("oido/den/status") == "offline")
    late = subscribe(mosquitto.port)
    assert eventually(lambda: late.last("oido/den/status") == "offline")


def test_a_pause_lets_the_microphone_go(
    pulse: Pulse, mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path
) -> None:
    """`{"paused": true}` is answered, closes the device's recording stream, and can be undone."""
    subscriber = subscribe(mosquitto.port)
    with oido("run", "-c", configuration(tmp_path, mosquitto.port), environment=pulse.environment):
        assert eventually(lambda: subscriber.last("oido/den/room/availability") == "online")
        assert pulse.control("list", "short", "source-outputs")
        subscriber.client.publish("oido/den/room/set", '{"paused": true, "transaction": "a1"}', qos=1)
        assert eventually(lambda: subscriber.last("oido/den/room/availability") == "offline")
        assert eventually(lambda: not pulse.control("list", "short", "source-outputs"))
        response = json.loads(subscriber.last("oido/den/room/response") or "{}")
        assert (response["transaction"], response["ok"], response["paused"]) == ("a1", True, True)
        subscriber.client.publish("oido/den/room/set", '{"paused": false}', qos=1)
        assert eventually(lambda: subscriber.last("oido/den/room/availability") == "online")


def test_the_demo_needs_nothing() -> None:
    """`oido demo` with an embedded broker prints every line that the README shows, and the exit is 0."""
    with oido("demo") as demo:
        output, complaints = demo.communicate(timeout=60)
    assert demo.returncode == 0, complaints
    heard = [json.loads(line.split(" ", 1)[1]) for line in output.splitlines() if "/event " in line]
    assert [event["event_type"] for event in heard] == ["music_started", "music_stopped"]
    assert output.splitlines()[-1] == "oido/demo/status offline"
    (shown,) = re.findall(r"^```text\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    for line in shown.splitlines():
        assert re.search(f"^{re.escape(line).replace(re.escape('...'), '.*')}$", output, re.MULTILINE), line


def test_nobody_reading_ends_it_cleanly() -> None:
    """`oido run --input ... | head -1`: no traceback, no error."""
    command = f"{sys.executable} -m device run --input {AUDIO / 'music.ogg'} --pace live | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["topic"] == "oido/oido/info"
    assert "Traceback" not in done.stderr
