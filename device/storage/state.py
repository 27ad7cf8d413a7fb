"""The state directory: outbox, history, ledger of retained topics, and the lock that keeps other daemons out."""

import fcntl
import logging
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from device.configuration.settings import Config, HistoryConfig
from device.errors import ConfigurationError, OidoError
from device.publishing.ledger import Ledger, former_topics
from device.publishing.music_today import MusicToday, local_midnight
from device.storage.clock import Clock
from device.storage.history import FILE as HISTORY_FILE
from device.storage.history import History, intervals, reading
from device.storage.journal import Journal
from device.storage.last_heard import LastHeard, read_last_heard
from device.storage.ledger import FileLedger
from device.storage.sqlite_outbox import SqliteOutbox

_log = logging.getLogger(__name__)

OUTBOX_FILE = "outbox.db"

LEDGER_FILE = "retained"

TODAY_FILE = "today.db"
"""The intervals of the last two days, where no history is kept: for the music of today."""

_TODAY_DAYS = 2.0

DETECTED_WITHIN_S = 4_000.0
"""A start is stored at most a window and `[decision] min_on_s` (at most an hour) after the onset. If it seems to
have taken longer, the clock was set in between, as when a device without a clock boots."""

_LOCK_FILE = "lock"

SERVICE_DIRECTORY = Path("/var/lib/oido")
"""The state directory of the system's service, as systemd/oido.service names it."""


def state_directory(config: Config, environment: Mapping[str, str] = os.environ) -> Path:
    """Where state is kept: as configured, else as systemd says, else as the XDG base directories say."""
    if config.node.state_dir:
        return Path(os.path.expanduser(config.node.state_dir))  # noqa: PTH111 - never fails: '~nobody' stays
    given = environment.get("STATE_DIRECTORY", "").partition(":")[0]  # systemd.exec(5): several, with colons
    if given:
        return Path(given)
    base = environment.get("XDG_STATE_HOME") or Path(environment.get("HOME") or "/", ".local", "state")
    return Path(base, "oido")


def directory_to_look_at(config: Config, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the daemon with these settings keeps its state, for other commands.

    That is the directory of the system's service, if there is one and this user's own holds nothing: `sudo oido
    history` runs as root, the service does not.
    """
    own = state_directory(config, environment)
    kept = any(os.path.exists(own / name) for name in (OUTBOX_FILE, HISTORY_FILE))  # noqa: PTH110 - never fails
    if config.node.state_dir or kept or not os.path.lexists(SERVICE_DIRECTORY):
        return own
    return SERVICE_DIRECTORY


def runtime_directory(environment: Mapping[str, str] = os.environ) -> Path | None:
    """This user's directory in memory (tmpfs); None where the environment names none."""
    given = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given)
    base = environment.get("XDG_RUNTIME_DIR")
    return Path(base, "oido") if base else None


