"""Events that wait for the broker's acknowledgement, in order."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Protocol

from device.publishing.message import Message


class Outbox(Protocol):
    """A bounded queue that forgets a message only when told so, or when it is full. Not thread-safe."""

    @property
    def dropped(self) -> int:
        """Messages given up because the outbox was full."""
        ...

    @property
    def lasting(self) -> bool:
        """Whether what waits now outlives the process."""
        ...

    def add(self, message: Message) -> int:
        """Keep a message behind all others, giving up the oldest if there is no room; return its key."""
        ...

    def pending(self) -> Iterator[tuple[int, Message]]:
        """The messages that wait, with their keys, oldest first; do not change it meanwhile."""
        ...

    def acknowledge(self, key: int) -> None:
        """Forget a message; one that was given up meanwhile is no error."""
        ...

    def __len__(self) -> int:
        """How many messages wait."""
        ...


class MemoryOutbox:
    """An outbox that lasts as long as the process."""

    def __init__(self, limit: int) -> None:
        """Keep at most `limit` messages."""
        if limit < 1:
            raise ValueError(f"an outbox for {limit} messages keeps nothing")
        self._limit = limit
        self._messages: OrderedDict[int, Message] = OrderedDict()
        self._next_key = 1
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Messages given up because the outbox was full."""
        return self._dropped

    @property
    def lasting(self) -> bool:
        """Never."""
        return False

    def add(self, message: Message) -> int:
        """Keep a message behind all others, giving up the oldest if there is no room; return its key."""
        if len(self._messages) >= self._limit:
            self._messages.popitem(last=False)
            self._dropped += 1
        key = self._next_key
        self._next_key += 1
        self._messages[key] = message
        return key

    def pending(self) -> Iterator[tuple[int, Message]]:
        """The messages that wait, with their keys, oldest first."""
        return iter(self._messages.items())

    def acknowledge(self, key: int) -> None:
        """Forget a message; one that was given up meanwhile is no error."""
        self._messages.pop(key, None)

    def __len__(self) -> int:
        """How many messages wait."""
        return len(self._messages)
