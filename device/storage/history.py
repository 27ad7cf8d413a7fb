"""The interval history: when music played, one row a finished interval, and its sums by day."""

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from datetime import time as time_of_day
from pathlib import Path
from typing import Any

from device.errors import OidoError
from device.publishing.message import Message
from device.publishing.pairs import LATEST, read_event
from device.storage.database import is_damage, open_database, open_read_only, set_aside, transaction

_log = logging.getLogger(__name__)

FILE = "history.db"
"""Its name in the state directory."""

MOST_INTERVALS = 500_000
"""However long the retention: some 100 MB."""

_DAY_S = 86_400
_UNSAVED = 10_000
_VERSION = 1
_SCHEMA = (
    """
    CREATE TABLE interval (
        row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, source TEXT NOT NULL,
        started REAL NOT NULL, ended REAL NOT NULL, peak REAL NOT NULL, mean REAL NOT NULL, model TEXT NOT NULL
    )
    """,
    "CREATE INDEX interval_ended ON interval (ended)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Music that played on one source. Times are seconds since the epoch."""

    id: str
    """Of the event pair that said so."""
    source: str
    started: float
    ended: float
    peak: float
    """The highest probability of music, 0 to 1."""
    mean: float
    """The mean probability of music, 0 to 1."""
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyTotal:
    """How much music one source had on one day."""

    day: date
    """From one local midnight to the next: 23 or 25 hours where the clocks change."""
    source: str
    music_min: float
    """Minutes."""
    intervals: int
    """How many intervals touch the day; one that crosses midnight counts to both."""


def finished_interval(message: Message) -> Interval | None:
    """The interval that a `music_stopped` message ends; None for every other message."""
    said = read_event(message)
    if said is None or said.report.ended is None:
        return None
    report = said.report
    return Interval(
        id=report.id,
        source=said.source,
        started=report.started,
        ended=said.report.ended,
        peak=report.peak,
        mean=report.mean,
        model=report.model,
    )


class History:
    """Writes intervals, each in a transaction of its own, from any thread.

    Never fails: what the disk does not take waits in memory for the next one.
    """

    def __init__(self, path: Path, *, retention_days: float, most: int = MOST_INTERVALS) -> None:
        """Open the database, and make it where there is none.

        Args:
            path: the file; its directory should exist.
            retention_days: an interval is forgotten once one ends that much later.
            most: and when there are more than so many.
        """
        self._path = path
        self._retention_s = retention_days * _DAY_S
        self._most = most
        self._lock = threading.Lock()
        self._unsaved: deque[Interval] = deque(maxlen=_UNSAVED)
        self._connection: sqlite3.Connection | None = None
        self._failing = False
        with self._lock:
            self._save()

    def add(self, interval: Interval) -> None:
        """Keep an interval; one of the same id is replaced."""
        with self._lock:
            self._unsaved.append(interval)
            self._save()

    def close(self) -> None:
        """Let the file go. Idempotent."""
        with self._lock:
            if self._unsaved:
                self._save()
            self._disconnect()

    def _save(self) -> None:
        try:
            try:
                self._write()
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                self._disconnect()
                set_aside(self._path, str(error))
                self._write()
        except (sqlite3.Error, OSError) as error:
            self._disconnect()
            if not self._failing:
                self._failing = True
                _log.error(
                    "the history cannot be written to %s (%s): it is kept in memory until that works again; "
                    "free space there or make it writable",
                    self._path,
                    error,
                )
        else:
            if self._failing:
                self._failing = False
                _log.warning("the history is written to %s again; nothing is missing", self._path)

    def _write(self) -> None:
        if self._connection is None:
            self._connection = open_database(self._path, schema=_SCHEMA, version=_VERSION)
        if not self._unsaved:
            return
        newest = max(interval.ended for interval in self._unsaved)
        with transaction(self._connection):
            self._connection.executemany(
                "INSERT OR REPLACE INTO interval (id, source, started, ended, peak, mean, model)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                ((i.id, i.source, i.started, i.ended, i.peak, i.mean, i.model) for i in self._unsaved),
            )
            self._connection.execute("DELETE FROM interval WHERE ended < ?", (newest - self._retention_s,))
            self._connection.execute(
                "DELETE FROM interval WHERE row <= (SELECT max(row) FROM interval) - ?", (self._most,)
            )
        self._unsaved.clear()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error:
                _log.debug("%s could not be closed", self._path, exc_info=True)


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for `intervals`; the daemon may go on writing.

    Raises:
        OidoError: there is no history, or it cannot be read.
    """
    try:
        path.stat()
    except PermissionError as error:
        raise OidoError(f"the history {path} is not for this user to read: sudo oido history") from error
    except (OSError, ValueError) as error:  # also a name that no file can have
        raise OidoError(
            f"there is no history at {path}; set [history] enabled = true for `oido run`, or say --state-dir"
        ) from error
    try:
        connection = open_read_only(path)
    except (sqlite3.Error, OSError) as error:
        raise OidoError(f"the history {path} cannot be read: {error}") from error
    try:
        yield connection
    except sqlite3.Error as error:
        raise OidoError(f"the history {path} cannot be read: {error}") from error
    except UnicodeDecodeError as error:  # how the sqlite3 module fails to quote a broken schema
        raise OidoError(f"the history {path} cannot be read: it is damaged") from error
    finally:
        connection.close()


def intervals(
    connection: sqlite3.Connection, *, since: float, until: float, source: str | None = None
) -> Iterator[Interval]:
    """Intervals that touch [since, until), in seconds since the epoch, by start; of one source or of all."""
    rows = connection.execute(
        "SELECT id, source, started, ended, peak, mean, model FROM interval"
        " WHERE ended > ? AND started < ? AND (? IS NULL OR source = ?) ORDER BY started, row",
        (since, until, source, source),
    )
    damaged = 0
    for row in rows:
        interval = _interval(row)
        if interval is None:
            damaged += 1
        else:
            yield interval
    if damaged:
        _log.warning("%d intervals of the history are unreadable and were left out", damaged)


def _interval(row: tuple[Any, ...]) -> Interval | None:
    """The interval, unless damage to the disk has left something else in its place."""
    id_, source, started, ended, peak, mean, model = row
    texts = all(isinstance(text, str) for text in (id_, source, model))
    numbers = all(isinstance(number, float) for number in (started, ended, peak, mean))
    if not (texts and numbers and 0 <= started <= ended <= LATEST and 0 <= mean <= 1 and 0 <= peak <= 1):
        return None
    return Interval(id=id_, source=source, started=started, ended=ended, peak=peak, mean=mean, model=model)


def daily_totals(
    found: Iterable[Interval], *, since: float, until: float, zone: tzinfo | None = None
) -> list[DailyTotal]:
    """Minutes of music of each local day and source; days without music are left out.

    Args:
        found: the intervals.
        since: seconds since the epoch; what lies before does not count.
        until: what lies at or after it does not count.
        zone: where midnight is; None: as the system's clock is set.
    """
    sums: dict[tuple[date, str], tuple[float, int]] = {}
    for interval in found:
        for day, seconds in split_by_day(max(interval.started, since), min(interval.ended, until), zone):
            total_s, count = sums.get((day, interval.source), (0.0, 0))
            sums[day, interval.source] = total_s + seconds, count + 1
    return [
        DailyTotal(day=day, source=source, music_min=total_s / 60, intervals=count)
        for (day, source), (total_s, count) in sorted(sums.items())
    ]


def split_by_day(started: float, ended: float, zone: tzinfo | None = None) -> Iterator[tuple[date, float]]:
    """Cut a stretch at each local midnight: days in order, and the seconds on each."""
    while started < ended:
        day = datetime.fromtimestamp(started, zone).date()
        # A midnight that the clocks jump over, or pass twice, is taken as the moment at which the day begins
        # (PEP 495, fold=0).
        midnight = datetime.combine(day + timedelta(days=1), time_of_day.min, tzinfo=zone).timestamp()
        end = min(ended, midnight) if midnight > started else ended
        yield day, end - started
        started = end
