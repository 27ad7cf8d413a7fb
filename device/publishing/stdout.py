"""Messages as JSON lines: what `oido run` prints when no broker is configured."""

import contextlib
import json
import os
import threading
from typing import TextIO

from device.publishing.message import Message
from device.publishing.publisher import Publisher


class StdoutPublisher(Publisher):
    """Prints each message as a line `{"topic": ..., "retain": ..., "payload": ...}`, and flushes it.

    A JSON payload is printed as JSON, any other as text. When the reader goes away (`oido run | head`), or
    the stream cannot be written, `ended` turns true and later messages are dropped.
    """

    ended = False

    def __init__(self, stream: TextIO) -> None:
        """Print to `stream`; the caller closes it."""
        self._stream = stream
        self._lock = threading.Lock()

    def publish(self, message: Message) -> None:
        """Print the message; from any thread."""
        line = json.dumps(
            {"topic": message.topic, "retain": message.retain, "payload": _shown(message.payload)},
            separators=(",", ":"),
        )
        with self._lock:
            if self.ended:
                return
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except BrokenPipeError:
                self.ended = True
                self._discard_the_rest()
            except OSError:
                self.ended = True  # the command line says why, when it looks at the stream at the end

    def _discard_the_rest(self) -> None:
        """Redirect the stream to nowhere: the interpreter's flush at exit would fail on the pipe, with a message.

        See https://docs.python.org/3/library/signal.html#note-on-sigpipe.
        """
        with contextlib.suppress(OSError):  # a stream without a file has nothing to redirect
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
