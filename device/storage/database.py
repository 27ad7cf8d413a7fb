"""SQLite files that outlive the process: how they are opened, written, and set aside when they are damaged.

The outbox and the interval history each have one. WAL with `synchronous=FULL`: a committed transaction survives a
loss of power (sqlite.org/pragma.html#pragma_synchronous). Nothing is written between transactions.
"""

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from urllib.parse import quote

_log = logging.getLogger(__name__)

WAL_PAGES = 256
"""Pages of 4 KiB. A write-ahead log of that length is copied into the file."""

BUSY_S = 0.5
"""How long to wait for another process that holds the file. Only readers of the history do; they do not block."""

LATEST = 2.5e11
"""Seconds since the epoch, in the year 9892: no date that is read from a file may be later."""

Steps = Sequence[Sequence[str]]
"""For each version from 1 on, the statements that lead to it from the one before."""

# The last three are what our own statements raise where a table is not as we made it.
_DAMAGE = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
)
_LAST_VERSION = 1_000
_PRIMARY_CODE = 0xFF  # of an extended result code: sqlite.org/rescode.html


class DamagedError(sqlite3.DatabaseError):
    """The file is a database, but not a sound one of ours."""


class NewerError(sqlite3.DatabaseError):
    """A newer version of the program has written the file: it is left as it is."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken, rather than the disk full, read-only or busy."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, DamagedError) or (code is not None and code & _PRIMARY_CODE in _DAMAGE)


class Database:
    """A database file with one writer. A failure to write it is logged once, never raised.

    The file is opened at the first `save`, and after each failure at the next one.
    """

    def __init__(self, path: Path, *, steps: Steps, failure: str, recovery: str) -> None:
        """Open nothing yet.

        Args:
            path: the file; its directory should exist.
            steps: to the present version, as for `open_database`.
            failure: logged when the file cannot be written; `%s` for the path and for the error.
            recovery: logged when it can be written again; `%s` for the path.
        """
        self.failing = False
        """Whether the latest `save` failed."""
        self._path = path
        self._steps = steps
        self._failure, self._recovery = failure, recovery
        self._connection: sqlite3.Connection | None = None
        self._data_version: int | None = None

    def save(self, write: Callable[[sqlite3.Connection], None], *, anew: Callable[[], None]) -> bool:
        """Write to the file; whether that worked.

        Args:
            write: writes all that the file does not have yet; called again on a new file if this one is damaged.
            anew: called before that: the file now has nothing.
        """
        try:
            try:
                write(self._connected())
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                self.close()
                set_aside(self._path, str(error))
                anew()
                write(self._connected())
        except (sqlite3.Error, OSError) as error:
            self.close()
            if not self.failing and isinstance(error, NewerError):
                _log.error("%s is not used and left as it is: %s", self._path, error)
            elif not self.failing:
                _log.error(self._failure, self._path, error)
            self.failing = True
            return False
        if self.failing:
            _log.warning(self._recovery, self._path)
        self.failing = False
        return True

    def changed_by_others(self) -> bool:
        """Whether another process may have written to the file since the latest call; no disk is read for that."""
        if self._connection is None:
            return False
        try:
            version = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            return False
        changed, self._data_version = self._data_version != version, version
        return changed

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._data_version = None
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error:
                _log.debug("%s could not be closed", self._path, exc_info=True)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = open_database(self._path, self._steps)
        return self._connection


def open_database(path: Path, steps: Steps) -> sqlite3.Connection:
    """Open a database for writing; make it where there is none, and bring an older one to the present version.

    Args:
        path: the file.
        steps: statements that lead from each version to the next, in order: the first ones make the tables of an
            empty database, which has version 0. All that are missing are one transaction. A step that was released
            is never changed.

    Returns:
        A connection for any thread (one at a time), in autocommit mode: `transaction` groups statements.

    Raises:
        NewerError: the file has a version that is not known here; it was not changed.
        sqlite3.Error: the disk is full or read-only; or the file is damaged (`is_damage`).
    """
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        found = version_of(connection, steps)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
        connection.execute("PRAGMA temp_store=MEMORY")
        # SQLite does not notice damage inside a text: readers get the text with replacement characters.
        connection.text_factory = _text
        _must_be_sound(connection)
        if found < len(steps):
            with transaction(connection):
                for statement in chain.from_iterable(steps[found:]):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={len(steps)}")
            if found:
                _log.info("%s was brought from format %d to %d; nothing is lost", path, found, len(steps))
    except BaseException as error:
        connection.close()
        if isinstance(error, UnicodeDecodeError):  # how the sqlite3 module fails to quote a broken schema
            raise DamagedError("its schema is not text") from error
        raise
    return connection


def _must_be_sound(connection: sqlite3.Connection) -> None:
    """Look for damage.

    Raises:
        DamagedError: there is some.
    """
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise DamagedError(str(verdict).replace("\n", " "))


def version_of(connection: sqlite3.Connection, steps: Steps) -> int:
    """The version of the file's tables, 0 where it is empty.

    Raises:
        NewerError: it is newer than the last of the steps.
        DamagedError: it is none.
    """
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if not 0 <= found <= _LAST_VERSION:
        raise DamagedError(f"it has the format {found}, which there will never be")
    if found > len(steps):
        raise NewerError(
            f"a newer oido wrote it, in format {found}, and this one reads up to {len(steps)}; install that oido "
            "again, or move the file away"
        )
    return found


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a database that another process may be writing.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    uri = f"file:{quote(str(path))}?mode=ro"
    try:
        return _probed(uri)
    except sqlite3.OperationalError:
        # To read a WAL database, SQLite makes a -shm file, which a read-only directory forbids. Where there is no
        # log, the file is complete and can be read without one.
        log = path.with_name(path.name + "-wal")
        if not path.exists() or (log.exists() and log.stat().st_size):
            raise
        return _probed(uri + "&immutable=1")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction: committed at the end, rolled back after an exception.

    Raises:
        sqlite3.Error: it could not be written; nothing of it was.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite may have rolled back already (on a full disk it does).
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def set_aside(path: Path, why: str) -> None:
    """Rename a damaged file and its log, and log it. Where that fails, opening the file again says why."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside, number = path.with_name(f"{path.name}.damaged-{stamp}"), 1
    while aside.exists():
        aside, number = path.with_name(f"{path.name}.damaged-{stamp}-{number}"), number + 1
    for suffix in ("-wal", "-shm", ""):
        with contextlib.suppress(OSError):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")  # noqa: PTH105 - a suffix after the whole name
    _log.warning("%s is damaged (%s): it was renamed to %s, and a new one is begun", path, why, aside.name)


def _probed(uri: str) -> sqlite3.Connection:
    """Connect and read something: SQLite opens the file only then."""
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    connection.text_factory = _text
    try:
        connection.execute("PRAGMA user_version").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "replace")
