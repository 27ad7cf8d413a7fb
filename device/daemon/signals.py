"""What signals ask for: SIGTERM and SIGINT to stop, SIGHUP to read the configuration again.

A handler runs in the middle of whatever the main thread does, perhaps while that holds a lock. A handler that
takes a lock, as `threading.Event.set` does, may then wait for itself for ever. So the handlers only set flags, and
the interpreter writes a byte into a socket (`signal.set_wakeup_fd`), on which `wait` sleeps.
"""

import contextlib
import select
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import FrameType


class Signals:
    """What signals have asked for so far; for the main thread."""

    def __init__(self) -> None:
        self.stop = False
        self.reload = False
        """Cleared by whoever reads the configuration again, before it does."""
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_out.setblocking(False)
        self._wake_in.setblocking(False)

    def wait(self, timeout_s: float) -> bool:
        """Sleep so long, or until the next signal; whether to stop."""
        if not self.stop:
            select.select([self._wake_out], [], [], timeout_s)
            with contextlib.suppress(BlockingIOError):
                self._wake_out.recv(4096)
        return self.stop

    def fileno(self) -> int:
        """Where the interpreter writes a byte for each signal."""
        return self._wake_in.fileno()

    def close(self) -> None:
        """Close the sockets. Idempotent."""
        self._wake_out.close()
        self._wake_in.close()

    def asked_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        """The handler of SIGTERM and SIGINT."""
        self.stop = True

    def asked_to_reload(self, _number: int, _frame: FrameType | None) -> None:
        """The handler of SIGHUP."""
        self.reload = True


@contextmanager
def signals(*, reload: bool) -> Iterator[Signals]:
    """Note the signals that arrive. Only the main thread can do that; in any other, nothing is changed.

    Args:
        reload: note SIGHUP too; otherwise it does what it did before.
    """
    with closing(Signals()) as asked:
        if threading.current_thread() is not threading.main_thread():
            yield asked
            return
        handlers = {signal.SIGTERM: asked.asked_to_stop, signal.SIGINT: asked.asked_to_stop}
        if reload:
            handlers[signal.SIGHUP] = asked.asked_to_reload
        # A full socket has bytes enough to wake whoever waits.
        wakeup_before = signal.set_wakeup_fd(asked.fileno(), warn_on_full_buffer=False)
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield asked
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(wakeup_before)
