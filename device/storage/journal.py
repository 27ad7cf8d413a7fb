"""What a listener tells those who remember: intervals for the history, and how far music was heard."""

from device.publishing.message import Message
from device.storage.history import History, finished_interval
from device.storage.last_heard import LastHeard


class Journal:
    """Told by every listener, in its thread, before the publisher is. Never fails."""

    def __init__(self, *, history: History | None = None, last_heard: LastHeard | None = None) -> None:
        """Pass on to these; None: to nobody."""
        self._history = history
        self._last_heard = last_heard

    def said(self, message: Message) -> None:
        """This is about to be published.

        The history goes first: a stop that a crash keeps from the outbox is made up for at the next start, with
        the same id, and then replaces the interval.
        """
        if self._history is not None and message.topic.endswith("/event"):
            interval = finished_interval(message)
            if interval is not None:
                self._history.add(interval)

    def playing(self, source: str, event_id: str, heard: float) -> None:
        """The music of this event was heard until `heard`, seconds since the epoch."""
        if self._last_heard is not None:
            self._last_heard.note(source, event_id, heard)
