"""The seam that the daemon speaks through; `stdout` and `mqtt` implement it."""

from types import TracebackType
from typing import Protocol, Self

from device.publishing.message import Message


class Publisher(Protocol):
    """Somebody who passes messages on. Entering its context starts it, leaving closes it."""

    @property
    def queued_events(self) -> int:
        """Events that nobody has acknowledged yet."""
        ...

    @property
    def dropped_events(self) -> int:
        """Events given up because too many waited."""
        ...

    @property
    def ended(self) -> bool:
        """Whether nobody will ever listen again: standard output was a pipe and its reader has gone."""
        ...

    def publish(self, message: Message) -> None:
        """Say it now, or as soon as somebody can be reached; from any thread. Neither waits nor fails."""
        ...

    def drain(self, timeout_s: float) -> bool:
        """Wait until all that was said has been acknowledged; False if that took longer than `timeout_s`."""
        ...

    def close(self) -> None:
        """Say that the device goes offline, and stop, within 2 s. Idempotent."""
        ...

    def __enter__(self) -> Self:
        """Start."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        ...
