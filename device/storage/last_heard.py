"""When music was heard last, noted every few seconds outside the disk: what is left after `kill -9`."""

import logging
import os
import re
import threading
import time
from pathlib import Path

_log = logging.getLogger(__name__)

_LINE = re.compile(rb"(\S{1,64}) (\d{12}\.\d{3})\n")


class LastHeard:
    """One small file a source in a directory that lives in memory (tmpfs): no disk is written.

    After a loss of power the directory is empty, and the outbox's own knowledge has to do.
    """

    def __init__(self, directory: Path | None, *, node: str, every_s: float = 2.0) -> None:
        """Note in `directory`, which is made when it is needed; None: note nothing.

        Args:
            directory: of this user, in memory: $RUNTIME_DIRECTORY or $XDG_RUNTIME_DIR/oido.
            node: the device's name; two devices may share the directory.
            every_s: at most one note in so long, by the wall clock.
        """
        self._directory = directory
        self._node = node
        self._every_s = every_s
        self._lock = threading.Lock()
        self._files: dict[str, int] = {}
        self._noted: dict[str, tuple[str, float]] = {}
        """Per source, the id noted last, and when (monotonic)."""

    def note(self, source: str, event_id: str, heard: float) -> None:
        """Music was heard until `heard` (seconds since the epoch); from any thread, never fails."""
        if self._directory is None:
            return
        with self._lock:
            now = time.monotonic()
            known, at = self._noted.get(source, ("", 0.0))
            if known == event_id and now - at < self._every_s:
                return
            self._noted[source] = (event_id, now)
            # One write of one length: a process that is killed leaves the line before or the line after.
            line = f"{event_id} {max(heard, 0.0):016.3f}\n".encode()
            try:
                os.pwrite(self._file(source), line, 0)
            except OSError as error:
                _log.warning(
                    "when music was heard last cannot be noted in %s: %s", self._directory, error.strerror
                )
                self._directory = None  # it only makes the end of a killed event more exact: said once

    def close(self) -> None:
        """Close the files; they stay. Idempotent."""
        with self._lock:
            for file in self._files.values():
                os.close(file)
            self._files.clear()
            self._directory = None

    def _file(self, source: str) -> int:
        if source not in self._files:
            assert self._directory is not None  # noqa: S101 - `note` has looked
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._files[source] = os.open(
                _path(self._directory, self._node, source), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        return self._files[source]


def read_last_heard(directory: Path | None, *, node: str, source: str, event_id: str) -> float | None:
    """Until when the music of this event was heard, seconds since the epoch; None where nobody noted it."""
    if directory is None:
        return None
    try:
        found = _LINE.match(_path(directory, node, source).read_bytes())
    except OSError:
        return None
    return float(found[2]) if found is not None and found[1] == event_id.encode() else None


def _path(directory: Path, node: str, source: str) -> Path:
    # No name holds a '+' (config.py), so no two pairs of names share a file.
    return directory / f"{node}+{source}.heard"
