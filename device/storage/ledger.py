"""The topics that this device has filled at the broker, on disk: they are cleared even after a loss of power."""

import contextlib
import logging
import os
import zlib
from pathlib import Path

from device.publishing.ledger import Ledger

_log = logging.getLogger(__name__)


class FileLedger(Ledger):
    """A ledger in one small text file: a line for each topic, with a checksum before it.

    The file is replaced as a whole, and only when a topic is new or was cleared: at a start with new names. A line
    that is damaged is left out, because the topic that it seems to name may belong to another device.
    """

    def __init__(self, path: Path) -> None:
        """Read what the last process wrote.

        Args:
            path: the file; its directory should exist.
        """
        super().__init__()
        self.begun = False
        """Whether there was no ledger yet."""
        self._path = path
        self._failing = False
        try:
            topics, damaged = read_ledger(path)
        except FileNotFoundError:
            self.begun = True
        except OSError as error:
            self._fail(error)
        else:
            self._topics |= topics
            if damaged:
                self._unsaved = True
                _log.warning(
                    "%s: %d lines are damaged and left out; `oido check` names what is left behind at the broker",
                    path,
                    damaged,
                )

    def _write(self) -> None:
        lines = "".join(f"{_checksum(topic)} {topic}\n" for topic in sorted(self._topics))
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(file, "w", encoding="utf-8") as stream:
                stream.write(lines)
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(self._path)
            _sync_directory(self._path.parent)
        except OSError as error:
            self._fail(error)
        else:
            self._unsaved = self._failing = False

    def _fail(self, error: OSError) -> None:
        if not self._failing:
            _log.error(
                "the ledger of retained topics %s cannot be used (%s): what a renamed or removed source leaves at "
                "the broker is not cleared after a restart; make its directory writable, or run "
                "`oido check --forget`",
                self._path,
                error.strerror,
            )
        self._failing = True


def read_ledger(path: Path) -> tuple[frozenset[str], int]:
    """The topics of a ledger.

    Returns:
        The topics, and how many lines are damaged.

    Raises:
        OSError: it cannot be read.
    """
    lines = path.read_bytes().decode("utf-8", "replace").split("\n")
    parts = (line.partition(" ") for line in lines)
    topics = frozenset(topic for checksum, _, topic in parts if topic and checksum == _checksum(topic))
    return topics, sum(map(bool, lines)) - len(topics)


def _checksum(topic: str) -> str:
    return f"{zlib.crc32(topic.encode()):08x}"


def _sync_directory(directory: Path) -> None:
    """Make the new name of a file survive a loss of power, where the file system can."""
    handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
