"""What commands have set, on disk: it holds after a restart, `kill -9` and a loss of power.

The latest word counts. A setting holds until another command, or until the configuration says something else about
it than when the command came: who edits the configuration afterwards means it. A pause is in no configuration, so
only a command ends it.
"""

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast, get_args

from device.configuration.settings import LogLevel, Mode
from device.storage.durable import replace_file

_log = logging.getLogger(__name__)

FILE = "commanded.json"
"""Its name in the state directory."""

_DEVICE = ""
"""Stands for the whole device; no source has this name."""

_LONGEST = 1 << 20
"""Bytes; a real file has some hundred."""

Value = bool | str
Key = Literal["paused", "mode", "model", "log_level"]
_SOUND: dict[str, Callable[[object], bool]] = {
    "paused": lambda value: isinstance(value, bool),
    "mode": lambda value: value in get_args(Mode),
    "model": lambda value: isinstance(value, str) and bool(value),
    "log_level": lambda value: value in get_args(LogLevel),
}


class Commanded:
    """The settings in force where commands have changed them; for any thread."""

    def __init__(self, path: Path | None = None) -> None:
        """Read what the last process stored. What is damaged is logged and counts as not set.

        Args:
            path: the file; None: nothing is read, and what is set holds until the process ends.
        """
        self._path = path
        self._lock = threading.Lock()
        self._unsaved = False
        self._set: dict[tuple[str, str], tuple[Value, Value]] = {}
        """By source, or the device, and key: the value, and the configured one that it replaced."""
        if path is not None:
            self._read(path)

    def paused(self, source: str) -> bool:
        """Whether the source was told not to listen."""
        return self._value(source, "paused", configured=False) is True

    def mode(self, source: str, *, configured: Mode) -> Mode:
        """The mode of a source."""
        return cast("Mode", self._value(source, "mode", configured=configured))

    def model(self, *, configured: str) -> str:
        """The name of the device's model."""
        return str(self._value(_DEVICE, "model", configured=configured))

    def log_level(self, *, configured: LogLevel) -> LogLevel:
        """The level of the device's log."""
        return cast("LogLevel", self._value(_DEVICE, "log_level", configured=configured))

    def set(self, source: str, key: Key, value: Value, *, configured: Value) -> None:
        """A command has set this; `save` stores it.

        Args:
            source: whom it was sent to; `model` and `log_level` are the device's all the same.
            key: which setting.
            value: its new value.
            configured: what the configuration says.
        """
        place = (_DEVICE if key in ("model", "log_level") else source, key)
        new = None if value == configured else (value, configured)
        with self._lock:
            if self._set.get(place) == new:
                return
            self._unsaved = True
            if new is None:
                del self._set[place]
            else:
                self._set[place] = new

    def save(self) -> str | None:
        """Store what has been set, on disk when this returns; otherwise a sentence that says why it is not."""
        with self._lock:
            if not self._unsaved or self._path is None:
                return None
            entries = [
                {"source": source or None, "key": key, "value": value, "configured": configured}
                for (source, key), (value, configured) in sorted(self._set.items())
            ]
            try:
                replace_file(self._path, json.dumps({"version": 1, "set": entries}, indent=1) + "\n")
            except OSError as error:
                return (
                    f"this holds only until oido ends: {self._path} cannot be written ({error.strerror}); "
                    "free space there or make it writable"
                )
            self._unsaved = False
            return None

    def _value(self, source: str, key: Key, *, configured: Value) -> Value:
        with self._lock:
            value, before = self._set.get((source, key), (configured, configured))
            return value if before == configured else configured

    def _read(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                text = file.read(_LONGEST)
        except FileNotFoundError:
            return
        except OSError as error:
            _log.error(
                "what commands have set cannot be read from %s (%s), a pause included; make it readable and start "
                "oido again",
                path,
                error.strerror,
            )
            return
        damaged = 0
        try:
            entries = json.loads(text)["set"]
            for entry in entries:
                source, key, value, before = (entry[name] for name in ("source", "key", "value", "configured"))
                if _SOUND[key](value) and isinstance(source, str | None) and isinstance(before, bool | str):
                    self._set[source or _DEVICE, key] = (value, before)
                else:
                    damaged += 1
        except (ValueError, TypeError, KeyError, RecursionError):
            damaged += 1
        if damaged:
            _log.error("%s is damaged: some of what commands had set is forgotten, perhaps a pause", path)
