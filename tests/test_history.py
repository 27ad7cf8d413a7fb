"""The interval history: written once an interval, bounded, summed by local day; and `oido history`."""

import csv
import io
import json
import sqlite3
import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.cli import main
from device.commands.history import moment
from device.errors import OidoError
from device.publishing.payloads import EventReport
from device.storage.clock import Clock, Doubt
from device.storage.history import (
    FILE,
    History,
    Interval,
    daily_totals,
    finished_interval,
    intervals,
    reading,
    split_by_day,
)

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/Havana", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Apia")
"""Havana and Beirut change their clocks at midnight, Lord Howe by half an hour, and Apia once left a day out."""

DAY_S = 86_400.0


def interval(number: int, started: float = 0.0, ended: float = 60.0, source: str = "bar") -> Interval:
    """Music."""
    return Interval(
        id=f"id-{number}", source=source, started=started, ended=ended, peak=0.9, mean=0.8, model="logistic"
    )


def stored(path: Path, *, since: float = 0.0, until: float = 1e12, source: str | None = None) -> list[Interval]:
    """What a reader finds."""
    with reading(path) as connection:
        return list(intervals(connection, since=since, until=until, source=source))


def at(zone: ZoneInfo, text: str) -> float:
    """Seconds since the epoch of a local time."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the history is."""
    return tmp_path / FILE


@pytest.fixture
def history(path: Path) -> Iterator[History]:
    """An open one."""
    history = History(path, retention_days=400)
    yield history
    history.close()


def test_intervals_are_read_while_they_are_written(path: Path, history: History) -> None:
    """By another connection, each as soon as it is added."""
    history.add(interval(1))
    assert stored(path) == [interval(1)]
    history.add(interval(2, 100, 160))
    assert stored(path) == [interval(1), interval(2, 100, 160)]


def test_the_same_interval_again_replaces_the_first(path: Path, history: History) -> None:
    """An event that was closed twice, because its first end did not become durable."""
    history.add(interval(1))
    history.add(interval(1, ended=90))
    assert stored(path) == [interval(1, ended=90)]


def test_what_is_too_old_is_forgotten(path: Path) -> None:
    """When another one is added so much later."""
    history = History(path, retention_days=10)
    for day in (1, 5, 12):
        history.add(interval(day, day * DAY_S, day * DAY_S + 60))
    history.close()
    assert [each.id for each in stored(path)] == ["id-5", "id-12"]


@pytest.mark.parametrize("ahead_days", [500, 100_000])
def test_one_wrong_date_deletes_nothing(path: Path, ahead_days: float) -> None:
    """An interval that is dated into the future, and good ones after it."""
    now = time.time()
    history = History(path, retention_days=400)
    for number in range(20):
        history.add(interval(number, now - 3_600 * (30 - number), now - 3_600 * (30 - number) + 60))
    history.add(interval(20, now + ahead_days * DAY_S, now + ahead_days * DAY_S + 60))
    history.add(interval(21, now - 60, now))
    history.close()
    assert {each.id for each in stored(path)} == {f"id-{number}" for number in range(22)}


def test_nothing_is_deleted_while_the_clock_is_not_set(path: Path) -> None:
    """It may be years ahead."""
    clock = Clock(now=lambda: 4e9, since_boot=lambda: 1.0, synchronised=lambda: False, boot="b")
    history = History(path, retention_days=10, clock=clock)
    history.add(interval(1, 1.7e9, 1.7e9 + 60))
    history.add(interval(2, 3.9e9, 3.9e9 + 60), clock.doubt())
    history.close()
    assert [(each.id, each.clock_set) for each in stored(path)] == [("id-1", True), ("id-2", False)]


def test_intervals_from_before_the_clock_was_set_are_dated_again(path: Path) -> None:
    """Those of this boot; those of another one stay marked, and are not too old to keep."""
    wall, is_set = 1_000.0, False
    clock = Clock(now=lambda: wall, since_boot=lambda: 100.0, synchronised=lambda: is_set, boot="b")
    history = History(path, retention_days=10, clock=clock)
    history.add(interval(0, 700, 760), Doubt("earlier", 5.0))
    history.add(interval(1, 900, 960), clock.doubt())
    history.look()
    assert not any(each.clock_set for each in stored(path))
    wall, is_set = 1_790_000_000.0, True
    history.look()
    history.add(interval(2, wall - 30, wall - 10), clock.doubt())
    history.close()
    assert [(each.id, each.started, each.clock_set) for each in stored(path)] == [
        ("id-0", 700.0, False),
        ("id-1", 1_790_000_000.0 - 100, True),
        ("id-2", wall - 30, True),
    ]


RELEASED = sorted((Path(__file__).parent / "golden/databases").glob("history-*.db"))
"""The history as each released version wrote it: two intervals."""


