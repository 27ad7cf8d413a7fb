"""What listeners report for storage: finished intervals for the history, and how far music was heard."""

from device.publishing.message import Message
from device.storage.clock import Clock, Doubt
from device.storage.history import History, finished_interval
from device.storage.last_heard import LastHeard


class Journal:
    """Called by every listener, in its thread, before it publishes. Never fails."""

    def __init__(
        self, *, history: History | None = None, last_heard: LastHeard | None = None, clock: Clock | None = None
    ) -> None:
        """Write to these; None: to none. The clock: None is this machine's."""
        self._history = history
        self._last_heard = last_heard
        self._clock = clock or Clock()
        self._doubts: dict[str, Doubt] = {}
        """About music that is on, by the id of its events: its stop is dated by its start."""

    def said(self, message: Message, doubt: Doubt | None = None) -> None:
        """A message is about to be published.

        Args:
            message: of any kind.
            doubt: about the times of a stop whose start an earlier process said.

        The history is written before the outbox. If a crash keeps a stop from the outbox, the next start makes it
        up with the same id, and it replaces the interval.
        """
        report = message.report
        if self._history is None or report is None:
            return
        interval = finished_interval(report)
        if interval is not None:
            self._history.add(interval, self._doubts.pop(report.id, doubt))
        elif (doubted := self._clock.doubt()) is not None:
            self._doubts[report.id] = doubted

    def playing(self, source: str, event_id: str, heard: float) -> None:
        """The music of this event was heard until `heard`, seconds since the epoch."""
        if self._last_heard is not None:
            self._last_heard.note(source, event_id, heard)
