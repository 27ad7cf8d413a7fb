"""oido in a real Home Assistant: what it shows, what automations do through faults, what its recorder keeps.

    python tests/homeassistant/check.py ROOT VERSION RESULT.json [--rounds 20] [--minutes 10]
    python tests/homeassistant/check.py --report RESULT.md RESULT.json...

ROOT is a Debian with that version of Home Assistant in /venv; `run` makes it. It needs root, for chroot.
"""

# ruff: noqa: E402, T201 - a script: it finds the repository first, and prints

import argparse
import json
import platform
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "integration")]

from broker import Mosquitto
from house import Device, HomeAssistant, must

MOST_ROWS = 6_000
"""A day and source."""

QUIET_MIN = 0.2

COMMITTED_S = 3.0
"""After so long the recorder has written what has happened."""

MUSIC = "binary_sensor.den_room_music"

ENTITIES = {
    MUSIC,
    "sensor.den_room_music_score",
    "sensor.den_room_music_today",
    "sensor.den_room_reason",
    "sensor.den_room_model",
    "sensor.den_room_overruns",
    "event.den_room_music_event",
    "switch.den_room_paused",
    "select.den_room_mode",
    "sensor.den_version",
    "sensor.den_memory",
    "sensor.den_cpu_temperature",
    "sensor.den_queued_events",
    "sensor.den_dropped_events",
}
"""Of node `den` with source `room`, in every version. The level and the time of an inference are disabled."""

SPANISH = {"binary_sensor.salon_musica", "sensor.salon_musica_hoy", "event.salon_evento_de_musica"}
"""Some of node `hall`, whose source is labelled `Salón` and speaks Spanish."""

AUTOMATIONS = f"""
- id: plain
  alias: plain
  triggers: [{{trigger: state, entity_id: {MUSIC}, to: "on"}}]
  actions: [{{event: oido_ran, event_data: {{name: plain}}}}]
- id: event
  alias: event
  triggers:
    - trigger: state
      entity_id: event.den_room_music_event
      not_from: unavailable
      not_to: unavailable
  actions: [{{event: oido_ran, event_data: {{name: event}}}}]
- id: event_plain
  alias: event_plain
  triggers: [{{trigger: state, entity_id: event.den_room_music_event}}]
  actions: [{{event: oido_ran, event_data: {{name: event_plain}}}}]
- id: blueprint
  alias: blueprint
  use_blueprint:
    path: oido/blueprint.yaml
    input:
      music: {MUSIC}
      playing: input_boolean.playing
      quiet_minutes: {QUIET_MIN}
      on_start: [{{event: oido_ran, event_data: {{name: start}}}}]
      on_quiet: [{{event: oido_ran, event_data: {{name: quiet}}}}]
"""
INTRODUCTION = """\
# oido in a real Home Assistant

Written by `bash tests/homeassistant/run`. Each version of Home Assistant's core runs in a Debian of its own,
with a real broker (mosquitto, with persistence) and two real devices that hear recordings in real time.

Numbers in braces say how often an automation ran: *plain* when Music turns on, *start* and *quiet* of the
blueprint, *event* on the event entity without `unavailable`, *event_plain* on any change of it. After a kill,
the stop that the device makes up is a true event. Rows are those of states; a thermometer, which not every
machine has, adds at most 1,440 a day.

"""

RUNS = ("plain", "start", "quiet", "event", "event_plain")