@pytest.mark.parametrize("released", RELEASED, ids=lambda each: each.stem)
def test_the_history_of_every_released_version_is_kept(path: Path, released: Path) -> None:
    """It is read before it is migrated and after."""
    path.write_bytes(released.read_bytes())
    before = stored(path)
    assert len(before) == 2
    History(path, retention_days=400).close()
    assert stored(path) == before
    assert not list(path.parent.glob("*.damaged-*"))


def test_a_newer_history_is_one_sentence(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither read nor changed."""
    History(path, retention_days=400).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    before = path.read_bytes()
    assert main(["history", "--state-dir", str(path.parent)]) == 1
    assert "a newer oido wrote it, in format 99" in capsys.readouterr().err
    history = History(path, retention_days=400)
    history.add(interval(1))
    history.close()
    assert path.read_bytes() == before


def test_there_are_never_more_than_so_many(path: Path) -> None:
    """Whatever the retention says, the disk is not filled."""
    history = History(path, retention_days=400, most=3)
    for number in range(7):
        history.add(interval(number, number, number + 0.5))
    history.close()
    assert [each.id for each in stored(path)] == ["id-4", "id-5", "id-6"]


def test_it_goes_on_after_a_restart(path: Path) -> None:
    """And what waited for a disk that was not there is not lost."""
    for number in (1, 2):
        history = History(path, retention_days=400)
        history.add(interval(number, number))
        history.close()
    assert [each.id for each in stored(path)] == ["id-1", "id-2"]


def test_intervals_wait_for_a_disk_that_is_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One sentence; the next one that can be written takes them along."""
    path = tmp_path / "later" / FILE
    history = History(path, retention_days=400)
    history.add(interval(1))
    path.parent.mkdir()
    history.add(interval(2, 1))
    history.close()
    assert [each.id for each in stored(path)] == ["id-1", "id-2"]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_a_damaged_history_is_set_aside(path: Path) -> None:
    """A new one is begun."""
    path.write_bytes(b"not a database " * 500)
    history = History(path, retention_days=400)
    history.add(interval(1))
    history.close()
    assert stored(path) == [interval(1)]
    assert len(list(path.parent.glob(f"{FILE}.damaged-*"))) == 1


def test_a_range_finds_whatever_touches_it(path: Path, history: History) -> None:
    """Of one source or of all; its end is not part of it."""
    for number in range(5):
        history.add(interval(number, number * 100, number * 100 + 60, source="bar" if number % 2 else "hall"))
    assert [each.id for each in stored(path, since=150, until=300)] == ["id-1", "id-2"]
    assert [each.id for each in stored(path, since=150, until=300, source="hall")] == ["id-2"]


def test_only_a_stop_finishes_an_interval() -> None:
    """A start does not."""
    report = EventReport(
        event_type="music_stopped",
        id="i",
        started=100.25,
        ended=160.5,
        duration_s=60.25,
        peak=0.9,
        mean=0.8,
        node="n",
        source="bar",
        model="logistic",
    )
    start = replace(report, event_type="music_started", ended=None, duration_s=None)
    assert finished_interval(report) == replace(interval(0, 100.25, 160.5), id="i")
    assert finished_interval(start) is None


def test_an_interval_over_midnight_counts_to_both_days() -> None:
    """Split at local midnight, not at that of UTC."""
    music = interval(1, at(BERLIN, "2026-07-01T23:30"), at(BERLIN, "2026-07-02T01:00"))
    totals = daily_totals([music], since=0, until=1e12, zone=BERLIN)
    assert [(t.day, t.music_min, t.intervals) for t in totals] == [
        (date(2026, 7, 1), 30.0, 1),
        (date(2026, 7, 2), 60.0, 1),
    ]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_days_are_as_long_as_they_are(day: str, hours: int) -> None:
    """Music around the clock where the clocks change."""
    morning = at(BERLIN, f"{day}T00:00")
    music = interval(1, morning - 7200, morning + 30 * 3600)
    totals = {str(t.day): t.music_min for t in daily_totals([music], since=0, until=1e12, zone=BERLIN)}
    assert totals[day] == hours * 60


def test_daily_totals_know_sources_apart_and_the_range() -> None:
    """What lies outside the range does not count."""
    found = [interval(1, 0, 600), interval(2, 900, 1500), interval(3, 0, 60, source="aisle")]
    totals = daily_totals(found, since=300, until=1200, zone=ZoneInfo("UTC"))
    assert [(t.source, t.music_min, t.intervals) for t in totals] == [("bar", 10.0, 2)]


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    started=st.floats(0, 2e9),
    length=st.floats(0, 10 * DAY_S),
)
def test_no_second_is_lost_or_counted_twice(zone: ZoneInfo, started: float, length: float) -> None:
    """Whatever the zone does to its midnights: the parts add up, on days that follow one another."""
    parts = list(split_by_day(started, started + length, zone))
    assert sum(seconds for _, seconds in parts) == pytest.approx(length, abs=1e-3)
    days = [day for day, _ in parts]
    assert days == sorted(set(days))
    assert all(0 < seconds <= 25 * 3600 for _, seconds in parts)
    assert all(later - day <= timedelta(days=2) for day, later in pairwise(days))


