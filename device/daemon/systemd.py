"""What systemd is told, over the socket it names in NOTIFY_SOCKET; nothing happens where it names none.

The protocol is a datagram of `KEY=value` lines: see sd_notify(3). It is so short that the device needs no
library for it.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping

from device.masking import masked

_PATIENCE_S = 0.5
"""How long to wait for a service manager that is busy (it has ten unread messages)."""

_LONGEST_STATUS = 200
"""Characters of STATUS=: it is one line in `systemctl status`."""


def watchdog_interval_s(environment: Mapping[str, str], *, pid: int) -> float | None:
    """How often systemd wants `WATCHDOG=1` of this process at least; None: never. See sd_watchdog_enabled(3)."""
    try:
        interval_s = int(environment["WATCHDOG_USEC"]) / 1e6
        wanted_of = int(environment.get("WATCHDOG_PID", pid))
    except (KeyError, ValueError):
        return None
    return interval_s if interval_s > 0 and wanted_of == pid else None


class Notifier:
    """Tells the service manager how the daemon is. Not thread-safe.

    What cannot be sent is dropped: a manager that does not answer is no reason to fail.
    """

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        *,
        pid: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; the socket is opened when there is something to send.

        Args:
            environment: where NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID stand.
            pid: of this process; None: os.getpid().
            clock: CLOCK_MONOTONIC, seconds.
        """
        name = environment.get("NOTIFY_SOCKET", "")
        if name.startswith("@"):
            name = f"\0{name[1:]}"  # an abstract name: see unix(7)
        self._address = name if name.startswith(("/", "\0")) else ""
        self._clock = clock
        self._status = ""
        self._socket: socket.socket | None = None
        interval_s = watchdog_interval_s(environment, pid=os.getpid() if pid is None else pid)
        # sd_watchdog_enabled(3) advises half of the interval; a quarter leaves room for a busy moment.
        self._feed_every_s = interval_s / 4 if interval_s else None
        self._fed_at: float | None = None

    def ready(self) -> None:
        """Say that everything has started that depends on this machine alone."""
        self._send(READY=1)

    def status(self, line: str) -> None:
        """Say in words how the daemon is; sent only when the words change."""
        line = " ".join(masked(line).split())[:_LONGEST_STATUS]  # a line break would begin another field
        if line != self._status and self._send(STATUS=line):
            self._status = line

    def reloading(self) -> None:
        """Say that the configuration is being read again; `ready` ends it."""
        self._send(RELOADING=1, MONOTONIC_USEC=int(self._clock() * 1e6))

    def stopping(self) -> None:
        """Say that the daemon is stopping."""
        self._send(STOPPING=1)

    def alive(self) -> None:
        """Feed the watchdog, if there is one and it is time."""
        if self._feed_every_s is None:
            return
        now = self._clock()
        if self._fed_at is None or now - self._fed_at >= self._feed_every_s:
            self._fed_at = now
            self._send(WATCHDOG=1)

    def close(self) -> None:
        """Close the socket. Idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, **fields: str | int) -> bool:
        """Whether it was sent."""
        if not self._address:
            return False
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
                self._socket.settimeout(_PATIENCE_S)
            message = "\n".join(f"{key}={value}" for key, value in fields.items())
            self._socket.sendto(message.encode(), self._address)
        except OSError:
            return False
        return True
