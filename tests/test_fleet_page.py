"""docs/fleet.md, what is read: queries, Telegraf's fields, alerts, sizes."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from documented_fleet import PAGE, ROOT, block

from device.monitoring.metrics import Figures, SourceFigures, render
from device.monitoring.vitals import Counts
from device.publishing.discovery import discovery_message
from device.publishing.message import Topics
from device.publishing.payloads import DeviceInfo

SCHEMAS = ROOT / "device" / "publishing" / "schemas"

ROWS = """
insert into oido_event (time, site, node, source, event_type, id, duration_s, peak, mean) values
    -- 23:30 to 00:30 in Madrid, and delivered twice.
    ('2026-01-10 22:30', 'madrid', 'den', 'room', 'music_started', 'a', null, 0.9, 0.8),
    ('2026-01-10 22:30', 'madrid', 'den', 'room', 'music_stopped', 'a', 3600, 0.9, 0.8),
    ('2026-01-10 22:30', 'madrid', 'den', 'room', 'music_stopped', 'a', 3600, 0.9, 0.8),
    -- All of the day that has 23 hours: from its midnight to the next.
    ('2026-03-28 23:00', 'madrid', 'den', 'room', 'music_stopped', 'b', 82800, 0.9, 0.8),
    -- Another site's, with the same id, which still plays.
    ('2026-01-10 22:30', 'lisbon', 'den', 'room', 'music_started', 'a', null, 0.9, 0.8);
insert into oido_state (time, site, node, source) values
    (now() at time zone 'UTC' - interval '9 minutes', 'madrid', 'den', 'room'),
    (now() at time zone 'UTC' - interval '11 minutes', 'madrid', 'attic', 'room');
"""


def test_discovery_is_as_small_as_the_page_says() -> None:
    """Under 6 KB with names of a dozen letters, as the largest message."""
    info = DeviceInfo(
        version="10.10.10",
        schema=1,
        model="attention",
        model_sha256="0" * 64,
        hardware="Raspberry Pi Zero 2 W Rev 1.0",
        python="3.11.2",
    )
    message = discovery_message(Topics("oido", "living-rooms"), "second-floor", info, prefix="homeassistant")
    assert len(message.payload) < 6_000
    assert "discovery, under 6 KB" in " ".join(PAGE.split())


def test_the_queries_answer_on_postgresql(tmp_path: Path) -> None:
    """Minutes are split at midnight and at the change of clocks, repetitions counted once, the silent found."""
    if shutil.which("pg_virtualenv") is None:
        pytest.skip("PostgreSQL is not installed (apt install postgresql)")
    script = [
        block("the view leaves out what came twice"),
        ROWS,
        block("Minutes of music per day and source"),
        block("Sources that sent nothing"),
        block("What plays now"),
    ]
    file = tmp_path / "page.sql"
    file.write_text("\n".join(script), encoding="utf-8")
    command = ["pg_virtualenv", "-t", "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]
    with file.open("rb") as script_file:
        done = subprocess.run(command, stdin=script_file, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    answers = [line.split("|") for line in done.stdout.splitlines() if "|" in line]
    assert answers[:3] == [
        ["2026-01-10", "madrid", "den", "room", "30.0"],
        ["2026-01-11", "madrid", "den", "room", "30.0"],
        ["2026-03-29", "madrid", "den", "room", "1380.0"],
    ]
    assert [answer[:3] for answer in answers[3:]] == [["madrid", "attic", "room"], ["lisbon", "den", "room"]]
    assert answers[-1][-1] == "t"


def matches(topic_filter: str, topic: str) -> bool:
    """Whether an MQTT filter with `+` covers a topic."""
    levels = list(zip(topic_filter.split("/"), topic.split("/"), strict=True))
    return all(wanted in ("+", found) for wanted, found in levels)


def test_telegraf_reads_the_fields_that_there_are() -> None:
    """Every topic is the contract's, every key named is in its schema, and the tables have a column for each."""
    topics = Topics("oido", "den")
    known = {leaf: getattr(topics, leaf)("room") for leaf in ("event", "state", "telemetry")}
    inputs = tomllib.loads(block("`/etc/telegraf/telegraf.d/oido.conf`"))["inputs"]["mqtt_consumer"]
    assert len(inputs) == len(known)
    for section in inputs:
        (topic_filter,) = section["topics"]
        (leaf,) = (leaf for leaf, topic in known.items() if matches(topic_filter, f"madrid/{topic}"))
        schema = json.loads((SCHEMAS / f"{leaf}.json").read_text(encoding="utf-8"))["properties"]
        (parsing,), (shape,) = section["topic_parsing"], section["json_v2"]
        assert parsing["topic"] == topic_filter
        (keys,) = shape["object"]
        dated, left_out = {keys.get("timestamp_key")} - {None}, set(keys.get("excluded_keys", ()))
        assert {*keys.get("tags", ()), *left_out, *dated} <= set(schema)
        assert [schema[key]["format"] for key in dated] == ["date-time"] * len(dated)
        tags = {tag for tag in parsing["tags"].split("/") if tag != "_"}
        columns = {"time", *tags, *schema} - dated - left_out
        made = re.search(rf"create table {shape['measurement_name']} \((.*?)\n\);", PAGE, re.DOTALL)
        assert made
        assert set(re.findall(r"(\w+) (?:timestamp|text|double precision|boolean)\b", made[1])) == columns


def test_the_alerts_watch_metrics_that_there_are() -> None:
    """Every `oido_` name of the rules is one that a device serves."""
    source = SourceFigures(name="room", counts=Counts(), music="ON")
    figures = Figures(
        version="1",
        python="3",
        model="attention",
        model_sha256="0",
        started=0.0,
        resident_bytes=0.0,
        queued_events=0,
        dropped_events=0,
        sources=[source],
    )
    served = set(re.findall(r"^# TYPE (\w+)", render(figures), re.MULTILINE))
    watched = set(re.findall(r"\boido_\w+", block("For Prometheus")))
    assert watched
    assert watched <= served
