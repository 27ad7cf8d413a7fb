"""Events that wait for the broker's acknowledgement, in order."""

from collections import OrderedDict
from collections.abc import Container, Iterator

from device.publishing.message import Message


class Outbox:
    """A bounded queue in memory. Not thread-safe.

    It forgets a message only when told so, or when it is full. `SqliteOutbox` is one that outlives the process.
    """

    def __init__(self, limit: int) -> None:
        """Keep at most `limit` messages."""
        if limit < 1:
            raise ValueError(f"an outbox for {limit} messages keeps nothing")
        self._limit = limit
        self._messages: OrderedDict[int, Message] = OrderedDict()
        self._next_key = 1
        self._dropped = 0
        self._refused = 0

    @property
    def refused(self) -> int:
        """How many messages are set aside because the broker refused them."""
        return self._refused

    @property
    def dropped(self) -> int:
        """How many messages were dropped because the outbox was full."""
        return self._dropped

    @property
    def lasting(self) -> bool:
        """Whether the messages outlive the process."""
        return False

    def add(self, message: Message) -> int:
        """Put a message behind all others, and drop the oldest if there is no room; return its key."""
        key = self._append(message)
        self._make_room()
        return key

    def pending(self) -> Iterator[tuple[int, Message]]:
        """The waiting messages with their keys, oldest first; do not change the outbox meanwhile."""
        return iter(self._messages.items())

    def first(self, held: Container[str]) -> tuple[int, Message] | None:
        """The oldest waiting message with its key, other than those whose topic is held."""
        return next((each for each in self._messages.items() if each[1].topic not in held), None)

    def set_aside(self, key: int, reason: str) -> None:  # noqa: ARG002 - nobody could send it again
        """The broker refuses a message for good: it no longer waits, and is counted."""
        if key in self._messages:
            self._forget(key)
            self._refused += 1

    def acknowledge(self, key: int) -> None:
        """Forget a message; one that was dropped meanwhile is no error."""
        self._forget(key)

    def __len__(self) -> int:
        """How many messages wait."""
        return len(self._messages)

    def _append(self, message: Message) -> int:
        key = self._next_key
        self._next_key += 1
        self._messages[key] = message
        return key

    def _make_room(self) -> None:
        while len(self._messages) > self._limit:
            self._forget(next(iter(self._messages)))
            self._dropped += 1

    def _forget(self, key: int) -> None:
        self._messages.pop(key, None)