class Check:
    """One version. `findings` are the lines of the result, each with whether it is as it should be."""

    def __init__(self, home: HomeAssistant, broker: Mosquitto, den: Device, hall: Device) -> None:
        """Of a house in which nothing runs yet."""
        self.findings: list[tuple[bool, str]] = []
        self._home, self._broker, self._den, self._hall = home, broker, den, hall

    def find(self, line: str, *, good: bool = True) -> None:
        """Add a line, and print it."""
        self.findings.append((good, line))
        print("ok  " if good else "FAIL", line, flush=True)

    def entities(self) -> None:
        """Names, ids, devices, areas."""
        home = self._home
        must(lambda: home.state(MUSIC) == "off", "the speech is heard")
        must(lambda: home.state("binary_sensor.salon_musica") in {"on", "off"}, "the other device is heard")
        found = home.entities()
        ours = {each for each in found if each.partition(".")[2].startswith("den_")}
        self.find(f"{len(ours)} entities of one source and its node, with the expected ids", good=ours == ENTITIES)
        if ours != ENTITIES:
            print("missing", ENTITIES - ours, "unexpected", ours - ENTITIES)
        self.find("names and ids follow the label and the language", good=set(found) >= SPANISH)
        unknown = {each for each in ours if found[each] in {"unknown", "unavailable"}}
        allowed = {"event.den_room_music_event", "sensor.den_cpu_temperature"}
        self.find(f"nothing is unknown but {', '.join(sorted(unknown))}", good=unknown <= allowed)
        music, reason = (self._attributes(entity) for entity in (MUSIC, "sensor.den_room_reason"))
        self.find("Music has the icons of its class", good="icon" not in music)
        self.find("Reason is an enum", good=reason.get("device_class") == "enum")
        device = "device_id('sensor.salon_musica_hoy')"
        seen = home.render(
            "{{ device_attr(" + device + ", 'name') }}|{{ area_name(" + device + ") }}|"
            "{{ device_attr(" + device + ", 'via_device_id') == device_id('sensor.hall_version') }}"
        )
        self.find(f"label, area and connection through the node: {seen}", good=seen == "Salón|Ground floor|True")

    def playing(self) -> None:
        """One stretch of music, and the switch."""
        before = self._runs()
        self._music()
        must(lambda: self._gained(before)["start"] == 1, "the blueprint starts")
        self._speech()
        must(lambda: self._gained(before)["quiet"] == 1, "the blueprint is quiet")
        expected = {"plain": 1, "start": 1, "quiet": 1, "event": 2, "event_plain": 2}
        gained = self._gained(before)
        self.find(f"music starts and stops: {gained}", good=gained == expected)
        self._home.call("switch.turn_on", entity_id="switch.den_room_paused")
        must(lambda: self._home.state(MUSIC) == "unavailable", "it pauses")
        self._home.call("switch.turn_off", entity_id="switch.den_room_paused")
        must(lambda: self._home.state(MUSIC) == "off", "it hears again")
        time.sleep(COMMITTED_S)
        self.find("a pause by the switch runs no automation", good=self._gained(before) == expected)

    def broker_restarts(self) -> None:
        """In speech, and in music."""
        before = self._runs()
        self._restart_broker("off")
        gained = self._gained(before)
        plain = gained.pop("event_plain")
        self.find(f"the broker restarts in speech: {gained}", good=not any(gained.values()))
        self.find(f"an event trigger that excludes no `unavailable` ran {plain} time(s) meanwhile")
        self._music()
        must(lambda: self._gained(before)["start"] == 1, "the blueprint starts")
        self._restart_broker("on")
        time.sleep(COMMITTED_S)
        gained = self._gained(before)
        self.find(f"it restarts in music: {gained}", good=gained["start"] == 1 and not gained["quiet"])

    def home_restarts(self) -> None:
        """In music, which ends after that."""
        before = self._runs()
        self._home.stop()
        self._home.start()
        must(lambda: self._home.state(MUSIC) == "on", "the music is on again")
        time.sleep(COMMITTED_S)
        gained = self._gained(before)
        self.find(f"Home Assistant restarts in music: {gained}", good=not gained["start"] and not gained["event"])
        self._speech()
        must(lambda: self._gained(before)["quiet"] == 1, "the blueprint is quiet")
        self.find("the quiet after that runs the second action, once")

    def kills(self, rounds: int) -> None:
        """Killed in the middle of music; after the restart there is none."""
        false = dict.fromkeys(RUNS, 0)
        for number in range(rounds):
            self._music()
            must(lambda: self._home.state("input_boolean.playing") == "on", "the blueprint started")
            time.sleep(COMMITTED_S)
            at_kill, moment = self._runs(), time.time()
            self._den.signal(signal.SIGKILL)
            self._den.playing = "speech"
            if number % 2:
                time.sleep(2)
            self._den.start()
            must(lambda: self._home.state(MUSIC) == "off", "the speech is heard")
            must(lambda: self._home.state("sensor.den_room_reason") == "no music", "it says so")
            time.sleep(COMMITTED_S)
            gained = self._gained(at_kill)
            # The stop of the killed music is told after the restart: one event that is true.
            false["plain"] += gained["plain"]
            false["start"] += gained["start"]
            false["event"] += max(gained["event"] - 1, 0)
            false["event_plain"] += max(gained["event_plain"] - 1, 0)
            states = self._home.history(MUSIC, since=moment)
            false["plain"] += states.count("on")
            print(f"round {number + 1}: {states} {gained}", flush=True)
        wrong = sum(false.values())
        self.find(f"{rounds} kill -9 in music: {wrong} false automations ({false})", good=not wrong)

    def rows(self, began: float, minutes: float) -> None:
        """Those of the other device, whose music comes and goes."""
        until = began + minutes * 60
        must(lambda: time.time() > until + 2, "the time is over", minutes * 60 + 60)
        found = self._home.rows("salon_", since=began, until=until)
        node = self._home.rows("hall_", since=began, until=until)
        day = round((sum(found.values()) + sum(node.values())) * 24 * 60 / minutes)
        by_entity = ", ".join(f"{name} {count}" for name, count in sorted((found | node).items()))
        self.find(
            f"recorder: {day} rows a day, from {minutes:g} minutes of a source and its node", good=day <= MOST_ROWS
        )
        self.find(f"rows in that time: {by_entity}")

    def complaints(self) -> None:
        """Of the whole run."""
        found = self._home.complaints()
        self.find(f"warnings about MQTT, automations or sensors in its log: {len(found)}", good=not found)
        print(*found, sep="\n")

    def _attributes(self, entity: str) -> dict[str, Any]:
        return (self._home.get(f"states/{entity}") or {}).get("attributes") or {}

    def _music(self) -> None:
        self._den.playing = "music"
        must(lambda: self._home.state(MUSIC) == "on", "the music is heard")

    def _speech(self) -> None:
        self._den.playing = "speech"
        must(lambda: self._home.state(MUSIC) == "off", "the speech is heard")

    def _restart_broker(self, state: str) -> None:
        self._broker.stop()
        must(lambda: self._home.state(MUSIC) == "unavailable", "the broker is missed")
        time.sleep(2)
        self._broker.start()
        must(lambda: self._home.state(MUSIC) == state, f"Music is {state} again")
        time.sleep(COMMITTED_S)

    def _runs(self) -> dict[str, int]:
        return {name: self._home.runs(name) for name in RUNS}

    def _gained(self, before: dict[str, int]) -> dict[str, int]:
        return {name: count - before[name] for name, count in self._runs().items()}


