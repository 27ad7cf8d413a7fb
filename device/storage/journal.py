"""What listeners report for storage: finished intervals for the history, and how far music was heard."""

from device.publishing.message import Message
from device.storage.history import History, finished_interval
from device.storage.last_heard import LastHeard


class Journal:
    """Called by every listener, in its thread, before it publishes. Never fails."""

    def __init__(self, *, history: History | None = None, last_heard: LastHeard | None = None) -> None:
        """Write to these; None: to none."""
        self._history = history
        self._last_heard = last_heard

    def said(self, message: Message) -> None:
        """A message is about to be published.

        The history is written before the outbox. If a crash keeps a stop from the outbox, the next start makes it
        up with the same id, and it replaces the interval.
        """
        interval = None if message.report is None else finished_interval(message.report)
        if self._history is not None and interval is not None:
            self._history.add(interval)

    def playing(self, source: str, event_id: str, heard: float) -> None:
        """The music of this event was heard until `heard`, seconds since the epoch."""
        if self._last_heard is not None:
            self._last_heard.note(source, event_id, heard)
