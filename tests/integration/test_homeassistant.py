"""The whole device beside Home Assistant: discovery, its birth, commands, and taking everything back."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broker import Mosquitto
from subscriber import Subscriber, subscribers
from waiting import DEADLINE_S, eventually

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
CONFIG = "homeassistant/device/den_room/config"
STATE = "oido/den/room/state"
SUMMARY = "oido/den/room/summary"
SET = "oido/den/room/set"
Subscribe = Callable[..., Subscriber]


@pytest.fixture
def subscribe() -> Iterator[Subscribe]:
    """Makes subscribers, and ends them."""
    with subscribers() as make:
        yield make


def models(folder: Path) -> Path:
    """A folder with a model `other` that works and one `broken` whose file is not the one it vouches for."""
    folder.mkdir()
    document = json.loads((ROOT / "models" / "logistic.json").read_text(encoding="utf-8"))
    shutil.copy(ROOT / "models" / document["file"], folder)
    for name, changes in (("other", {}), ("broken", {"sha256": "0" * 64})):
        text = json.dumps(document | {"name": name} | changes)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return folder


def configuration(folder: Path, port: int, *, more: str = "") -> Path:
    """A configuration file: standard input, a broker, a Home Assistant that is answered at once."""
    file = folder / "config.toml"
    file.write_text(
        f"""
        [node]
        name = "den"
        state_dir = "{folder / "state"}"
        [[source]]
        name = "room"
        kind = "stdin"
        [model]
        directory = "{folder / "models"}"
        [mqtt]
        host = "127.0.0.1"
        port = {port}
        telemetry_interval_s = 2.0
        [homeassistant]
        birth_delay_s = 0.0
        {more}
        """,
        encoding="utf-8",
    )
    return file


@contextmanager
def oido(file: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """A running `oido run` that hears noise, twice as fast as it sounds; it is ended in order."""
    process = subprocess.Popen(
        [sys.executable, "-m", "device", "run", "-c", str(file)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    sound = (np.random.default_rng(0).standard_normal(1600) * 1000).astype("<i2").tobytes()
    ended = threading.Event()

    def feed() -> None:
        assert process.stdin is not None
        while not ended.is_set():
            try:
                process.stdin.write(sound)
                process.stdin.flush()
            except OSError:
                return
            time.sleep(0.05)

    feeder = threading.Thread(target=feed, name="feeder")
    feeder.start()
    try:
        yield process
    finally:
        ended.set()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(DEADLINE_S)
        finally:
            process.kill()
            feeder.join()
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.close()


def state(subscriber: Subscriber) -> dict[str, Any]:
    """The latest state."""
    found: dict[str, Any] = json.loads(subscriber.last(STATE) or "{}")
    return found


def answer(subscriber: Subscriber, command: dict[str, Any]) -> dict[str, Any]:
    """Send a command, and wait for its answer."""
    transaction = f"t{len(subscriber.received)}"
    subscriber.client.publish(SET, json.dumps(command | {"transaction": transaction}), qos=1)
    found: list[dict[str, Any]] = []

    def answered() -> bool:
        payloads = map(json.loads, subscriber.payloads("oido/den/room/response"))
        found[:] = [each for each in payloads if each["transaction"] == transaction]
        return bool(found)

    assert eventually(answered)
    return found[0]


def test_home_assistant_finds_the_device_whenever_it_starts(
    mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path
) -> None:
    """Retained; and said again, with the states, when it says that it has started."""
    with oido(configuration(tmp_path, mosquitto.port)):
        early = subscribe(mosquitto.port, "#")
        assert eventually(lambda: early.last("oido/den/room/availability") == "online")
        late = subscribe(mosquitto.port, "homeassistant/#")
        assert eventually(lambda: late.last(CONFIG) is not None)
        assert late.received[0][2]  # retained
        payload = json.loads(late.last(CONFIG) or "")
        assert payload["cmps"]["music"]["stat_t"] == "oido/den/room/music"
        before = (len(early.payloads(CONFIG)), len(early.payloads("oido/den/room/music")))
        early.client.publish("homeassistant/status", "online", qos=1)
        assert eventually(lambda: len(early.payloads(CONFIG)) > before[0])
        assert eventually(lambda: len(early.payloads("oido/den/room/music")) > before[1])
        # Each topic that it was told to read is spoken on.
        topics = {component["stat_t"] for component in payload["cmps"].values()} - {"oido/den/room/event"}
        assert eventually(lambda: topics <= {topic for topic, _, _ in early.received})


def test_the_switch_and_the_select_work(mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path) -> None:
    """The very payloads that Home Assistant was told to send; the state follows, also during the pause."""
    with oido(configuration(tmp_path, mosquitto.port)):
        watcher = subscribe(mosquitto.port, "#")
        assert eventually(lambda: watcher.last("oido/den/room/availability") == "online")
        components = json.loads(watcher.last(CONFIG) or "")["cmps"]
        switch, select = components["paused"], components["mode"]
        watcher.client.publish(select["cmd_t"], select["cmd_tpl"].replace("{{ value }}", "recall"), qos=1)
        assert eventually(lambda: state(watcher)["mode"] == "recall")
        watcher.client.publish(switch["cmd_t"], switch["pl_on"], qos=1)
        assert eventually(lambda: state(watcher)["paused"])
        assert eventually(lambda: watcher.last("oido/den/room/availability") == "offline")
        watcher.client.publish(select["cmd_t"], select["cmd_tpl"].replace("{{ value }}", "precision"), qos=1)
        assert eventually(lambda: state(watcher)["mode"] == "precision")
        assert watcher.last("oido/den/status") == "online"


def test_commands_change_the_model_and_the_log_level(
    mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path
) -> None:
    """A good model replaces the old one, in the state and in `info`; a bad one and garbage are refused."""
    models(tmp_path / "models")
    with oido(configuration(tmp_path, mosquitto.port)):
        watcher = subscribe(mosquitto.port)
        assert eventually(lambda: watcher.last("oido/den/room/availability") == "online")
        changed = answer(watcher, {"model": "other", "log_level": "debug"})
        assert (changed["ok"], changed["model"], changed["log_level"]) == (True, "other", "debug")
        assert eventually(lambda: state(watcher)["model"] == "other")
        assert eventually(lambda: json.loads(watcher.last("oido/den/info") or "{}")["model"] == "other")
        for command, said in (
            ({"model": "broken"}, "vouches for"),
            ({"model": "absent"}, "no model is named 'absent'; installed: broken, other"),
            ({"model": "models/other.json"}, "no model is named"),
            ({"volume": 11}, "unknown key 'volume'"),
        ):
            refused = answer(watcher, command)
            assert not refused["ok"]
            assert said in refused["error"]
            assert refused["model"] == "other"
        heard = len(watcher.payloads(STATE))
        assert eventually(lambda: len(watcher.payloads(STATE)) > heard)
        assert state(watcher)["model"] == "other"


def test_discovery_is_taken_back(mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path) -> None:
    """Of this device, a renamed source included; it says what it removed, and nobody else's is touched."""
    file = configuration(tmp_path, mosquitto.port)
    with oido(file):
        watcher = subscribe(mosquitto.port, "#")
        assert eventually(lambda: watcher.last(CONFIG) is not None)
    ours, theirs = "homeassistant/device/den_old/config", "homeassistant/device/else/config"
    watcher.client.publish(ours, watcher.last(CONFIG), qos=1, retain=True)
    watcher.client.publish(theirs, '{"o":{"name":"else"}}', qos=1, retain=True)
    assert eventually(lambda: watcher.last(theirs) is not None)
    command = [sys.executable, "-m", "device", "check", "--forget-discovery", "-c", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    assert {f"ok   Home Assistant: removed {topic}" for topic in (ours, CONFIG)} <= set(said)
    assert not any(theirs in line for line in said)
    late = subscribe(mosquitto.port, "homeassistant/#")
    assert eventually(lambda: late.last(theirs) is not None)
    assert {topic for topic, _, _ in late.received} == {theirs}
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert again.stdout == "ok   Home Assistant: nothing of 'den' stands under 'homeassistant'\n"


def test_a_source_that_leaves_the_configuration_is_taken_back(
    mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path
) -> None:
    """SIGHUP with Home Assistant switched off: the device disappears there."""
    file = configuration(tmp_path, mosquitto.port)
    with oido(file) as device:
        watcher = subscribe(mosquitto.port, "homeassistant/#")
        assert eventually(lambda: bool(watcher.last(CONFIG)))
        configuration(tmp_path, mosquitto.port, more="enabled = false")
        device.send_signal(signal.SIGHUP)
        assert eventually(lambda: watcher.last(CONFIG) == "")


def test_home_assistant_is_told_less_often_than_others(
    mosquitto: Mosquitto, subscribe: Subscribe, tmp_path: Path
) -> None:
    """The state goes on every few seconds; the summary waits, and says the same and the minutes of music."""
    with oido(configuration(tmp_path, mosquitto.port)):
        watcher = subscribe(mosquitto.port)
        assert eventually(lambda: watcher.last("oido/den/room/availability") == "online")
        begun = len(watcher.payloads(SUMMARY)), len(watcher.payloads(STATE))
        assert eventually(lambda: len(watcher.payloads(STATE)) >= begun[1] + 3)
        assert len(watcher.payloads(SUMMARY)) <= begun[0] + 1
        summary = json.loads(watcher.last(SUMMARY) or "{}")
        assert set(summary) == {*state(watcher), "music_today_min"}
        assert json.loads(watcher.last("oido/den/process") or "{}")["queued_events"] == 0
