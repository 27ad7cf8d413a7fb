"""Events that wait for the broker's acknowledgement, on disk: they outlive the process and a loss of power."""

import json
import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from device.publishing.message import Message, compact_json, event_message, timestamp
from device.publishing.outbox import Outbox
from device.publishing.payloads import EventReport
from device.storage.clock import Clock, Doubt
from device.storage.database import (
    LATEST,
    Database,
    open_database,
    open_read_only,
    transaction,
    version_of,
)

_log = logging.getLogger(__name__)

_STEPS = (
    (
        # The row is the order. `started` holds the starts that have no stop yet.
        "CREATE TABLE event (row INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload TEXT NOT NULL)",
        """
        CREATE TABLE started (id TEXT PRIMARY KEY, topic TEXT NOT NULL, payload TEXT NOT NULL, noted REAL NOT NULL)
        """,
    ),
    (
        # The doubt about the clock; NULL: it was set.
        *(f"ALTER TABLE {table} ADD COLUMN boot TEXT" for table in ("event", "started")),
        *(f"ALTER TABLE {table} ADD COLUMN clock_offset REAL" for table in ("event", "started")),
        # What the broker does not take, and whether it is to be sent once more.
        """
        CREATE TABLE refused (
            row INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload TEXT NOT NULL, reason TEXT NOT NULL,
            again INTEGER NOT NULL DEFAULT 0
        )
        """,
    ),
)
_DOUBT_SINCE = _REFUSED_SINCE = 2
"""The version from which on events carry a doubt, and refused ones are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEvent:
    """Music whose start was published and whose stop was not."""

    topic: str
    report: EventReport
    """Of the start."""
    noted: float
    """When the start was stored, seconds since the epoch: the music was heard at least until then."""
    doubt: Doubt | None = None
    """About these times, and about those of the stop, which follow from them."""


class SqliteOutbox(Outbox):
    """An outbox on disk: `add` returns when the message is there.

    All messages stand in memory too (about 1.2 KB each), and each write brings over what the disk does not have
    yet. So a disk that is full, read-only or gone costs durability and nothing else. That is logged once, and
    every later event tries the disk again. SQLite's errors stay inside.

    An acknowledgement is committed, but not waited for: if a loss of power undoes it, the event is sent again with
    the same id. In return a broker that comes back after hours is served many times faster.

    `add` and `acknowledge` may be called from any thread: a publisher that is being replaced may overlap the next.
    """

    def __init__(self, path: Path, limit: int, *, clock: Clock | None = None) -> None:
        """Load what waited when the last process ended.

        Args:
            path: the database; its directory should exist.
            limit: how many messages are kept, and how many that were refused.
            clock: None: this machine's.
        """
        super().__init__(limit)
        self._clock = clock or Clock()
        self._path = path
        self._rows: dict[int, int] = {}
        """Where each message stands on disk, by key."""
        self._unsaved: dict[int, None] = {}
        """Keys of messages that are not on disk; always the last ones."""
        self._gone: list[int] = []
        """Rows on disk that are no longer needed."""
        self._doubts: dict[int, Doubt] = {}
        """About the times in messages, by key: put right when the clock has been set."""
        self._put_right: set[int] = set()
        """Keys of messages that stand on disk with wrong times."""
        self._aside: list[tuple[str, str, str]] = []
        """Topic, payload and reason of messages that were refused and are not on disk as such."""
        self._resent: list[int] = []
        """Rows of the refused ones that wait again."""
        self._asked = True
        """Whether `resend` may have asked for some."""
        self._open: dict[str, OpenEvent] = {}
        """By id."""
        self._open_changed = False
        self._loaded = False
        self._closed = False
        self._lock = threading.Lock()
        self._database = Database(
            path,
            steps=_STEPS,
            failure="events cannot be written to %s (%s): they are kept in memory only, and a loss of power would "
            "lose them; free space there or make it writable, and oido goes on using it by itself",
            recovery="events are kept in %s again; none was lost",
        )
        with self._lock:
            self._save()

    @property
    def lasting(self) -> bool:
        """Whether the messages outlive the process: the disk takes them."""
        return not self._database.failing

    def add(self, message: Message) -> int:
        """As `Outbox.add`. A start is also noted as open, until its stop is added."""
        report = message.report
        with self._lock:
            key = self._append(message)
            self._unsaved[key] = None
            doubt = None
            if report is not None and report.event_type == "music_started":
                doubt = self._clock.doubt()
                self._open[report.id] = OpenEvent(
                    topic=message.topic, report=report, noted=self._clock.now(), doubt=doubt
                )
                self._open_changed = True
            elif report is not None and (start := self._open.pop(report.id, None)) is not None:
                doubt = start.doubt
                self._open_changed = True
            if doubt is not None:
                self._doubts[key] = doubt
                self._date_again()
            self._make_room()
            self._save()
        return key

    def first(self, held: Container[str]) -> tuple[int, Message] | None:
        """As `Outbox.first`."""
        with self._lock:
            return super().first(held)

    def set_aside(self, key: int, reason: str) -> None:
        """As `Outbox.set_aside`; the message is kept on disk, to be sent again when `resend` asks for it."""
        with self._lock:
            message = self._messages.get(key)
            if message is not None:
                super().set_aside(key, reason)
                self._aside.append((message.topic, message.payload, reason))
                del self._aside[: -self._limit]
                self._refused = min(self._refused, self._limit)
                self._save()

    def look(self) -> None:
        """Date again what was dated before the clock was set, and take up what `resend` asked for."""
        with self._lock:
            if self._closed:
                return
            if self._doubts:
                self._date_again()
            self._asked = self._asked or self._database.changed_by_others()
            if self._put_right or self._asked:
                self._save()

    def acknowledge(self, key: int) -> None:
        """Forget a message; one that was dropped meanwhile is no error."""
        with self._lock:
            if key in self._messages:
                self._forget(key)
                self._save(wait=False)

    def open_events(self) -> tuple[OpenEvent, ...]:
        """The starts without a stop, in order."""
        return tuple(self._open.values())

    def close_event(self, event: OpenEvent, ended: float) -> Message:
        """Add the missing stop of an open event, not earlier than its start; return it."""
        started = event.report.started
        ended = max(started, ended)
        stop = replace(event.report, event_type="music_stopped", ended=ended, duration_s=ended - started)
        message = event_message(event.topic, stop)
        self.add(message)
        return message

    def _date_again(self) -> None:
        """Put the times of messages right that the clock now allows."""
        for key, doubt in tuple(self._doubts.items()):
            correction = self._clock.correction(doubt)
            if correction is not None:
                message = self._messages[key]
                self._messages[key] = replace(message, payload=_moved(message.payload, correction))
                self._put_right.add(key)
                del self._doubts[key]

    def close(self) -> None:
        """Close the file. Later calls of `add` and `acknowledge` change memory only. Idempotent."""
        with self._lock:
            self._save()
            self._closed = True
            self._database.close()

    def _forget(self, key: int) -> None:
        super()._forget(key)
        self._unsaved.pop(key, None)
        self._doubts.pop(key, None)
        self._put_right.discard(key)
        row = self._rows.pop(key, None)
        if row is not None:
            self._gone.append(row)

    def _save(self, *, wait: bool = True) -> None:
        """Write what the disk does not have yet.

        Args:
            wait: for the disk itself; otherwise the kernel writes it in its own time.
        """
        if self._closed:
            return
        saved = self._database.save(lambda connection: self._write(connection, wait=wait), anew=self._begin_anew)
        if not (saved or self._loaded):
            self._load_what_can_be_read()

    def _write(self, connection: sqlite3.Connection, *, wait: bool) -> None:
        if not self._loaded:
            self._load(connection)
        if self._asked:
            self._take_up(connection)
        changed = self._unsaved or self._open_changed or self._aside or self._put_right or self._resent
        if not (changed or self._gone):
            return
        rows = dict[int, int]()
        connection.execute(f"PRAGMA synchronous={'FULL' if wait or changed else 'NORMAL'}")
        with transaction(connection):
            connection.executemany("DELETE FROM event WHERE row = ?", ((row,) for row in self._gone))
            for key in self._unsaved:
                added = connection.execute(
                    "INSERT INTO event (topic, payload, boot, clock_offset) VALUES (?, ?, ?, ?)", self._row(key)
                )
                rows[key] = added.lastrowid or 0
            for key in self._put_right & self._rows.keys():
                connection.execute(
                    "UPDATE event SET topic = ?, payload = ?, boot = ?, clock_offset = ? WHERE row = ?",
                    (*self._row(key), self._rows[key]),
                )
            connection.executemany("DELETE FROM refused WHERE row = ?", ((row,) for row in self._resent))
            if self._aside:
                connection.executemany(
                    "INSERT INTO refused (topic, payload, reason) VALUES (?, ?, ?)", self._aside
                )
                connection.execute(
                    "DELETE FROM refused WHERE row <= (SELECT max(row) FROM refused) - ?", (self._limit,)
                )
            if self._open_changed:
                connection.execute("DELETE FROM started")
                connection.executemany("INSERT INTO started VALUES (?, ?, ?, ?, ?, ?)", self._started_rows())
        self._rows |= rows
        self._unsaved.clear()
        self._put_right.clear()
        for done in (self._gone, self._aside, self._resent):
            done.clear()
        self._open_changed = False

    def _take_up(self, connection: sqlite3.Connection) -> None:
        """Let the refused messages wait that another process has asked to send again."""
        asked = connection.execute("SELECT row, topic, payload FROM refused WHERE again = 1 ORDER BY row")
        for row, topic, payload in asked.fetchall():
            if row in self._resent:
                continue
            self._resent.append(row)
            self._refused -= 1
            message = _event(topic, payload)
            if message is not None:
                self._unsaved[self._append(message)] = None
        self._asked = False
        self._make_room()

    def _row(self, key: int) -> tuple[str, str, str | None, float | None]:
        message = self._messages[key]
        return message.topic, message.payload, *_columns(self._doubts.get(key))

    def _started_rows(self) -> Iterator[tuple[str, str, str, float, str | None, float | None]]:
        for id_, event in self._open.items():
            payload = event_message(event.topic, event.report).payload
            yield id_, event.topic, payload, event.noted, *_columns(event.doubt)

    def _load(self, connection: sqlite3.Connection) -> None:
        """Put what the disk holds in front of what memory holds."""
        migrated = version_of(connection, _STEPS) >= _DOUBT_SINCE
        doubt = "boot, clock_offset" if migrated else "NULL, NULL"
        rows = _select(connection, f"row, topic, payload, {doubt}", "event ORDER BY row")
        opened = _select(connection, f"topic, payload, noted, {doubt}", "started ORDER BY noted")
        if migrated:
            self._refused += connection.execute("SELECT count(*) FROM refused").fetchone()[0]
        self._loaded = True
        newer = list(self._messages)
        for row, topic, payload, *columns in rows:
            message = _event(topic, payload)
            if message is None:
                self._gone.append(row)
                continue
            key = self._append(message)
            self._rows[key] = row
            doubted = _doubt(*columns)
            if doubted is not None:
                self._doubts[key] = doubted
        for key in newer:
            self._messages.move_to_end(key)
        if self._gone:
            _log.warning("%s: %d events are unreadable and were removed", self._path, len(self._gone))
        older = (_open_event(*row) for row in opened)
        self._open = {event.report.id: event for event in older if event is not None} | self._open
        dropped = self._dropped
        self._make_room()
        if self._dropped > dropped:
            _log.warning(
                "%s held more than %d events; the oldest %d were dropped",
                self._path,
                self._limit,
                self._dropped - dropped,
            )

    def _load_what_can_be_read(self) -> None:
        """Where the disk takes no writes, the events on it can still be published."""
        try:
            connection = open_read_only(self._path)
        except (sqlite3.Error, OSError):
            return
        try:
            self._load(connection)
        except (sqlite3.Error, OSError):
            return
        finally:
            connection.close()

    def _begin_anew(self) -> None:
        """The file was damaged while in use: memory still has all that it held."""
        self._rows.clear()
        self._unsaved = dict.fromkeys(self._messages)
        self._gone.clear()
        self._resent.clear()
        self._put_right.clear()
        self._refused = len(self._aside)
        self._open_changed = True


def resend(path: Path) -> tuple[int, str]:
    """Ask that everything that the broker refused be sent again: by a running daemon soon, else by the next.

    Returns:
        How many messages that are, and why the latest was refused.

    Raises:
        sqlite3.Error: the outbox cannot be written.
    """
    connection = open_database(path, _STEPS)
    try:
        found = connection.execute("SELECT reason FROM refused WHERE again = 0 ORDER BY row").fetchall()
        with transaction(connection):
            connection.execute("UPDATE refused SET again = 1")
    finally:
        connection.close()
    return len(found), str(found[-1][0]) if found else ""


def refused_topics(path: Path) -> dict[str, tuple[int, str]]:
    """What the broker refused: for each topic how many messages, and the latest reason.

    Raises:
        sqlite3.Error: the outbox cannot be read.
    """
    connection = open_read_only(path)
    try:
        if version_of(connection, _STEPS) < _REFUSED_SINCE:
            return {}
        rows = connection.execute("SELECT topic, reason FROM refused WHERE again = 0 ORDER BY row").fetchall()
    finally:
        connection.close()
    counts = Counter(topic for topic, _ in rows)
    return {str(topic): (counts[topic], str(reason)) for topic, reason in rows}


def _select(connection: sqlite3.Connection, columns: str, table: str) -> list[tuple[Any, ...]]:
    return connection.execute(f"SELECT {columns} FROM {table}").fetchall()  # noqa: S608 - nobody's input


def _columns(doubt: Doubt | None) -> tuple[str | None, float | None]:
    return (None, None) if doubt is None else (doubt.boot, doubt.offset)


def _doubt(boot: object, offset: object) -> Doubt | None:
    return Doubt(boot, offset) if isinstance(boot, str) and isinstance(offset, float) else None


def _moved(payload: str, seconds: float) -> str:
    """An event's payload with its times moved; as it is, where it is none."""
    try:
        fields = json.loads(payload)
        times = {
            key: timestamp(datetime.fromisoformat(fields[key]).timestamp() + seconds)
            for key in ("started", "ended")
            if fields[key] is not None
        }
        return compact_json(fields | times)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return payload


