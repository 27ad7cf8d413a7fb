"""The wall clock: whether it has been set, and how dates from before that are put right.

A Raspberry Pi has no clock of its own. It starts where it stopped, or in 1970, and jumps when a time server is
reached. What was dated before carries a `Doubt`; the time since boot, which never jumps, tells later by how much
the clock was wrong.
"""

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

EARLIEST = 1_735_689_600.0
"""The beginning of 2025, before this program existed, seconds since the epoch: an earlier clock is not set."""

_SYNCHRONISED = Path("/run/systemd/timesync/synchronized")
_SYSTEMD = Path("/run/systemd/system")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIMEX_BYTES = 512
"""More than `struct timex` has on any architecture; all zero, it asks and sets nothing."""
_TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised. `timedatectl` shows the same."""


def is_synchronised() -> bool | None:
    """Whether the clock is synchronised with a time server; None where that cannot be told, as in a container."""
    if _SYNCHRONISED.exists():
        return True
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None:
        return None
    state = int(adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    if 0 <= state < _TIME_ERROR:
        return True
    # Without systemd, in a container, the host may synchronise the clock and this kernel not know it.
    return False if state == _TIME_ERROR and _SYSTEMD.exists() else None


@dataclass(frozen=True, slots=True)
class Doubt:
    """The clock as it was before it was set."""

    boot: str
    """Of which boot of the machine."""
    offset: float
    """What it was ahead of the time since boot, seconds."""


class Clock:
    """The clock of this machine, for any thread."""

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.time,
        since_boot: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        synchronised: Callable[[], bool | None] = is_synchronised,
        boot: str | None = None,
    ) -> None:
        """Take the machine's own.

        Args:
            now: seconds since the epoch.
            since_boot: seconds that never jump.
            synchronised: as `is_synchronised`.
            boot: the id of this boot; None: the kernel's.
        """
        self.now = now
        self._since_boot = since_boot
        self._synchronised = synchronised
        self._boot = _boot_id() if boot is None else boot

    @property
    def is_set(self) -> bool:
        """Whether the clock may be trusted: where nobody can tell, it may."""
        return self.now() >= EARLIEST and self._synchronised() is not False

    def doubt(self) -> Doubt | None:
        """What dates of this moment need to be put right later; None: the clock is set."""
        return None if self.is_set else Doubt(self._boot, self._offset)

    def correction(self, doubt: Doubt) -> float | None:
        """Seconds to add to dates of that doubt; None: not known, or not yet."""
        if doubt.boot != self._boot or not self.is_set:
            return None
        return self._offset - doubt.offset

    @property
    def _offset(self) -> float:
        return self.now() - self._since_boot()


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return f"{time.time() - time.monotonic():.0f}"  # of no other process