class State:
    """The state directory, open for as long as the daemon runs, for one daemon at a time."""

    def __init__(
        self, config: Config, *, environment: Mapping[str, str] = os.environ, clock: Clock | None = None
    ) -> None:
        """Load what the last process left: events wait again, and music that it did not end is ended.

        Without a broker and a history, no directory is made. If the directory cannot be made or used, an error is
        logged and the daemon runs without it.

        Args:
            config: all settings.
            environment: names the directories.
            clock: None: this machine's.

        Raises:
            OidoError: another daemon uses the directory.
        """
        self.outbox: SqliteOutbox | None = None
        """Where events wait; None: in the publisher's memory."""
        self.journal: Journal | None = None
        """For the listeners; None: nothing is kept."""
        self.ledger = Ledger()
        """The topics retained at the broker."""
        self._environment = environment
        self._settings = directory, events, history = _settings(config, environment)
        self._closing = ExitStack()
        self._intervals: Path | None = None
        self._history: History | None = None
        if directory is None or not _made(directory):
            return
        _lock(directory, self._closing)
        clock = clock or Clock()
        kept, last_heard = None, None
        if history is not None:
            self._intervals = directory / HISTORY_FILE
            kept = History(self._intervals, retention_days=history.retention_days, clock=clock)
        else:
            self._intervals = directory / TODAY_FILE
            kept = History(self._intervals, retention_days=_TODAY_DAYS, clock=clock)
        self._history = kept
        self._closing.callback(kept.close)
        runtime = runtime_directory(environment)
        if events is not None:
            self.outbox = SqliteOutbox(directory / OUTBOX_FILE, events, clock=clock)
            self._closing.callback(self.outbox.close)
            self.ledger = _ledger(directory / LEDGER_FILE, config)
            last_heard = LastHeard(runtime, node=config.node.name)
        self.journal = Journal(history=kept, last_heard=last_heard, clock=clock)
        if self.outbox is not None:
            _close_what_is_open(self.outbox, self.journal, runtime)

    def music_today(self, source: str, *, now: float) -> MusicToday:
        """The music of this source that is stored for the local day of `now`, seconds since the epoch."""
        if self._intervals is None:
            return MusicToday()
        try:
            with reading(self._intervals) as connection:
                since = local_midnight(now)
                found = intervals(connection, since=since, until=now, source=source)
                return MusicToday((each.started, each.ended) for each in found)
        except OidoError as error:
            _log.warning("the music of today is counted from now on: %s", error)
            return MusicToday()

    def look(self) -> None:
        """Put right what was dated before the clock was set, and take up events to be sent again; now and then."""
        for each in (self._history, self.outbox):
            if each is not None:
                each.look()

    def must_fit(self, config: Config) -> None:
        """Refuse settings that need another state than this.

        Raises:
            ConfigurationError: they do.
        """
        if _settings(config, self._environment) != self._settings:
            raise ConfigurationError(
                "[node] state_dir, [history], [mqtt] max_queued_events and whether there is a broker at all "
                "change only when oido is started again; restart it"
            )

    def close(self) -> None:
        """Close everything, after the publisher was closed. Idempotent."""
        self._closing.close()


def _ledger(path: Path, config: Config) -> Ledger:
    """The ledger; at its very first start, with what an older version of the program may have left."""
    ledger = FileLedger(path)
    if ledger.begun:
        ledger.note(former_topics(config))
    return ledger


def _close_what_is_open(outbox: SqliteOutbox, journal: Journal, runtime: Path | None) -> None:
    """End the music that was on when the last process was killed or lost its power."""
    for event in outbox.open_events():
        start = event.report
        heard = read_last_heard(runtime, node=start.node, source=start.source, event_id=start.id)
        if heard is None:
            late = event.noted - start.started > DETECTED_WITHIN_S
            heard = start.started if late else event.noted
        journal.said(outbox.close_event(event, heard), event.doubt)
        _log.warning("%s: the last run ended while music was on; that music is ended now", start.source)


def _settings(
    config: Config, environment: Mapping[str, str]
) -> tuple[Path | None, int | None, HistoryConfig | None]:
    """The settings that state depends on.

    Returns:
        The directory, None where nothing is kept; how many events may wait, None without a broker; the history,
        None where none is kept.
    """
    history = config.history if config.history.enabled else None
    events = config.mqtt.max_queued_events if config.mqtt.host else None
    kept = history is not None or events is not None
    return state_directory(config, environment) if kept else None, events, history


def _made(directory: Path) -> bool:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        _log.error(
            "the state directory %s cannot be made (%s): events that wait for the broker are lost when oido ends, "
            "no history is kept, and what a renamed or removed source leaves at the broker is not cleared; set "
            "[node] state_dir to a directory that this user may write",
            directory,
            error.strerror,
        )
        return False
    return True


def _lock(directory: Path, closing: ExitStack) -> None:
    """Keep other daemons out until `closing` is closed or the process ends; do without where locks do not work.

    Raises:
        OidoError: another daemon has the lock.
    """
    try:
        lock = os.open(directory / _LOCK_FILE, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return  # the outbox cannot write here either, and says so
    closing.callback(os.close, lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        closing.close()
        raise OidoError(
            f"another oido is running with the state directory {directory}; stop it, or give each its own "
            "[node] state_dir"
        ) from error
    except OSError:
        _log.debug("the file system of %s has no locks", directory)
