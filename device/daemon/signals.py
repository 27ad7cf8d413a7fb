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
    """Events that signals set. Signals reach only the main thread; elsewhere nothing is changed."""
    asked = Signals()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        asked.stop.set()

    def reread(_signal: int, _frame: FrameType | None) -> None:
        asked.reload.set()

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    handlers = {signal.SIGTERM: stop, signal.SIGINT: stop} | ({signal.SIGHUP: reread} if reload else {})
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
