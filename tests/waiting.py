"""How long a test waits for what must happen, and where."""

import socket
import time
from collections.abc import Callable

DEADLINE_S = 60.0
"""How long a test waits for something that must happen; only reached when it fails."""


def eventually(condition: Callable[[], bool], *, deadline_s: float = DEADLINE_S) -> bool:
    """Wait until the condition holds; False if it does not within the deadline."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
