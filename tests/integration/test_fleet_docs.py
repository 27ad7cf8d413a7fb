"""docs/fleet.md, what runs: its certificates, access lists, bridge and collector, on real brokers."""

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from broker import brokers
from documented_fleet import HOST, PAGE, Fleet, Person, block, changed, device
from waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page's commands make."""
    folder = tmp_path_factory.mktemp("certificates")
    script = changed(block("An authority of your own"), {HOST: "localhost"})
    subprocess.run(["sh", "-e", "-c", script], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def fleet(tmp_path: Path, certificates: Path) -> Iterator[Fleet]:
    """Both brokers, running, with the bridge up."""
    with brokers(tmp_path):  # skips where there is no mosquitto
        made = Fleet(tmp_path, certificates)
    try:
        with made.at_the_centre("collector", "+/link") as collector:
            assert eventually(lambda: collector.payloads("madrid/link")[-1:] == ["1"])
        yield made
    finally:
        made.close()


def kinds(person: Person) -> list[str]:
    """Of the den's events that arrived at the centre."""
    return [json.loads(payload)["event_type"] for payload in person.payloads("madrid/oido/den/recording/event")]


def test_what_a_device_says_at_its_site_arrives_at_the_centre(fleet: Fleet) -> None:
    """Events, retained states and telemetry, under the site's name."""
    with fleet.at_the_centre("collector", "+/oido/#") as collector:
        fleet.replay()
        assert eventually(lambda: kinds(collector) == ["music_started", "music_stopped"])
        assert eventually(lambda: collector.payloads("madrid/oido/den/status") == ["online", "offline"])
        assert max(len(payload) for _, payload in collector.received) < 1_000  # as the page says
    with fleet.at_the_centre("collector", "+/oido/#") as late:
        assert eventually(lambda: late.payloads("madrid/oido/den/status") == ["offline"])
        assert eventually(lambda: late.payloads("madrid/oido/den/recording/availability") == ["offline"])
        assert eventually(lambda: "model_sha256" in (late.payloads("madrid/oido/den/info") or [""])[0])


def test_events_wait_for_the_line_and_outlive_the_sites_broker(fleet: Fleet) -> None:
    """The line is cut, music starts and stops, the broker is restarted, the line returns: nothing is missing."""
    with fleet.at_the_centre("collector", "+/oido/#", "+/link") as collector:
        fleet.line.cut()
        assert eventually(lambda: collector.payloads("madrid/link")[-1:] == ["0"])
        fleet.replay()
        fleet.site.stop()
        fleet.site.start()
        assert kinds(collector) == []
        fleet.line.mend()
        assert eventually(lambda: kinds(collector) == ["music_started", "music_stopped"])
        assert eventually(lambda: collector.payloads("madrid/oido/den/status")[-1:] == ["offline"])
        assert collector.payloads("madrid/link")[-1] == "1"


def test_a_command_from_the_centre_reaches_the_site(fleet: Fleet) -> None:
    """Of an operator, and of nobody else there; nor may a site write what is another's."""
    topic = "oido/den/room/set"
    with (
        Person(fleet.site.port, "den", topic) as den,
        fleet.at_the_centre("operator", "+/oido/#") as operator,
        fleet.at_the_centre("collector") as collector,
        fleet.at_the_centre("lisbon") as lisbon,
    ):
        collector.say(f"madrid/{topic}", "of the collector")
        lisbon.say(f"madrid/{topic}", "of another site")
        lisbon.say("madrid/oido/den/room/music", "forged")
        lisbon.say("lisbon/oido/den/room/music", "ON")
        assert eventually(lambda: operator.payloads("lisbon/oido/den/room/music") == ["ON"])
        operator.say(f"madrid/{topic}", "of the operator")
        assert eventually(lambda: den.payloads(topic) == ["of the operator"])
        assert operator.payloads("madrid/oido/den/room/music") == []


def test_a_device_has_its_own_topics_and_no_others(fleet: Fleet) -> None:
    """`oido check` says so; the page quotes what it says of a device in the wrong place."""
    right = device("check", "-c", str(fleet.configuration("den", user="den")))
    assert f"ok   broker: localhost:{fleet.site.port} takes and gives messages" in right.stdout
    wrong = device("check", "-c", str(fleet.configuration("attic", user="den")))
    (quoted,) = re.findall(r"says \*(what it published .*?)\* for a device", PAGE.replace("\n", " "))
    assert quoted in wrong.stdout
    discovery = "homeassistant/device/attic_room/config"
    with (
        Person(fleet.site.port, "homeassistant", "homeassistant/#", "oido/#") as home,
        Person(fleet.site.port, "attic", "oido/den/#") as attic,
    ):
        fleet.replay()
        attic.say("homeassistant/status", "forged")
        attic.say("oido/den/room/music", "forged")
        attic.say(discovery, "allowed")
        assert eventually(lambda: home.payloads(discovery) == ["allowed"])
        assert "forged" not in {payload for _, payload in home.received}
        assert attic.received == []


def test_the_collector_keeps_each_event_once(fleet: Fleet) -> None:
    """Though the same recording is replayed again, with two collectors in the group and one killed."""
    program = fleet.directory / "collect.py"
    program.write_text(block("`collect.py`"), encoding="utf-8")
    table = fleet.directory / "events.sqlite"
    password = fleet.directory / "collector"
    password.write_text("collector\n", encoding="utf-8")

    @contextmanager
    def collecting(client_id: str) -> "Iterator[subprocess.Popen[bytes]]":
        where = ["localhost", str(fleet.central.port), str(fleet.authority)]
        words = [*where, "collector", str(password), str(table), client_id]
        before = fleet.central.logged(f"Sending SUBACK to {client_id}")
        process = subprocess.Popen([sys.executable, str(program), *words])
        try:
            assert eventually(lambda: fleet.central.logged(f"Sending SUBACK to {client_id}") > before)
            yield process
        finally:
            process.kill()
            process.wait()

    def rows() -> list[tuple[str, ...]]:
        with closing(sqlite3.connect(table)) as database:
            return database.execute("select site, node, event_type from event order by event_type").fetchall()

    with collecting("first"):
        fleet.replay()
        assert eventually(lambda: len(rows()) == 2)
    with collecting("first"), collecting("second") as second:
        fleet.replay()
        second.kill()
        second.wait()
        fleet.replay()
    with collecting("first"), collecting("second"):
        names = ("first", "second")
        assert eventually(lambda: sum(fleet.central.logged(f"Received PUBACK from {name}") for name in names) >= 6)
    assert rows() == [("madrid", "den", "music_started"), ("madrid", "den", "music_stopped")]
