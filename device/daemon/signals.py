"""Signals as events: SIGTERM and SIGINT ask to stop, SIGHUP to read the configuration again."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Signals:
    """What signals asked for."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.reload = threading.Event()


@contextmanager
def signals(*, reload: bool) -> Iterator[Signals]:
    """Set events when signals arrive. Only the main thread can do that; in any other, nothing is changed."""
    asked = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    events = {signal.SIGTERM: asked.stop, signal.SIGINT: asked.stop} | (
        {signal.SIGHUP: asked.reload} if reload else {}
    )

    def handle(number: int, _frame: FrameType | None) -> None:
        events[signal.Signals(number)].set()

    before = {number: signal.signal(number, handle) for number in events}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
