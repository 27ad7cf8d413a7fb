"""The outbox on disk: everything that the one in memory promises, and that it is still there afterwards."""

import json
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.publishing.message import Message, event_message
from device.publishing.outbox import Outbox
from device.publishing.payloads import EventReport, EventType
from device.storage.clock import Clock
from device.storage.database import open_database
from device.storage.sqlite_outbox import SqliteOutbox, refused_topics, resend


def event(payload: str) -> Message:
    """An event that is no pair's."""
    return Message("oido/n/s/event", payload, qos=1, retain=False, coalesce=False)


def pair_event(kind: EventType, number: int) -> Message:
    """A start or stop of music at `number` seconds."""
    ended = 5.0 if kind == "music_stopped" else None
    report = EventReport(
        event_type=kind,
        id=f"id-{number}",
        started=float(number),
        ended=None if ended is None else number + ended,
        duration_s=ended,
        peak=0.9,
        mean=0.8,
        node="n",
        source="s",
        model="m",
    )
    return event_message("oido/n/s/event", report)


def payloads(outbox: Outbox) -> list[str]:
    """What waits, in order."""
    return [message.payload for _, message in outbox.pending()]


def on_disk(path: Path) -> list[str]:
    """What another process would find."""
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT payload FROM event ORDER BY row")]
    finally:
        connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the outbox is."""
    return tmp_path / "outbox.db"


@contextmanager
def disk_full() -> Iterator[None]:
    """This process can write to no file: every attempt fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_waited_waits_again_in_order(path: Path) -> None:
    """Topic and payload, byte for byte."""
    outbox = SqliteOutbox(path, 9)
    for payload in ("a", "é\n", '{"b":1}'):
        outbox.add(event(payload))
    outbox.close()
    again = SqliteOutbox(path, 9)
    assert [message for _, message in again.pending()] == [event("a"), event("é\n"), event('{"b":1}')]
    again.close()


def test_an_event_is_on_disk_when_add_returns(path: Path) -> None:
    """Before anything is closed."""
    outbox = SqliteOutbox(path, 9)
    outbox.add(event("a"))
    assert on_disk(path) == ["a"]
    outbox.close()


def test_what_was_acknowledged_is_gone_for_good(path: Path) -> None:
    """The others stay."""
    outbox = SqliteOutbox(path, 9)
    keys = [outbox.add(event(payload)) for payload in "abc"]
    outbox.acknowledge(keys[1])
    outbox.acknowledge(keys[1])
    assert on_disk(path) == ["a", "c"]
    outbox.close()


def test_new_events_stand_behind_old_ones(path: Path) -> None:
    """Also when the last ones were acknowledged, whose place on disk is free again."""
    outbox = SqliteOutbox(path, 9)
    keys = [outbox.add(event(payload)) for payload in "abc"]
    outbox.acknowledge(keys[2])
    outbox.close()
    outbox = SqliteOutbox(path, 9)
    outbox.add(event("d"))
    assert payloads(outbox) == on_disk(path) == ["a", "b", "d"]
    outbox.close()


def test_a_full_outbox_drops_the_oldest_and_counts_it(path: Path) -> None:
    """On disk too."""
    outbox = SqliteOutbox(path, 2)
    for payload in "abcd":
        outbox.add(event(payload))
    assert payloads(outbox) == on_disk(path) == ["c", "d"]
    assert outbox.dropped == 2
    outbox.close()


