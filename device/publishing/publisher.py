"""`Publisher`: how the daemon speaks. `stdout` and `mqtt` have one each."""

from types import TracebackType
from typing import Self

from device.publishing.message import Message


class Publisher:
    """Passes messages on. Entering its context starts it, leaving closes it.

    With only `publish` overridden, it is one that passes each message on at once and keeps none.
    """

    @property
    def queued_events(self) -> int:
        """Events that are not acknowledged yet."""
        return 0

    @property
    def dropped_events(self) -> int:
        """Events dropped because too many waited."""
        return 0

    @property
    def refused_events(self) -> int:
        """Events set aside because the broker refuses them."""
        return 0

    @property
    def ended(self) -> bool:
        """Whether nobody will ever listen again: standard output was a pipe and its reader has gone."""
        return False

    def start(self) -> None:
        """Begin to pass on what is published."""

    def publish(self, message: Message) -> None:
        """Pass a message on, now or as soon as somebody can be reached; from any thread. Never waits or fails."""
        raise NotImplementedError

    def hangs(self, now: float) -> bool:  # noqa: ARG002 - nothing waits here
        """Whether what is published has been held up for so long, at time.monotonic() `now`, that it must hang."""
        return False

    def drain(self, timeout_s: float) -> bool:  # noqa: ARG002 - nothing waits here
        """Wait until all messages have been acknowledged; False if that took longer than `timeout_s`."""
        return True

    def close(self) -> None:
        """Publish that the device goes offline, and stop, within 2 s. Idempotent."""

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()