def check(root: Path, version: str, *, rounds: int, minutes: float) -> list[tuple[bool, str]]:
    """Check one version; the lines of the result."""
    with ExitStack() as closing, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Mosquitto(folder, more=f"persistence true\npersistence_location {folder}/")
        broker.start()
        closing.callback(broker.stop)
        home = HomeAssistant(root, version, broker_port=broker.port, automations=AUTOMATIONS)
        home.start()
        closing.callback(home.stop)
        den = Device(folder / "den", "den", broker_port=broker.port)
        source = 'label = "Salón"\nsuggested_area = "Ground floor"'
        more = '[homeassistant]\nlanguage = "es"'
        hall = Device(folder / "hall", "hall", broker_port=broker.port, source=source, more=more)
        for device in (den, hall):
            device.start()
            closing.callback(device.close)
        it = Check(home, broker, den, hall)
        _tried(it, it.entities)
        began = time.time()
        over = threading.Event()
        closing.callback(over.set)
        threading.Thread(target=_come_and_go, args=(hall, over), daemon=True).start()
        _tried(it, it.playing)
        _tried(it, lambda: it.kills(rounds))
        _tried(it, lambda: it.rows(began, minutes))
        _tried(it, it.broker_restarts)
        _tried(it, it.home_restarts)
        it.complaints()
        return it.findings


def _come_and_go(device: Device, over: threading.Event) -> None:
    """Two minutes of speech, two of music, and so on."""
    while not over.wait(120):
        device.playing = "music" if device.playing == "speech" else "speech"


def _tried(it: Check, step: Callable[[], None]) -> None:
    try:
        step()
    except TimeoutError as error:
        it.find(str(error), good=False)


def report(results: list[dict[str, Any]]) -> str:
    """The page of results."""
    lines = INTRODUCTION.splitlines()
    for result in results:
        lines += [
            f"## Home Assistant {result['version']}",
            "",
            f"{result['date']}: Debian {result['suite']}, Python {result['python']}; oido on {result['own']}.",
            "",
            *(f"- {'ok' if good else '**not ok**'}: {line}" for good, line in result["findings"]),
            "",
        ]
    return "\n".join(lines)


def main() -> int:
    """Check one version, or write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--suite", default="")
    parser.add_argument("--python", default="")
    parser.add_argument("words", nargs="+")
    arguments = parser.parse_args()
    if arguments.report is not None:
        found = [json.loads(Path(each).read_text(encoding="utf-8")) for each in arguments.words]
        arguments.report.write_text(report(found), encoding="utf-8")
        return 0
    root, version, out = arguments.words
    findings = check(Path(root), version, rounds=arguments.rounds, minutes=arguments.minutes)
    document = {
        "version": version,
        "date": time.strftime("%Y-%m-%d"),
        "suite": arguments.suite,
        "python": arguments.python,
        "own": platform.python_version(),
        "findings": findings,
    }
    Path(out).write_text(json.dumps(document, indent=2), encoding="utf-8")
    return 0 if all(good for good, _ in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
