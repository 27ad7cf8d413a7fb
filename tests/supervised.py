"""Sources and publishers that hang, for tests of who notices."""

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator

from hearing_fakes import RecordingPublisher, fake_model
from waiting import DEADLINE_S

from device.hearing.models.loading import StatisticsModel
from device.publishing.message import Message
from device.sound import Block


class Hang:
    """A place where a thread hangs, like one inside a driver, until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._released = threading.Event()

    def __call__(self) -> None:
        """Hang."""
        self.reached.set()
        self._released.wait(2 * DEADLINE_S)

    def release(self) -> None:
        """Let it go on, now and from now on."""
        self._released.set()


class HangingSource:
    """Gives blocks, hangs in the middle of a read, and then gives more until it is closed.

    Args:
        before: given at first.
        hang: where it hangs; closing it does not help.
        after: given again and again afterwards.
        name: as it appears in topics.
    """

    def __init__(
        self, before: Iterable[Block], hang: Callable[[], None], after: Iterable[Block] = (), *, name: str = "hung"
    ) -> None:
        self.name = name
        self.opened = 0
        self._before, self._hang, self._after = tuple(before), hang, tuple(after)
        self._closed = threading.Event()

    def blocks(self) -> Iterator[Block]:
        """Yield them."""
        self.opened += 1
        yield from self._before
        self._hang()
        while self._after and not self._closed.is_set():
            yield from self._after

    def close(self) -> None:
        """Ask it to end, which it does once it no longer hangs."""
        self._closed.set()


def hanging_model(hang: Callable[[], None], *, after: int) -> StatisticsModel:
    """Answers so often, then hangs once."""

    def script() -> Iterator[float]:
        for call in itertools.count(1):
            if call == after:
                hang()
            yield 0.8

    return fake_model(script())


class HangingPublisher(RecordingPublisher):
    """Hangs when it is told a certain word."""

    def __init__(self, hang: Callable[[], None], word: str) -> None:
        super().__init__()
        self._hang, self._word = hang, word

    def publish(self, message: Message) -> None:
        """Keep it, or hang."""
        if self._word in message.payload:
            self._hang()
        super().publish(message)