def _event(topic: object, payload: object) -> Message | None:
    """The message; None where damage to the disk has left something else in its place."""
    if not (isinstance(topic, str) and isinstance(payload, str)):
        return None
    try:
        return Message(topic, payload, qos=1, retain=False, coalesce=False)
    except ValueError:
        return None


def _open_event(topic: object, payload: object, noted: object, boot: object, offset: object) -> OpenEvent | None:
    """The start; None where damage to the disk has changed it."""
    message = _event(topic, payload)
    if message is None or not isinstance(noted, float):
        return None
    try:
        fields = json.loads(message.payload)
        report = EventReport(
            event_type="music_started",
            started=datetime.fromisoformat(fields["started"]).timestamp(),
            ended=None,
            duration_s=None,
            **{key: fields[key] for key in ("id", "peak", "mean", "node", "source", "model")},
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    sound = (
        isinstance(report.id, str)
        and isinstance(report.model, str)
        and message.topic.split("/")[1:] == [report.node, report.source, "event"]
        and all(0 <= seconds <= LATEST for seconds in (report.started, noted))
        and all(type(score) in (int, float) and 0 <= score <= 1 for score in (report.peak, report.mean))
    )
    if not sound:
        return None
    return OpenEvent(topic=message.topic, report=report, noted=noted, doubt=_doubt(boot, offset))
