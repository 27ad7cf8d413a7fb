"""When music was last heard, noted every few seconds in a tmpfs: it survives `kill -9`, and no disk is written."""

import logging
import os
import re
import threading
import time
from pathlib import Path

_log = logging.getLogger(__name__)

_LINE = re.compile(rb"(\S{1,64}) (\d{12}\.\d{3})\n")


class LastHeard:
    """Keeps one small file per source in a directory in memory (tmpfs).

    After a loss of power the directory is empty; then only the outbox knows of the music.
    """

    def __init__(self, directory: Path | None, *, node: str, every_s: float = 2.0) -> None:
        """Open nothing yet.

        Args:
            directory: of this user, in memory: $RUNTIME_DIRECTORY or $XDG_RUNTIME_DIR/oido; made when needed.
                None: nothing is noted.
            node: the device's name; two devices may share the directory.
            every_s: the shortest time between two notes of one event, by the wall clock.
        """
        self._directory = directory
        self._node = node
        self._every_s = every_s
        self._lock = threading.Lock()
        self._noted: dict[str, tuple[str, float]] = {}
        """The latest id noted for each source, and when (monotonic)."""

    def note(self, source: str, event_id: str, heard: float) -> None:
        """Music was heard until `heard`, seconds since the epoch; from any thread. Never fails."""
        with self._lock:
            now = time.monotonic()
            known, at = self._noted.get(source, ("", 0.0))
            if self._directory is None or (known == event_id and now - at < self._every_s):
                return
            self._noted[source] = (event_id, now)
            try:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                path = _path(self._directory, self._node, source)
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                with os.fdopen(file, "wb", buffering=0) as note:
                    # A single write, always of the same length: a kill leaves either the old line or the new one.
                    note.write(f"{event_id} {max(heard, 0.0):016.3f}\n".encode())
            except OSError as error:
                _log.warning(
                    "when music was last heard cannot be noted in %s: %s", self._directory, error.strerror
                )
                self._directory = None  # give up: the note only makes the end of a killed event more exact


def read_last_heard(directory: Path | None, *, node: str, source: str, event_id: str) -> float | None:
    """Until when the music of this event was heard, seconds since the epoch; None if that was not noted."""
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