def test_a_smaller_limit_drops_what_it_has_no_room_for(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At the start, with a warning that counts."""
    outbox = SqliteOutbox(path, 9)
    for payload in "abcd":
        outbox.add(event(payload))
    outbox.close()
    outbox = SqliteOutbox(path, 3)
    assert payloads(outbox) == ["b", "c", "d"]
    assert outbox.dropped == 1
    assert "the oldest 1 were dropped" in caplog.text
    outbox.close()


def test_an_outbox_for_nothing_is_refused(path: Path) -> None:
    """A limit of 0 would lose every event."""
    with pytest.raises(ValueError, match="keeps nothing"):
        SqliteOutbox(path, 0)


@settings(deadline=None, max_examples=50)
@given(steps=st.lists(st.one_of(st.just("add"), st.just("restart"), st.integers(0, 6)), max_size=40))
def test_it_is_the_outbox_in_memory_that_survives_restarts(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str | int]
) -> None:
    """Whatever is added, acknowledged (the nth that waits) and restarted: the same waits, in the same order."""
    path = tmp_path_factory.mktemp("outbox") / "outbox.db"
    real, model, number = SqliteOutbox(path, 5), Outbox(5), 0
    for step in steps:
        if step == "add":
            number += 1
            real.add(event(str(number)))
            model.add(event(str(number)))
        elif step == "restart":
            real.close()
            real = SqliteOutbox(path, 5)
        else:
            for outbox in (real, model):
                keys = [key for key, _ in outbox.pending()]
                if int(step) < len(keys):
                    outbox.acknowledge(keys[int(step)])
        assert payloads(real) == payloads(model)
    real.close()
    assert on_disk(path) == payloads(model)


def test_a_damaged_file_is_set_aside(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One warning, the old bytes kept under another name, and a new outbox that works."""
    path.write_bytes(b"no database at all, but long enough to be read as the header of one " * 20)
    outbox = SqliteOutbox(path, 9)
    outbox.add(event("a"))
    assert on_disk(path) == ["a"]
    (aside,) = path.parent.glob("outbox.db.damaged-*")
    assert aside.read_bytes().startswith(b"no database")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    outbox.close()


@settings(deadline=None)
@given(at=st.floats(0, 1, exclude_max=True), garbage=st.binary(min_size=1, max_size=3000))
def test_no_damage_is_a_traceback(tmp_path_factory: pytest.TempPathFactory, at: float, garbage: bytes) -> None:
    """Overwritten anywhere, the file is used as far as it is sound, or set aside; new events are kept."""
    path = tmp_path_factory.mktemp("outbox") / "outbox.db"
    outbox = SqliteOutbox(path, 99)
    for number in range(20):
        outbox.add(event(str(number) * 100))
    outbox.close()
    content = bytearray(path.read_bytes())
    start = int(at * len(content))
    content[start : start + len(garbage)] = garbage
    path.write_bytes(content)
    outbox = SqliteOutbox(path, 99)
    outbox.add(event("new"))
    outbox.close()
    outbox = SqliteOutbox(path, 99)
    assert payloads(outbox)[-1] == "new"
    outbox.close()


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One sentence; events are kept in memory meanwhile."""
    outbox = SqliteOutbox(path, 9)
    outbox.add(event("theirs"))
    outbox.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    before = path.read_bytes()
    outbox = SqliteOutbox(path, 9)
    outbox.add(event("a"))
    outbox.add(event("b"))
    assert (payloads(outbox), outbox.lasting) == (["a", "b"], False)
    outbox.close()
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.damaged-*"))
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "a newer oido wrote it, in format 99" in caplog.text


RELEASED = sorted((Path(__file__).parent / "golden/databases").glob("outbox-*.db"))
"""The outbox as each released version wrote it: two events of one piece of music, and the start of another."""


@pytest.mark.parametrize("released", RELEASED, ids=lambda each: each.stem)
def test_the_events_of_every_released_version_are_kept(
    path: Path, caplog: pytest.LogCaptureFixture, released: Path
) -> None:
    """Waiting ones, and music that is on; and the file can be written."""
    path.write_bytes(released.read_bytes())
    outbox = SqliteOutbox(path, 9)
    waiting = [json.loads(payload) for payload in payloads(outbox)]
    assert [each["event_type"] for each in waiting] == ["music_started", "music_stopped", "music_started"]
    (opened,) = outbox.open_events()
    assert opened.report.id == waiting[2]["id"]
    outbox.add(event("new"))
    outbox.close()
    assert len(on_disk(path)) == 4
    assert not list(path.parent.glob("*.damaged-*"))
    assert not [record for record in caplog.records if record.levelname != "INFO"]


def test_the_events_of_an_old_version_go_out_from_a_full_disk(path: Path) -> None:
    """It cannot be brought to the present version there, but it can be read."""
    path.write_bytes(RELEASED[0].read_bytes())
    with disk_full():
        outbox = SqliteOutbox(path, 9)
        assert len(payloads(outbox)) == 3
    outbox.add(event("new"))
    assert (len(on_disk(path)), outbox.lasting) == (4, True)
    outbox.close()


def test_a_migration_that_is_broken_off_leaves_the_old_version(path: Path) -> None:
    """All its steps are one transaction."""
    path.write_bytes(RELEASED[0].read_bytes())
    connection = sqlite3.connect(path)
    tables = "SELECT sql FROM sqlite_master ORDER BY name"
    before = connection.execute(tables).fetchall()
    connection.close()
    with pytest.raises(sqlite3.OperationalError):
        open_database(path, [("",), ("ALTER TABLE event ADD COLUMN boot TEXT", "no statement")])
    connection = sqlite3.connect(path)
    assert connection.execute(tables).fetchall() == before
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    connection.close()


class Machine:
    """A machine whose clock starts in the past and is set later."""

    def __init__(self) -> None:
        self.wall = 1_000.0
        self.running = 50.0
        self.set_by_server = False
        self.boot = "b"

    def clock(self) -> Clock:
        """Its clock, for one process."""
        return Clock(
            now=lambda: self.wall,
            since_boot=lambda: self.running,
            synchronised=lambda: self.set_by_server,
            boot=self.boot,
        )

    def pass_time(self, seconds: float) -> None:
        """Both go on."""
        self.wall += seconds
        self.running += seconds

    def set(self, wall: float) -> None:
        """A time server is reached."""
        self.wall, self.set_by_server = wall, True


def started(outbox: SqliteOutbox) -> list[str]:
    """Years of the waiting events' starts."""
    return [json.loads(payload)["started"][:4] for payload in payloads(outbox)]


@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
def test_events_from_before_the_clock_was_set_are_dated_again(path: Path, *, restart: bool) -> None:
    """A pair that waits, and music that is on: also by another process of the same boot, and on disk."""
    machine = Machine()
    outbox = SqliteOutbox(path, 9, clock=machine.clock())
    outbox.add(pair_event("music_started", 900))
    outbox.add(pair_event("music_stopped", 900))
    outbox.add(pair_event("music_started", 990))
    outbox.look()
    assert started(outbox) == ["1970"] * 3
    if restart:
        outbox.close()
        outbox = SqliteOutbox(path, 9, clock=machine.clock())
    machine.pass_time(500)
    machine.set(1_790_000_500.0)
    outbox.look()
    outbox.add(pair_event("music_stopped", 990))
    stop = json.loads(payloads(outbox)[-1])
    assert started(outbox) == ["2026"] * 4
    assert [json.loads(each)["started"][:4] for each in on_disk(path)] == ["2026"] * 4
    assert datetime.fromisoformat(stop["ended"]).timestamp() == pytest.approx(1_790_000_000 - 5)
    assert (stop["id"], stop["duration_s"]) == ("id-990", 5.0)
    outbox.close()


def test_events_of_another_boot_keep_their_dates(path: Path) -> None:
    """Nobody knows by how much that clock was wrong."""
    machine = Machine()
    outbox = SqliteOutbox(path, 9, clock=machine.clock())
    outbox.add(pair_event("music_started", 900))
    outbox.close()
    machine.boot = "c"
    machine.set(1_790_000_000.0)
    outbox = SqliteOutbox(path, 9, clock=machine.clock())
    outbox.look()
    assert started(outbox) == ["1970"]
    outbox.close()


def test_what_was_refused_is_kept_apart_and_can_wait_again(path: Path) -> None:
    """Over restarts; in order; and a running outbox takes it up when it looks."""
    outbox = SqliteOutbox(path, 9)
    for payload in "abc":
        outbox.add(event(payload))
    for key, message in list(outbox.pending()):
        if message.payload != "c":
            outbox.set_aside(key, "not authorized")
    assert (outbox.refused, payloads(outbox), on_disk(path)) == (2, ["c"], ["c"])
    outbox.close()
    outbox = SqliteOutbox(path, 9)
    assert (outbox.refused, payloads(outbox)) == (2, ["c"])
    outbox.look()
    assert resend(path) == (2, "not authorized")
    outbox.look()
    outbox.look()
    assert (outbox.refused, payloads(outbox), on_disk(path)) == (0, ["c", "a", "b"], ["c", "a", "b"])
    assert refused_topics(path) == {}
    outbox.close()


def test_refused_events_do_not_fill_the_disk(path: Path) -> None:
    """The oldest go when there are more than may wait."""
    outbox = SqliteOutbox(path, 2)
    for payload in "abc":
        outbox.set_aside(outbox.add(event(payload)), "not authorized")
    assert outbox.refused == 2
    assert refused_topics(path) == {"oido/n/s/event": (2, "not authorized")}
    outbox.close()


def test_a_file_without_our_tables_is_set_aside(path: Path) -> None:
    """Sound, of the right version, and still not ours."""
    SqliteOutbox(path, 9).close()
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE event")
    connection.close()
    outbox = SqliteOutbox(path, 9)
    outbox.add(event("a"))
    assert (outbox.lasting, on_disk(path)) == (True, ["a"])
    outbox.close()


def test_a_full_disk_costs_nothing_but_durability(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One sentence; the events wait in memory, in order, and reach the disk with the first that finds room."""
    outbox = SqliteOutbox(path, 9)
    first = outbox.add(event("a"))
    with disk_full():
        for payload in "bcd":
            outbox.add(event(payload))
        outbox.acknowledge(first)
        assert not outbox.lasting
    assert payloads(outbox) == ["b", "c", "d"]
    assert on_disk(path) == ["a"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "kept in memory only" in caplog.text
    outbox.add(event("e"))
    assert outbox.lasting
    assert on_disk(path) == ["b", "c", "d", "e"]
    assert caplog.records[-1].getMessage().endswith("again; none was lost")
    outbox.close()


def test_a_directory_that_turns_up_late_is_used(tmp_path: Path) -> None:
    """A disk that is mounted after the daemon began."""
    path = tmp_path / "later" / "outbox.db"
    outbox = SqliteOutbox(path, 9)
    outbox.add(event("a"))
    assert (outbox.lasting, payloads(outbox)) == (False, ["a"])
    path.parent.mkdir()
    outbox.add(event("b"))
    assert (outbox.lasting, on_disk(path)) == (True, ["a", "b"])
    outbox.close()


def test_what_an_unreachable_disk_held_goes_first(tmp_path: Path) -> None:
    """It is older than what was said meanwhile."""
    hidden, path = tmp_path / "hidden", tmp_path / "state" / "outbox.db"
    path.parent.mkdir()
    outbox = SqliteOutbox(path, 9)
    outbox.add(event("old"))
    outbox.close()
    path.parent.rename(hidden)
    outbox = SqliteOutbox(path, 9)
    outbox.add(event("new"))
    hidden.rename(path.parent)
    outbox.add(event("newer"))
    assert payloads(outbox) == on_disk(path) == ["old", "new", "newer"]
    outbox.close()


def test_a_disk_that_another_holds_is_awaited_not_feared(path: Path) -> None:
    """SQLite's "database is locked" stays inside."""
    outbox = SqliteOutbox(path, 9)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outbox.add(event("a"))
    assert payloads(outbox) == ["a"]
    other.execute("ROLLBACK")
    other.close()
    outbox.add(event("b"))
    assert on_disk(path) == ["a", "b"]
    outbox.close()


def test_a_file_that_breaks_while_in_use_is_written_anew(path: Path) -> None:
    """Memory still has everything that it held, also what had long been on disk."""
    outbox = SqliteOutbox(path, 9)
    outbox.add(event("a"))
    with disk_full():
        outbox.add(event("b"))
    path.write_bytes(b"\xff" * path.stat().st_size)
    path.with_name("outbox.db-wal").unlink(missing_ok=True)
    outbox.add(event("c"))
    assert on_disk(path) == ["a", "b", "c"]
    assert len(list(path.parent.glob("outbox.db.damaged-*[0-9]Z"))) == 1
    outbox.close()


def test_a_start_is_open_until_its_stop(path: Path) -> None:
    """Across a restart, and though the start itself has long been delivered."""
    outbox = SqliteOutbox(path, 9)
    for number in (1, 2):
        outbox.acknowledge(outbox.add(pair_event("music_started", number)))
    outbox.add(pair_event("music_stopped", 1))
    outbox.close()
    outbox = SqliteOutbox(path, 9)
    assert [each.report.id for each in outbox.open_events()] == ["id-2"]
    outbox.close()


def test_closing_an_open_event_says_a_stop_of_the_same_id(path: Path) -> None:
    """Once: at the next restart nothing is open any more."""
    outbox = SqliteOutbox(path, 9)
    outbox.add(pair_event("music_started", 100))
    outbox.close()
    outbox = SqliteOutbox(path, 9)
    (open_event,) = outbox.open_events()
    outbox.close_event(open_event, 160.5)
    outbox.close()
    outbox = SqliteOutbox(path, 9)
    start, stop = map(json.loads, payloads(outbox))
    assert stop == start | {
        "event_type": "music_stopped",
        "ended": "1970-01-01T00:02:40.500Z",
        "duration_s": 60.5,
    }
    assert outbox.open_events() == ()
    outbox.close()


def test_music_never_ends_before_it_started(path: Path) -> None:
    """A clock that was set back makes it 0 s long."""
    outbox = SqliteOutbox(path, 9)
    outbox.add(pair_event("music_started", 100))
    (open_event,) = outbox.open_events()
    outbox.close_event(open_event, 3.0)
    stop = json.loads(payloads(outbox)[-1])
    assert (stop["ended"], stop["duration_s"]) == (stop["started"], 0.0)
    outbox.close()


def test_nothing_is_written_after_close(path: Path) -> None:
    """A thread that hangs in a dead connection may still acknowledge."""
    outbox = SqliteOutbox(path, 9)
    key = outbox.add(event("a"))
    outbox.close()
    outbox.acknowledge(key)
    outbox.close()
    assert on_disk(path) == ["a"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", {}),
        ("id", None),
        ("peak", "0.9"),
        ("mean", [1]),
        ("peak", 2),
        ("started", "9999-12-31T23:59:59-20:00"),
    ],
)
def test_a_start_that_damage_has_changed_needs_no_stop(path: Path, key: str, value: object) -> None:
    """A payload that is still JSON but no longer what was said is not closed, and stops nobody from starting."""
    outbox = SqliteOutbox(path, 10)
    outbox.add(pair_event("music_started", 1))
    outbox.close()
    fields = json.loads(pair_event("music_started", 1).payload) | {key: value}
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE started SET payload = ?", (json.dumps(fields),))
    connection.close()
    again = SqliteOutbox(path, 10)
    assert again.open_events() == ()
    again.close()


@pytest.mark.parametrize("noted", [float("inf"), -1.0, 1e300])
def test_a_start_noted_at_no_time_is_left_alone(path: Path, noted: float) -> None:
    """What cannot be dated cannot be closed."""
    outbox = SqliteOutbox(path, 10)
    outbox.add(pair_event("music_started", 1))
    outbox.close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE started SET noted = ?", (noted,))
    connection.close()
    again = SqliteOutbox(path, 10)
    assert again.open_events() == ()
    again.close()