def test_no_history_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, and what to do."""
    assert main(["history", "--state-dir", str(tmp_path)]) == 1
    assert "[history] enabled = true" in capsys.readouterr().err


def test_what_is_no_history_is_one_sentence(path: Path) -> None:
    """Somebody else's file."""
    path.write_bytes(b"not a database " * 500)
    with pytest.raises(OidoError, match="cannot be read"):
        stored(path)
    path.unlink()
    sqlite3.connect(path).close()
    with pytest.raises(OidoError, match="cannot be read"):
        stored(path)


def test_a_range_that_ends_before_it_begins_is_wrong_use(tmp_path: Path) -> None:
    """Exit code 2."""
    words = ["history", "--since", "2026-02-01", "--until", "2026-01-01", "--state-dir", str(tmp_path)]
    assert main(words) == 2


@pytest.mark.parametrize(
    "text", ["tomorrow", "99999999999d", "d", "2026-13-01", "", "0001-01-01T00:00", "9999-12-31T23:59:59"]
)
def test_a_date_that_is_none_is_wrong_use(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Or it is a date, however far away; never a traceback."""
    try:
        moment(text)
    except ArgumentTypeError:
        with pytest.raises(SystemExit) as end:
            main(["history", "--since", text])
        assert end.value.code == 2
        assert "is no date: write today, yesterday, 7d" in capsys.readouterr().err


def test_days_begin_at_midnight() -> None:
    """Local, also where clocks were changed between then and now."""
    today = date(2026, 5, 8)
    assert moment("today", today) == moment("2026-05-08")
    assert moment("yesterday", today) == moment("2026-05-07")
    assert moment("7d", today) == moment("2026-05-01")
    assert moment("100d", today) == moment("2026-01-28")


def test_the_command_prints_json_csv_and_columns(
    path: Path, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same rows; times have their offset."""
    begin = moment("2026-05-01T12:00")
    history.add(interval(1, begin, begin + 90))
    words = ["history", "--state-dir", str(path.parent), "--since", "2026-05-01", "--until", "2026-05-02"]
    assert main([*words, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["source"], row["duration_s"], row["id"]) == ("bar", 90.0, "id-1")
    assert datetime.fromisoformat(row["started"]).timestamp() == begin
    assert main([*words, "--csv"]) == 0
    shown = {key: "true" if value is True else str(value) for key, value in row.items()}
    assert list(csv.DictReader(io.StringIO(capsys.readouterr().out))) == [shown]
    assert main(words) == 0
    header, line = capsys.readouterr().out.splitlines()
    assert header.split() == ["source", "started", "ended", "duration_s"]
    assert line.split()[0] == "bar"


def test_the_command_prints_daily_totals(path: Path, history: History, capsys: pytest.CaptureFixture[str]) -> None:
    """Of one source, in minutes."""
    begin = moment("2026-05-01T12:00")
    history.add(interval(1, begin, begin + 90))
    history.add(interval(2, begin, begin + 90, source="hall"))
    words = ["history", "--state-dir", str(path.parent), "--source", "hall", "--daily", "--json"]
    words += ["--since", "2026-01-01", "--until", "2027-01-01"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out) == {
        "day": "2026-05-01",
        "source": "hall",
        "music_min": 1.5,
        "intervals": 1,
    }


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"], ["--daily"]])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", b"\xff"),
        ("ended", 1e300),
        ("ended", -1.0),
        ("peak", b"\xff"),
        ("source", b"\xff"),
        ("mean", 2.0),
    ],
)
def test_an_interval_that_damage_has_changed_is_left_out(
    path: Path,
    form: list[str],
    column: str,
    value: object,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The others are printed, and the loss is said."""
    history = History(path, retention_days=1)
    history.add(interval(1))
    history.add(interval(2, source="hall"))
    history.close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(f"UPDATE interval SET {column} = ? WHERE row = 1", (value,))  # noqa: S608 - ours
    connection.close()
    assert main(["history", "--state-dir", str(path.parent), *form]) == 0
    printed = capsys.readouterr().out
    assert "hall" in printed
    assert "bar" not in printed
    assert "1 intervals of the history are unreadable and were left out" in caplog.text


def test_a_state_directory_that_no_file_can_be_in_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """A name too long for the operating system is like one that is not there."""
    assert main(["history", "--state-dir", "x" * 5_000]) == 1
    assert capsys.readouterr().err.startswith("oido: error: there is no history at xxx")


def test_a_history_behind_a_closed_door_says_who_may_read_it(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As /var/lib/private is to everybody but root; the tests may be root."""

    def closed(_: Path, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", closed)
    assert main(["history", "--state-dir", str(path.parent)]) == 1
    error = capsys.readouterr().err
    assert error == f"oido: error: the history {path} is not for this user to read: sudo oido history\n"
