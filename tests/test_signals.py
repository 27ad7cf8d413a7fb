"""device.daemon.signals: a signal is noted at whatever moment it comes, and never waits for a lock."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from waiting import DEADLINE_S

from device.daemon.signals import signals

AT_EVERY_MOMENT = """
import signal, sys
from device.daemon.signals import signals

def trace(frame, what, argument):
    frame.f_trace_opcodes = True
    if what == "opcode":
        signal.raise_signal(signal.SIGTERM)
    return trace

with signals(reload=True) as asked:
    for _ in range(3):
        asked.stop = False
        sys.settrace(trace)
        asked.wait(0.01)
        sys.settrace(None)
        assert asked.stop
print("ended")
"""
"""SIGTERM at every single instruction of `wait`: one of them is where a lock would be held."""


def test_a_signal_at_any_moment_of_the_wait_is_noted() -> None:
    """Whatever the interrupted code holds, the handler does not wait for it."""
    done = subprocess.run(
        [sys.executable, "-c", AT_EVERY_MOMENT],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.stdout == "ended\n", done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait(number: signal.Signals) -> None:
    """At once, not when the time is over."""
    with signals(reload=True) as asked:
        threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
        assert asked.wait(10 * DEADLINE_S)
        assert asked.wait(10 * DEADLINE_S)  # it stays said
        assert not asked.reload


def test_a_reload_ends_the_wait_and_does_not_stop() -> None:
    """It is noted until it is taken back."""
    with signals(reload=True) as asked:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not asked.wait(10 * DEADLINE_S)
        assert asked.reload


def test_more_signals_than_the_socket_holds_do_no_harm() -> None:
    """The bytes are only there to wake; none is missed, and none is complained about."""
    with signals(reload=True) as asked:
        for _ in range(20_000):
            signal.raise_signal(signal.SIGHUP)
        assert asked.reload
        signal.raise_signal(signal.SIGTERM)
        assert asked.wait(10 * DEADLINE_S)


def test_the_old_handlers_come_back() -> None:
    """And the old wake-up socket, for whoever waited before."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    with signals(reload=False):
        assert signal.getsignal(signal.SIGHUP) is before[2]
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_in_another_thread_only_the_wait_is_left() -> None:
    """Signals belong to the main thread."""
    found: list[bool] = []

    def wait() -> None:
        with signals(reload=True) as asked:
            found.append(asked.wait(0.001))

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(DEADLINE_S)
    assert found == [False]
