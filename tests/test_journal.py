"""State over restarts: its directories, who may use them, and the end of music that nobody ended."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeSource, blocks_of
from hearing_fakes import RecordingPublisher, fake_model, noise
from waiting import DEADLINE_S

from device.configuration.settings import (
    Config,
    DecisionConfig,
    HistoryConfig,
    MqttConfig,
    NodeConfig,
    SourceConfig,
)
from device.daemon.daemon import run
from device.daemon.listener import Listener
from device.errors import ConfigurationError, OidoError
from device.publishing.message import Message, Topics, event_id, event_message
from device.publishing.payloads import EventReport
from device.storage.clock import Clock
from device.storage.history import FILE, History, intervals, reading
from device.storage.journal import Journal
from device.storage.last_heard import LastHeard, read_last_heard
from device.storage.sqlite_outbox import SqliteOutbox
from device.storage.state import (
    OUTBOX_FILE,
    TODAY_FILE,
    State,
    directory_to_look_at,
    runtime_directory,
    state_directory,
)

STARTED = 1_700_000_000.0
NOW = 1_790_000_000.0
EARLY = 1_000_000.0
"""A clock that was not set."""
TOPICS = Topics("oido", "attic")
ID = event_id("attic", "bar", STARTED)


def configured(folder: Path, *, history: bool = False, host: str | None = "broker") -> Config:
    """State in a folder."""
    return Config(
        node=NodeConfig(name="attic", state_dir=str(folder / "state")),
        mqtt=MqttConfig(host=host),
        history=HistoryConfig(enabled=history),
    )


def environment(folder: Path) -> dict[str, str]:
    """A runtime directory in a folder."""
    return {"RUNTIME_DIRECTORY": str(folder / "run")}


@contextmanager
def opened(folder: Path, config: Config | None = None) -> Iterator[State]:
    """State, closed again."""
    state = State(config or configured(folder), environment=environment(folder))
    try:
        yield state
    finally:
        state.close()


def start_message() -> Message:
    """Music starts."""
    report = EventReport(
        event_type="music_started",
        id=ID,
        started=STARTED,
        ended=None,
        duration_s=None,
        peak=0.9,
        mean=0.8,
        node="attic",
        source="bar",
        model="m",
    )
    return event_message(TOPICS.event("bar"), report)


def events(state: State) -> list[dict[str, Any]]:
    """What waits."""
    assert state.outbox is not None
    return [json.loads(message.payload) for _, message in state.outbox.pending()]


def kill_while_music_is_on(folder: Path, *, heard: float | None, history: bool = False) -> None:
    """What a killed daemon leaves."""
    with opened(folder, configured(folder, history=history)) as state:
        assert state.outbox is not None
        assert state.journal is not None
        state.outbox.add(start_message())
        if heard is not None:
            state.journal.playing("bar", ID, heard)


@pytest.mark.parametrize(
    ("variables", "directory"),
    [
        ({"STATE_DIRECTORY": "/var/lib/oido:/x", "HOME": "/home/a"}, "/var/lib/oido"),
        ({"XDG_STATE_HOME": "/s", "HOME": "/home/a"}, "/s/oido"),
        ({"HOME": "/home/a"}, "/home/a/.local/state/oido"),
    ],
)
def test_the_state_directory_follows_the_environment(variables: dict[str, str], directory: str) -> None:
    """As systemd says, or as the XDG base directories say."""
    assert state_directory(Config(), variables) == Path(directory)


def test_the_configured_directory_wins() -> None:
    """Over systemd's."""
    config = Config(node=NodeConfig(state_dir="/srv/oido"))
    assert state_directory(config, {"STATE_DIRECTORY": "/var/lib/oido"}) == Path("/srv/oido")


