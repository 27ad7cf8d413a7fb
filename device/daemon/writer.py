"""Between the listeners and the publisher: a slow disk holds no sound up.

An event is stored before it is sent, and an SD card may take seconds for that. Meanwhile a listener must go on
reading its source, whose buffers are short. So the listeners hand their messages over, and one thread writes and
publishes them, in their order.
"""

import logging
import threading
import time
from collections import deque

from device.publishing.message import Message
from device.publishing.publisher import Publisher
from device.storage.journal import Journal

_log = logging.getLogger(__name__)

MOST_WAITING = 1_000
"""Messages. When so many wait, whoever publishes waits too: memory is bounded, and nothing is dropped."""

HANGS_S = 25.0
"""A message that takes longer to be stored counts as hung: then nothing is published any more."""

_LAST_S = 5.0
"""Closing: how long what waits may take."""


class Writer(Publisher):
    """Passes messages on to a journal and then to a publisher, from one thread named `writer` that it owns.

    Before `start`, they are passed on at once, in the caller's thread: a session begins with all of them.
    """

    def __init__(self, publisher: Publisher, journal: Journal | None = None, *, last_s: float = _LAST_S) -> None:
        """Pass on to these, once it is started in the writer's thread.

        Args:
            publisher: started and closed with the writer.
            journal: written first; None: none is kept.
            last_s: at the end, how long what waits may take.
        """
        self._last_s = last_s
        self._publisher = publisher
        self._journal = journal or Journal()
        self._changed = threading.Condition()  # guards what follows
        self._waiting: deque[Message] = deque()
        self._began: float | None = None
        """When the message that is being passed on was begun, monotonic; None: there is none."""
        self._closing = False
        self._thread: threading.Thread | None = None

    @property
    def queued_events(self) -> int:
        """Events that are not acknowledged yet; those that wait here are not among them."""
        return self._publisher.queued_events

    @property
    def dropped_events(self) -> int:
        """Events dropped because too many waited."""
        return self._publisher.dropped_events

    @property
    def refused_events(self) -> int:
        """Events set aside because the broker refuses them."""
        return self._publisher.refused_events

    @property
    def ended(self) -> bool:
        """Whether nobody will ever listen again."""
        return self._publisher.ended

    def start(self) -> None:
        """Begin to write, and start the publisher. Once only."""
        with self._changed:
            # A daemon thread: a disk that hangs cannot be interrupted, and must not delay the exit.
            self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
            self._thread.start()
        self._publisher.start()

    def publish(self, message: Message) -> None:
        """Take a message, from any thread."""
        with self._changed:
            if self._thread is not None:
                self._changed.wait_for(lambda: len(self._waiting) < MOST_WAITING or self._closing)
                self._waiting.append(message)
                self._changed.notify_all()
                return
        self._pass_on(message)

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was published until now has been passed on; False if that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and self._began is None, timeout_s)

    def hangs(self, now: float) -> bool:
        """Whether a message has been under way for so long that the disk must hang.

        Args:
            now: time.monotonic().
        """
        began = self._began
        return began is not None and now - began > HANGS_S

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything has been written and acknowledged."""
        deadline = time.monotonic() + timeout_s
        return self.flush(timeout_s) and self._publisher.drain(max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """Write what waits, for some seconds if the disk is slow, and close the publisher. Idempotent."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None and not self.flush(self._last_s):
            _log.warning("the disk is so slow that %d message(s) are given up", len(self._waiting) + 1)
        self._publisher.close()

    def _run(self) -> None:
        """The thread."""
        while True:
            with self._changed:
                self._began = None
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                message = self._waiting.popleft()
                self._began = time.monotonic()
            try:
                self._pass_on(message)
            except Exception:  # noqa: BLE001 - without this thread nothing would be published any more
                _log.exception("a message on %s could not be published", message.topic)

    def _pass_on(self, message: Message) -> None:
        self._journal.said(message)
        self._publisher.publish(message)
