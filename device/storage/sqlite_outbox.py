"""Events that wait for the broker's acknowledgement, on disk: they outlive the process and a loss of power."""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from device.publishing.message import Message, event_message
from device.publishing.outbox import Outbox
from device.publishing.payloads import EventReport
from device.storage.database import LATEST, Database, open_read_only, transaction

_log = logging.getLogger(__name__)

_VERSION = 1
_SCHEMA = (
    # The row is the order. `started` holds the starts that have no stop yet.
    "CREATE TABLE event (row INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload TEXT NOT NULL)",
    "CREATE TABLE started (id TEXT PRIMARY KEY, topic TEXT NOT NULL, payload TEXT NOT NULL, noted REAL NOT NULL)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEvent:
    """Music whose start was published and whose stop was not."""

    topic: str
    report: EventReport
    """Of the start."""
    noted: float
    """When the start was stored, seconds since the epoch: the music was heard at least until then."""


class SqliteOutbox(Outbox):
    """An outbox on disk: `add` returns when the message is there.

    All messages stand in memory too (about 1.2 KB each), and each write brings over what the disk does not have
    yet. So a disk that is full, read-only or gone costs durability and nothing else. That is logged once, and
    every later event tries the disk again. SQLite's errors stay inside.

    An acknowledgement is committed, but not waited for: if a loss of power undoes it, the event is sent again with
    the same id. In return a broker that comes back after hours is served many times faster.

    `add` and `acknowledge` may be called from any thread: a publisher that is being replaced may overlap the next.
    """

    def __init__(self, path: Path, limit: int) -> None:
        """Load what waited when the last process ended.

        Args:
            path: the database; its directory should exist.
            limit: how many messages are kept.
        """
        super().__init__(limit)
        self._path = path
        self._rows: dict[int, int] = {}
        """Where each message stands on disk, by key."""
        self._unsaved: dict[int, None] = {}
        """Keys of messages that are not on disk; always the last ones."""
        self._gone: list[int] = []
        """Rows on disk that are no longer needed."""
        self._open: dict[str, OpenEvent] = {}
        """By id."""
        self._open_changed = False
        self._loaded = False
        self._closed = False
        self._lock = threading.Lock()
        self._database = Database(
            path,
            schema=_SCHEMA,
            version=_VERSION,
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
            if report is not None and report.event_type == "music_started":
                self._open[report.id] = OpenEvent(topic=message.topic, report=report, noted=time.time())
                self._open_changed = True
            elif report is not None and self._open.pop(report.id, None) is not None:
                self._open_changed = True
            self._make_room()
            self._save()
        return key

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

    def close(self) -> None:
        """Close the file. Later calls of `add` and `acknowledge` change memory only. Idempotent."""
        with self._lock:
            self._save()
            self._closed = True
            self._database.close()

    def _forget(self, key: int) -> None:
        super()._forget(key)
        self._unsaved.pop(key, None)
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
        if not (self._unsaved or self._gone or self._open_changed):
            return
        rows = dict[int, int]()
        wait = wait or bool(self._unsaved) or self._open_changed
        connection.execute(f"PRAGMA synchronous={'FULL' if wait else 'NORMAL'}")
        with transaction(connection):
            connection.executemany("DELETE FROM event WHERE row = ?", ((row,) for row in self._gone))
            for key in self._unsaved:
                message = self._messages[key]
                added = connection.execute(
                    "INSERT INTO event (topic, payload) VALUES (?, ?)", (message.topic, message.payload)
                )
                rows[key] = added.lastrowid or 0
            if self._open_changed:
                connection.execute("DELETE FROM started")
                connection.executemany("INSERT INTO started VALUES (?, ?, ?, ?)", self._started_rows())
        self._rows |= rows
        self._unsaved.clear()
        self._gone.clear()
        self._open_changed = False

    def _started_rows(self) -> Iterator[tuple[str, str, str, float]]:
        for id_, event in self._open.items():
            yield id_, event.topic, event_message(event.topic, event.report).payload, event.noted

    def _load(self, connection: sqlite3.Connection) -> None:
        """Put what the disk holds in front of what memory holds."""
        rows = connection.execute("SELECT row, topic, payload FROM event ORDER BY row").fetchall()
        opened = connection.execute("SELECT topic, payload, noted FROM started ORDER BY noted").fetchall()
        self._loaded = True
        newer = list(self._messages)
        for row, topic, payload in rows:
            message = _event(topic, payload)
            if message is None:
                self._gone.append(row)
            else:
                self._rows[self._append(message)] = row
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
        self._open_changed = True


def _event(topic: object, payload: object) -> Message | None:
    """The message; None where damage to the disk has left something else in its place."""
    if not (isinstance(topic, str) and isinstance(payload, str)):
        return None
    try:
        return Message(topic, payload, qos=1, retain=False, coalesce=False)
    except ValueError:
        return None


def _open_event(topic: object, payload: object, noted: object) -> OpenEvent | None:
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
    return OpenEvent(topic=message.topic, report=report, noted=noted) if sound else None