class TestLookingOn:
    """`oido history` and `oido check` ask after a daemon that another user runs."""

    @pytest.fixture
    def own(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Where this user's daemon would keep its state; there is a system service too."""
        service = tmp_path / "service"
        service.symlink_to("private")  # as systemd makes it, and as a user may not follow it
        monkeypatch.setattr("device.storage.state.SERVICE_DIRECTORY", service)
        return tmp_path / "state" / "oido"

    def looked_at(self, own: Path, config: Config | None = None) -> Path:
        """By a user whose state home is given."""
        return directory_to_look_at(config or Config(), {"XDG_STATE_HOME": str(own.parent)})

    def test_the_service_is_meant_where_there_is_nothing_else(self, own: Path, tmp_path: Path) -> None:
        """An empty directory is nothing."""
        own.mkdir(parents=True)
        assert self.looked_at(own) == tmp_path / "service"

    @pytest.mark.parametrize("kept", [OUTBOX_FILE, "history.db"])
    def test_what_this_user_has_goes_first(self, own: Path, kept: str) -> None:
        """Then a daemon of this user's ran here."""
        own.mkdir(parents=True)
        (own / kept).touch()
        assert self.looked_at(own) == own

    def test_what_is_configured_goes_before_both(self, own: Path) -> None:
        """Whether it is there or not."""
        assert self.looked_at(own, Config(node=NodeConfig(state_dir="/srv/oido"))) == Path("/srv/oido")

    def test_without_a_service_it_is_this_users(self, own: Path, tmp_path: Path) -> None:
        """Where the next daemon would keep its state."""
        (tmp_path / "service").unlink()
        assert self.looked_at(own) == own


@pytest.mark.parametrize(
    ("variables", "directory"),
    [
        ({"RUNTIME_DIRECTORY": "/run/oido", "XDG_RUNTIME_DIR": "/run/user/1"}, Path("/run/oido")),
        ({"XDG_RUNTIME_DIR": "/run/user/1"}, Path("/run/user/1/oido")),
        ({}, None),
    ],
)
def test_the_runtime_directory_lives_in_memory_or_is_none(
    variables: dict[str, str], directory: Path | None
) -> None:
    """Never a guess that might be a disk."""
    assert runtime_directory(variables) == directory


def test_the_directory_is_private(tmp_path: Path) -> None:
    """When and where there was music is nobody else's business."""
    with opened(tmp_path):
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_a_second_daemon_is_refused(tmp_path: Path) -> None:
    """With one sentence that names the directory, and exit code 1; the next may enter when the first has gone."""
    with opened(tmp_path), pytest.raises(OidoError, match="another oido is running with") as error:
        State(configured(tmp_path))
    assert str(tmp_path / "state") in str(error.value)
    assert error.value.exit_code == 1
    with opened(tmp_path) as state:
        assert state.outbox is not None


def test_a_directory_that_cannot_be_made_is_done_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One sentence; the publisher keeps events in memory."""
    (tmp_path / "state").write_text("a file, not a directory")
    with opened(tmp_path) as state:
        assert (state.outbox, state.journal) == (None, None)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "set [node] state_dir" in caplog.text


def test_without_broker_and_history_nothing_is_made(tmp_path: Path) -> None:
    """Messages that are printed are not kept."""
    with opened(tmp_path, configured(tmp_path, host=None)) as state:
        assert (state.outbox, state.journal) == (None, None)
    assert not list(tmp_path.iterdir())


def test_a_history_needs_no_broker(tmp_path: Path) -> None:
    """Who asks for it gets it."""
    with opened(tmp_path, configured(tmp_path, host=None, history=True)) as state:
        assert state.outbox is None
        assert state.journal is not None
        assert (tmp_path / "state" / FILE).exists()


def test_a_replay_leaves_the_live_outbox_alone(tmp_path: Path) -> None:
    """Not even a directory is made, and a running daemon does not get in its way."""
    config = replace(
        configured(tmp_path, history=True),
        mqtt=MqttConfig(),
        source=(SourceConfig(name="tape", kind="file", path="tape.wav"),),
    )
    with opened(tmp_path, replace(config, mqtt=MqttConfig(host="broker"))):
        assert run(config, open_source=lambda _: FakeSource(blocks_of(noise(3.0))), origin=0.0) == 0


def test_settings_of_state_need_a_restart(tmp_path: Path) -> None:
    """A reload that would change them is refused; any other is none of its business."""
    config = configured(tmp_path)
    with opened(tmp_path, config) as state:
        state.must_fit(replace(config, mqtt=MqttConfig(host="other", port=8883)))
        for changed in (
            configured(tmp_path / "elsewhere"),
            configured(tmp_path, history=True),
            configured(tmp_path, host=None),
            replace(config, mqtt=MqttConfig(host="broker", max_queued_events=5)),
        ):
            with pytest.raises(ConfigurationError, match="restart"):
                state.must_fit(changed)


def test_music_of_a_killed_run_ends_where_it_was_heard_last(tmp_path: Path) -> None:
    """A stop with the id of the start, behind it, once."""
    kill_while_music_is_on(tmp_path, heard=STARTED + 61.25)
    with opened(tmp_path) as state:
        start, stop = events(state)
        assert (start["id"], start["event_type"]) == (ID, "music_started")
        assert (stop["id"], stop["event_type"], stop["duration_s"]) == (ID, "music_stopped", 61.25)
        assert stop["ended"] == "2023-11-14T22:14:21.250Z"
    with opened(tmp_path) as state:
        assert len(events(state)) == 2


@pytest.mark.parametrize("history", [True, False])
def test_the_music_of_today_outlives_the_process(tmp_path: Path, *, history: bool) -> None:
    """With a history or without, also where that was killed in the middle of music; other sources do not count."""
    kill_while_music_is_on(tmp_path, heard=STARTED + 90, history=history)
    now = STARTED + 100
    with opened(tmp_path, configured(tmp_path, history=history)) as state:
        assert state.music_today("bar", now=now).minutes(now, playing_since=None) == 1
        assert state.music_today("attic", now=now).minutes(now, playing_since=None) == 0


def test_without_a_history_nothing_is_kept_for_oido_history(tmp_path: Path) -> None:
    """Only what the music of today needs."""
    kill_while_music_is_on(tmp_path, heard=STARTED + 90)
    with opened(tmp_path):
        assert not (tmp_path / "state" / FILE).exists()
        assert (tmp_path / "state" / TODAY_FILE).exists()


def test_music_of_today_that_cannot_be_read_begins_with_nothing(tmp_path: Path) -> None:
    """The daemon starts all the same."""
    with opened(tmp_path) as state:
        (tmp_path / "state" / TODAY_FILE).unlink()
        assert state.music_today("bar", now=STARTED).minutes(STARTED, playing_since=None) == 0


def test_after_a_loss_of_power_the_detection_is_what_is_known(tmp_path: Path) -> None:
    """The runtime directory is empty; that the start was noted is still on disk."""
    kill_while_music_is_on(tmp_path, heard=None)
    with opened(tmp_path) as state:
        assert state.outbox is not None
        # It was noted today, years after `STARTED`: the clock was set in between and tells nothing.
        assert events(state)[-1]["duration_s"] == 0


def test_what_was_heard_of_other_music_tells_nothing(tmp_path: Path) -> None:
    """A note of an earlier event does not date this one."""
    kill_while_music_is_on(tmp_path, heard=None)
    notes = LastHeard(tmp_path / "run", node="attic")
    notes.note("bar", "another-id", STARTED + 500)
    with opened(tmp_path) as state:
        assert events(state)[-1]["duration_s"] == 0


def test_the_history_has_the_interval_of_a_killed_run(tmp_path: Path) -> None:
    """Written when the event is closed."""
    kill_while_music_is_on(tmp_path, heard=STARTED + 60, history=True)
    with opened(tmp_path, configured(tmp_path, history=True)), reading(tmp_path / "state" / FILE) as connection:
        (found,) = intervals(connection, since=0, until=1e12)
    assert (found.id, found.ended - found.started) == (ID, 60.0)


@pytest.mark.parametrize("content", [b"", b"x", b"\0" * 60, f"{ID} 12".encode(), b"\xff" * 100, b"a b\n"])
def test_a_note_that_is_none_is_ignored(tmp_path: Path, content: bytes) -> None:
    """Whatever is in the file."""
    (tmp_path / "attic+bar.heard").write_bytes(content)
    assert read_last_heard(tmp_path, node="attic", source="bar", event_id=ID) is None


def test_notes_are_rare_but_the_first_of_an_event_is_at_once(tmp_path: Path) -> None:
    """One in so many seconds of the wall clock."""
    notes = LastHeard(tmp_path / "run", node="attic", every_s=3600)
    for heard in (1.0, 2.0, 3.0):
        notes.note("bar", "first", heard)
    assert read_last_heard(tmp_path / "run", node="attic", source="bar", event_id="first") == 1.0
    notes.note("bar", "second", 4.0)
    assert read_last_heard(tmp_path / "run", node="attic", source="bar", event_id="second") == 4.0


def test_notes_that_cannot_be_written_are_done_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One warning."""
    (tmp_path / "run").write_text("a file")
    notes = LastHeard(tmp_path / "run", node="attic", every_s=0)
    for heard in (1.0, 2.0):
        notes.note("bar", ID, heard)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_stop_that_is_published_is_in_the_history(tmp_path: Path) -> None:
    """As the payload says it; the start before it is not."""
    (tmp_path / "state").mkdir()
    history = History(tmp_path / "state" / FILE, retention_days=400)
    journal = Journal(history=history)
    start = start_message()
    assert start.report is not None
    stop = replace(start.report, event_type="music_stopped", ended=STARTED + 60.12345, duration_s=60.12345)
    for message in (start, event_message(TOPICS.event("bar"), stop)):
        journal.said(message)
    history.close()
    with reading(tmp_path / "state" / FILE) as connection:
        (found,) = intervals(connection, since=0, until=1e12)
    assert (found.id, found.source, found.ended) == (ID, "bar", STARTED + 60.123)


def test_a_listener_notes_how_far_music_was_heard(tmp_path: Path) -> None:
    """The note dates the end that the stop then has, to the millisecond."""
    notes, publisher = LastHeard(tmp_path / "run", node="attic", every_s=0), RecordingPublisher()
    listener = Listener(
        SourceConfig(name="bar", kind="file", path="x"),
        config=Config(node=NodeConfig(name="attic"), decision=DecisionConfig(on=0.5, min_on_s=0, min_off_s=0)),
        open_source=lambda: FakeSource(blocks_of(noise(9.6))),
        model=fake_model([0.1, 0.9, 0.9, 0.9, 0.9, 0.9, 0.1]),
        publisher=publisher,
        origin=STARTED,
        journal=Journal(last_heard=notes),
    )
    listener.start()
    assert listener.join(DEADLINE_S)
    stop = json.loads(publisher.payloads("event")[-1])
    ended = read_last_heard(tmp_path / "run", node="attic", source="bar", event_id=stop["id"])
    assert ended is not None
    assert ended - STARTED == pytest.approx(0.96 * 6)
    assert stop["duration_s"] == pytest.approx(0.96 * 5)


def test_no_file_is_left_open(tmp_path: Path) -> None:
    """State that was closed holds nothing: the lock, the databases, the notes."""
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - descriptors, not files
    kill_while_music_is_on(tmp_path, heard=STARTED, history=True)
    assert (tmp_path / "state" / OUTBOX_FILE).exists()
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - the same


def test_music_that_plays_while_the_clock_is_set_has_one_right_interval(tmp_path: Path) -> None:
    """Its start and its stop are of the old clock, whatever time it is when the stop is said."""
    wall, is_set = 1_000.0, False
    clock = Clock(now=lambda: wall, since_boot=lambda: 100.0, synchronised=lambda: is_set, boot="b")
    config = configured(tmp_path, history=True)
    state = State(config, environment=environment(tmp_path), clock=clock)
    report = EventReport(
        event_type="music_started",
        id=ID,
        started=900.0,
        ended=None,
        duration_s=None,
        peak=0.9,
        mean=0.8,
        node="attic",
        source="bar",
        model="m",
    )
    assert state.journal is not None
    state.journal.said(event_message(TOPICS.event("bar"), report))
    wall, is_set = NOW, True
    stop = replace(report, event_type="music_stopped", ended=960.0, duration_s=60.0)
    state.journal.said(event_message(TOPICS.event("bar"), stop))
    state.look()
    state.close()
    with reading(tmp_path / "state" / FILE) as connection:
        (found,) = intervals(connection, since=0, until=1e12)
    assert (found.started, found.ended, found.clock_set) == (NOW - 100, NOW - 40, True)


@pytest.mark.parametrize("restarted", [False, True])
def test_music_of_a_killed_device_is_dated_again(tmp_path: Path, *, restarted: bool) -> None:
    """It died before the clock was set; the next process ends the music, before or after that."""
    wall, is_set = EARLY, False
    clock = Clock(now=lambda: wall, since_boot=lambda: 100.0, synchronised=lambda: is_set, boot="b")
    config = configured(tmp_path, history=True)
    report = EventReport(
        event_type="music_started",
        id=ID,
        started=EARLY - 50,
        ended=None,
        duration_s=None,
        peak=0.9,
        mean=0.8,
        node="attic",
        source="bar",
        model="m",
    )
    outbox = SqliteOutbox(tmp_path / "state" / OUTBOX_FILE, 9, clock=clock)
    (tmp_path / "state").mkdir()
    outbox.add(event_message(TOPICS.event("bar"), report))
    outbox.close()
    if restarted:
        wall, is_set = NOW, True
    state = State(config, environment=environment(tmp_path), clock=clock)
    wall, is_set = NOW, True
    state.look()
    assert state.outbox is not None
    stop = json.loads([message.payload for _, message in state.outbox.pending()][-1])
    state.close()
    assert datetime.fromisoformat(stop["started"]).timestamp() == NOW - 50
    with reading(tmp_path / "state" / FILE) as connection:
        (found,) = intervals(connection, since=0, until=1e12)
    assert (found.started, found.ended, found.clock_set) == (NOW - 50, NOW, True)
