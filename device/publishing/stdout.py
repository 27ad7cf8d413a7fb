"""Messages as JSON lines: what `oido run` prints when no broker is configured."""

import contextlib
import json
import os
import threading
from types import TracebackType
from typing import Self, TextIO

from device.publishing.message import Message


class StdoutPublisher:
    """Prints `{"topic": ..., "retain": ..., "payload": ...}`, one line a message, each flushed.

    A payload that is JSON is shown as such, any other as text. A reader that goes away (`oido run | head`) is
    a clean end: `ended` turns true and the rest is dropped.
    """

    def __init__(self, stream: TextIO) -> None:
        """Print to `stream`, which stays the caller's to close."""
        self._stream = stream
        self._lock = threading.Lock()
        self._ended = False

    @property
    def queued_events(self) -> int:
        """Always 0: nothing waits."""
        return 0

    @property
    def dropped_events(self) -> int:
        """Always 0."""
        return 0

    @property
    def ended(self) -> bool:
        """Whether the reader has gone."""
        return self._ended

    def publish(self, message: Message) -> None:
        """Print the message; from any thread."""
        line = json.dumps(
            {"topic": message.topic, "retain": message.retain, "payload": _shown(message.payload)},
            separators=(",", ":"),
        )
        with self._lock:
            if self._ended:
                return
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except BrokenPipeError:
                self._ended = True
                self._discard_the_rest()

    def drain(self, timeout_s: float) -> bool:  # noqa: ARG002 - nothing ever waits
        """True: every line was flushed as it was printed."""
        return True

    def close(self) -> None:
        """Nothing to do."""

    def __enter__(self) -> Self:
        """Nothing to start."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _discard_the_rest(self) -> None:
        """Let the interpreter's flush at exit go nowhere, instead of failing on the same pipe with a message.

        See https://docs.python.org/3/library/signal.html#note-on-sigpipe.
        """
        with contextlib.suppress(OSError):  # a stream that is no file has nothing to redirect
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, self._stream.fileno())
            finally:
                os.close(nowhere)


def _shown(payload: str) -> object:
    try:
        return json.loads(payload)
    except ValueError:
        return payload
