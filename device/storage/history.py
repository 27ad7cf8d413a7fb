"""The interval history: when music played, one row per finished interval, and the sums by day."""

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
from device.publishing.payloads import EventReport
from device.storage.clock import Clock, Doubt
from device.storage.database import LATEST, Database, open_read_only, transaction, version_of

_log = logging.getLogger(__name__)

FILE = "history.db"
"""The history's name in the state directory."""

MOST_INTERVALS = 500_000
"""The most that are kept, however long the retention: about 100 MB."""

_DAY_S = 86_400
_UNSAVED = 10_000
_STEPS = (
    (
        """
        CREATE TABLE interval (
            row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, source TEXT NOT NULL,
            started REAL NOT NULL, ended REAL NOT NULL, peak REAL NOT NULL, mean REAL NOT NULL, model TEXT NOT NULL
        )
        """,
        "CREATE INDEX interval_ended ON interval (ended)",
    ),
    # The doubt about the clock; NULL: it was set.
    (
        "ALTER TABLE interval ADD COLUMN boot TEXT",
        "ALTER TABLE interval ADD COLUMN clock_offset REAL",
        "CREATE INDEX interval_doubt ON interval (boot, clock_offset) WHERE boot IS NOT NULL",
    ),
)
_CLOCK_SET_SINCE = 2
"""The version from which on a row says whether the clock was set."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Music that played on one source: the columns of the table. Times are seconds since the epoch."""

    id: str
    """Of the pair of events."""
    source: str
    started: float
    ended: float
    peak: float
    """The highest probability of music, 0 to 1."""
    mean: float
    """The mean probability of music, 0 to 1."""
    model: str
    clock_set: bool = True
    """Whether the times can be trusted: the clock was set, or it was set later and they were put right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyTotal:
    """How much music one source had on one day."""

    day: date
    """From one local midnight to the next: 23 or 25 hours when the clocks change."""
    source: str
    music_min: float
    """Minutes."""
    intervals: int
    """How many intervals touch the day; one that crosses midnight counts for both days."""


def finished_interval(report: EventReport) -> Interval | None:
    """The interval that a `music_stopped` ends; None for a `music_started`."""
    if report.ended is None:
        return None
    return Interval(
        id=report.id,
        source=report.source,
        started=report.started,
        ended=report.ended,
        peak=report.peak,
        mean=report.mean,
        model=report.model,
    )


class History:
    """Writes intervals, each in a transaction of its own, from any thread.

    Writing never fails: what the disk does not take waits in memory for the next attempt.
    """

    def __init__(
        self, path: Path, *, retention_days: float, most: int = MOST_INTERVALS, clock: Clock | None = None
    ) -> None:
        """Open the database; make it where there is none.

        Args:
            path: the file; its directory should exist.
            retention_days: an interval is deleted so long after it ended, when another one is added and the clock
                is set. Those of an unset clock stay.
            most: how many intervals are kept.
            clock: None: this machine's.
        """
        self._clock = clock or Clock()
        self._retention_s = retention_days * _DAY_S
        self._most = most
        self._lock = threading.Lock()
        self._unsaved: deque[tuple[Interval, Doubt | None]] = deque(maxlen=_UNSAVED)
        self._doubted = True
        """Whether there may be rows that the clock of this boot will put right."""
        self._database = Database(
            path,
            steps=_STEPS,
            failure="the history cannot be written to %s (%s): it is kept in memory until that works again; "
            "free space there or make it writable",
            recovery="the history is written to %s again; nothing is missing",
        )
        with self._lock:
            self._save()

    def add(self, interval: Interval, doubt: Doubt | None = None) -> None:
        """Keep an interval; it replaces one of the same id.

        Args:
            interval: what played.
            doubt: about its times, which are put right when the clock has been set.
        """
        with self._lock:
            self._unsaved.append((interval, doubt))
            self._save()

    def look(self) -> None:
        """Put right what was dated before the clock was set, as soon as it is; costs nothing otherwise."""
        with self._lock:
            if self._doubted and self._clock.is_set:
                self._save()

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._lock:
            if self._unsaved:
                self._save()
            self._database.close()

    def _save(self) -> None:
        self._database.save(self._write, anew=lambda: None)

    def _write(self, connection: sqlite3.Connection) -> None:
        doubted = self._doubted or any(doubt for _, doubt in self._unsaved)
        if not (self._unsaved or doubted):
            return
        with transaction(connection):
            connection.executemany(
                "INSERT OR REPLACE INTO interval"
                " (id, source, started, ended, peak, mean, model, boot, clock_offset)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (_columns(*each) for each in self._unsaved),
            )
            if doubted:
                doubted = self._put_right(connection)
            if self._unsaved and self._clock.is_set:
                # Not by the intervals alone: one that is dated into the future would take all others along.
                now = min(self._clock.now(), max(interval.ended for interval, _ in self._unsaved))
                connection.execute(
                    "DELETE FROM interval WHERE ended < ? AND boot IS NULL", (now - self._retention_s,)
                )
            connection.execute(
                "DELETE FROM interval WHERE row <= (SELECT max(row) FROM interval) - ?", (self._most,)
            )
        self._unsaved.clear()
        self._doubted = doubted

    def _put_right(self, connection: sqlite3.Connection) -> bool:
        """Date again what the clock now allows; whether some of this boot must still wait."""
        rows = connection.execute("SELECT DISTINCT boot, clock_offset FROM interval WHERE boot IS NOT NULL")
        wait = False
        for boot, offset in rows.fetchall():
            if not (isinstance(boot, str) and isinstance(offset, float)):
                continue
            correction = self._clock.correction(Doubt(boot, offset))
            if correction is not None:
                connection.execute(
                    "UPDATE interval SET started = started + ?1, ended = ended + ?1, boot = NULL,"
                    " clock_offset = NULL WHERE boot = ?2 AND clock_offset = ?3",
                    (correction, boot, offset),
                )
            elif not self._clock.is_set:
                wait = True
        return wait


def _columns(interval: Interval, doubt: Doubt | None) -> tuple[object, ...]:
    """The row of an interval."""
    values = (interval.id, interval.source, interval.started, interval.ended)
    scores = (interval.peak, interval.mean, interval.model)
    return *values, *scores, *((None, None) if doubt is None else (doubt.boot, doubt.offset))


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for `intervals`; the daemon may write meanwhile.

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
    """The intervals that touch [since, until), seconds since the epoch, by start; of one source or of all."""
    clock_set = "boot IS NULL" if version_of(connection, _STEPS) >= _CLOCK_SET_SINCE else "1"
    rows = connection.execute(
        f"SELECT id, source, started, ended, peak, mean, model, {clock_set} FROM interval"  # noqa: S608 - no input
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
    """The interval; None where damage to the disk has left something else in its place."""
    id_, source, started, ended, peak, mean, model, clock_set = row
    interval = Interval(id_, source, started, ended, peak, mean, model, bool(clock_set))
    texts = (interval.id, interval.source, interval.model)
    numbers = (interval.started, interval.ended, interval.peak, interval.mean)
    sound = (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(number, float) for number in numbers)
        and 0 <= interval.started <= interval.ended <= LATEST
        and 0 <= interval.mean <= 1
        and 0 <= interval.peak <= 1
    )
    return interval if sound else None


def daily_totals(
    found: Iterable[Interval], *, since: float, until: float, zone: tzinfo | None = None
) -> list[DailyTotal]:
    """Minutes of music for each local day and source; days without music are left out.

    Args:
        found: the intervals.
        since: seconds since the epoch; earlier music does not count.
        until: the same; music from then on does not count.
        zone: of the midnights; None: the system's.
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
    """Cut a stretch of time at each local midnight: the days in order, with the seconds on each."""
    while started < ended:
        day = datetime.fromtimestamp(started, zone).date()
        # Where clocks pass midnight twice, the first counts; where they skip it, the moment of the skip does
        # (PEP 495, fold=0).
        midnight = datetime.combine(day + timedelta(days=1), time_of_day.min, tzinfo=zone).timestamp()
        end = min(ended, midnight) if midnight > started else ended
        yield day, end - started
        started = end
