"""SQLite files that outlive the process: opened the same way everywhere, set aside when they are damaged.

The outbox and the interval history each have one. WAL with `synchronous=FULL`: a transaction that was committed
is there after a power loss (sqlite.org/pragma.html#pragma_synchronous). Nothing runs by itself: between
transactions not a byte is written.
"""

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

_log = logging.getLogger(__name__)

WAL_PAGES = 256
"""Of 4 KiB; a write-ahead log of that length is folded into the file."""

BUSY_S = 0.5
"""How long another process may hold the file; only readers of the history share one, and they do not block."""

# The last three are what our own statements meet where a table is not as we made it.
_DAMAGE = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
)
_PRIMARY_CODE = 0xFF  # of an extended result code: sqlite.org/rescode.html


class DamagedError(sqlite3.DatabaseError):
    """The file is a database, but not a sound one of ours."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken, rather than the disk full, read-only or busy."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, DamagedError) or (code is not None and code & _PRIMARY_CODE in _DAMAGE)


def open_database(path: Path, *, schema: Sequence[str], version: int) -> sqlite3.Connection:
    """Open a database for writing, and make it where there is none.

    Args:
        path: the file; its directory exists.
        schema: statements that make the tables of an empty database.
        version: of that schema, from 1; another one in the file counts as damage.

    Returns:
        A connection for any thread (one at a time), in autocommit mode: `transaction` groups statements.

    Raises:
        sqlite3.Error: the disk is full or read-only, or the file is damaged (`is_damage`).
    """
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
        connection.execute("PRAGMA temp_store=MEMORY")
        # Damage that hits a text is found by nobody else; a reader shall see it, not fall over it.
        connection.text_factory = _text
        if _format(connection, version) == 0:
            with transaction(connection):
                for statement in schema:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={version}")
    except UnicodeDecodeError as error:  # how the sqlite3 module fails to quote a broken schema
        connection.close()
        raise DamagedError("its schema is no text") from error
    except BaseException:
        connection.close()
        raise
    return connection


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a database that somebody else may be writing.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    uri = f"file:{quote(str(path))}?mode=ro"
    try:
        return _probed(uri)
    except sqlite3.OperationalError:
        # A reader of a WAL database makes its -shm file, which a read-only directory forbids. Without a log
        # there is nothing to share, and the file may be read as it stands.
        log = path.with_name(path.name + "-wal")
        if not path.exists() or (log.exists() and log.stat().st_size):
            raise
        return _probed(uri + "&immutable=1")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing: committed at the end, and on disk then; rolled back after an exception.

    Raises:
        sqlite3.Error: it could not be written; nothing of it was.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # What failed may have rolled back by itself (a full disk does).
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def set_aside(path: Path, why: str) -> None:
    """Rename a damaged file and its log, and say so; where even that fails, the next opening says why."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside, number = path.with_name(f"{path.name}.damaged-{stamp}"), 1
    while aside.exists():
        aside, number = path.with_name(f"{path.name}.damaged-{stamp}-{number}"), number + 1
    for suffix in ("-wal", "-shm", ""):
        with contextlib.suppress(OSError):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")  # noqa: PTH105 - a suffix after the whole name
    _log.warning("%s is damaged (%s): it is now %s, and a new one is begun", path, why, aside.name)


def _format(connection: sqlite3.Connection, version: int) -> int:
    """The schema's version, 0 in an empty database.

    Raises:
        DamagedError: the file is not sound, or has another version.
    """
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise DamagedError(str(verdict).replace("\n", " "))
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found not in (0, version):
        raise DamagedError(f"it has the format {found}, and this version of oido reads {version}")
    return found


def _probed(uri: str) -> sqlite3.Connection:
    """Connect, and read something: SQLite opens the file no sooner."""
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
