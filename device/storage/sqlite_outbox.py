"""Events that wait for the broker's acknowledgement, on disk: they outlive the process, and the power."""

import logging
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from device.publishing.message import Message
from device.publishing.pairs import LATEST, Said, closing, read_event
from device.storage.database import is_damage, open_database, open_read_only, set_aside, transaction

_log = logging.getLogger(__name__)

_VERSION = 1
_SCHEMA = (
    # The row is the order. `started` holds the starts whose stop has not been said.
    "CREATE TABLE event (row INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload TEXT NOT NULL)",
    "CREATE TABLE started (id TEXT PRIMARY KEY, topic TEXT NOT NULL, payload TEXT NOT NULL, noted REAL NOT NULL)",
)


@dataclass(slots=True)
class _Entry:
    """One message that waits."""

    message: Message
    row: int | None
    """Where it stands on disk; None: not there yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEvent:
    """Music that started and, as far as anybody was told, still plays."""

    start: Said
    noted: float
    """When the start was noted, seconds since the epoch: the music was heard until then at least."""


class SqliteOutbox:
    """An outbox that lasts: `add` returns when the message is on disk.

    Everything that waits stands in memory too (about 1.2 KB an event), and the disk follows it: each write
    brings over whatever is not there yet. So a disk that is full, read-only or gone costs durability and
    nothing else; that is said once, and every later event tries the disk again. SQLite's errors stay inside.

    An acknowledgement is committed but not waited for: lost with the power, it costs a repetition with the
    same id, and a broker that returns after hours is served many times faster.

    Adding and acknowledging are safe from any thread: a publisher that is being replaced may overlap the next.
    """

    def __init__(self, path: Path, limit: int) -> None:
        """Take up what waited when the last process ended.

        Args:
            path: the database; its directory should exist.
            limit: how many messages are kept.
        """
        if limit < 1:
            raise ValueError(f"an outbox for {limit} messages keeps nothing")
        self._path = path
        self._limit = limit
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        self._unsaved: dict[int, None] = {}
        """Keys of entries that are not on disk; always the last ones."""
        self._gone: list[int] = []
        """Rows that are still on disk though nobody needs them."""
        self._open: dict[str, tuple[Message, float]] = {}
        """Starts without a stop, by id, and when they were noted."""
        self._open_changed = False
        self._next_key = 1
        self._dropped = 0
        self._loaded = False
        self._failing = False
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._lock = threading.Lock()
        with self._lock:
            self._save()

    @property
    def dropped(self) -> int:
        """Messages given up because the outbox was full."""
        return self._dropped

    @property
    def lasting(self) -> bool:
        """Whether what waits now outlives the process: the disk takes it."""
        return not self._failing

    def add(self, message: Message) -> int:
        """Keep a message behind all others, giving up the oldest if there is no room; return its key.

        With a start, what is needed to close it later is kept; a stop of the same id removes that again.
        """
        said = read_event(message)
        with self._lock:
            key = self._append(_Entry(message, None))
            self._unsaved[key] = None
            if said is not None and said.report.event_type == "music_started":
                self._open[said.report.id] = (message, time.time())
                self._open_changed = True
            elif said is not None and said.report.id in self._open:
                del self._open[said.report.id]
                self._open_changed = True
            self._make_room()
            self._save()
        return key

    def pending(self) -> Iterator[tuple[int, Message]]:
        """The messages that wait, with their keys, oldest first; do not change it meanwhile."""
        return ((key, entry.message) for key, entry in self._entries.items())

    def acknowledge(self, key: int) -> None:
        """Forget a message; one that was given up meanwhile is no error."""
        with self._lock:
            if key in self._entries:
                self._forget(key)
                self._save(wait=False)

    def open_events(self) -> tuple[OpenEvent, ...]:
        """The starts without a stop, in order."""
        found = ((read_event(message), noted) for message, noted in self._open.values())
        return tuple(OpenEvent(start=start, noted=noted) for start, noted in found if start is not None)

    def close_event(self, event: OpenEvent, ended: float) -> Message:
        """Add the stop that an open event never had; return it."""
        stop = closing(event.start, ended)
        self.add(stop)
        return stop

    def close(self) -> None:
        """Let the file go; what is added or acknowledged afterwards changes memory only. Idempotent."""
        with self._lock:
            self._save()
            self._closed = True
            self._disconnect()

    def __len__(self) -> int:
        """How many messages wait."""
        return len(self._entries)

    def _append(self, entry: _Entry) -> int:
        key = self._next_key
        self._next_key += 1
        self._entries[key] = entry
        return key

    def _make_room(self) -> None:
        while len(self._entries) > self._limit:
            self._forget(next(iter(self._entries)))
            self._dropped += 1

    def _forget(self, key: int) -> None:
        row = self._entries.pop(key).row
        self._unsaved.pop(key, None)
        if row is not None:
            self._gone.append(row)

    def _save(self, *, wait: bool = True) -> None:
        """Bring the disk up to date, whatever is missing there; a failure is said once and changes nothing.

        Args:
            wait: until it is on the platter, and not only in the kernel's hands.
        """
        if self._closed:
            return
        try:
            try:
                self._write(wait=wait)
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                self._begin_anew(str(error))
                self._write(wait=True)
        except (sqlite3.Error, OSError) as error:
            self._disconnect()
            if not self._loaded:
                self._load_what_can_be_read()
            if not self._failing:
                self._failing = True
                _log.error(
                    "events cannot be written to %s (%s): they are kept in memory only, and a loss of power would "
                    "lose them; free space there or make it writable, and oido goes on using it by itself",
                    self._path,
                    error,
                )
        else:
            if self._failing:
                self._failing = False
                _log.warning("events are kept in %s again; none was lost", self._path)

    def _write(self, *, wait: bool) -> None:
        if self._connection is None:
            self._connection = open_database(self._path, schema=_SCHEMA, version=_VERSION)
        if not self._loaded:
            self._load(self._connection)
        if not (self._unsaved or self._gone or self._open_changed):
            return
        connection, rows = self._connection, dict[int, int | None]()
        wait = wait or bool(self._unsaved) or self._open_changed
        connection.execute(f"PRAGMA synchronous={'FULL' if wait else 'NORMAL'}")
        with transaction(connection):
            connection.executemany("DELETE FROM event WHERE row = ?", ((row,) for row in self._gone))
            for key in self._unsaved:
                message = self._entries[key].message
                added = connection.execute(
                    "INSERT INTO event (topic, payload) VALUES (?, ?)", (message.topic, message.payload)
                )
                rows[key] = added.lastrowid
            if self._open_changed:
                connection.execute("DELETE FROM started")
                connection.executemany(
                    "INSERT INTO started VALUES (?, ?, ?, ?)",
                    ((id_, each.topic, each.payload, noted) for id_, (each, noted) in self._open.items()),
                )
        for key, row in rows.items():
            self._entries[key].row = row
        self._unsaved.clear()
        self._gone.clear()
        self._open_changed = False

    def _load(self, connection: sqlite3.Connection) -> None:
        """Put what the disk holds in front of what memory does."""
        rows = connection.execute("SELECT row, topic, payload FROM event ORDER BY row").fetchall()
        opened = connection.execute("SELECT topic, payload, noted FROM started ORDER BY noted").fetchall()
        self._loaded = True
        newer = list(self._entries)
        for row, topic, payload in rows:
            message = _event(topic, payload)
            if message is not None:
                self._append(_Entry(message, row))
            else:
                self._gone.append(row)
        for key in newer:
            self._entries.move_to_end(key)
        if self._gone:
            _log.warning("%s: %d events are unreadable and were removed", self._path, len(self._gone))
        older = {}
        for topic, payload, noted in opened:
            message = _event(topic, payload)
            said = None if message is None else read_event(message)
            if message is not None and said is not None and isinstance(noted, float) and 0 <= noted <= LATEST:
                older[said.report.id] = (message, noted)
        self._open = older | self._open
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
        """Where the disk takes no writes, what waits there can still be published."""
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

    def _begin_anew(self, why: str) -> None:
        """The file turned out to be damaged while in use: memory still has all that it held."""
        self._disconnect()
        set_aside(self._path, why)
        for entry in self._entries.values():
            entry.row = None
        self._unsaved = dict.fromkeys(self._entries)
        self._gone.clear()
        self._open_changed = True

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error:
                _log.debug("%s could not be closed", self._path, exc_info=True)


def _event(topic: object, payload: object) -> Message | None:
    """The message, unless damage to the disk has left something else in its place."""
    if not (isinstance(topic, str) and isinstance(payload, str)):
        return None
    try:
        return Message(topic, payload, qos=1, retain=False, coalesce=False)
    except ValueError:
        return None
