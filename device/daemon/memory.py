"""Tells glibc and the kernel how to handle memory: buffers stay, start-up memory is released."""

import contextlib
import ctypes
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""From glibc's malloc.h; see mallopt(3)."""

_KEPT_BYTES = 8 * 2**20

_MADV_DONTNEED = 4
"""From Linux's mman-common.h; see madvise(2)."""


def keep_buffers() -> None:
    """Let freed memory stay with the process, up to 8 MiB.

    With numpy, spectra of a patch are some hundred kilobytes, above the size that malloc maps and unmaps each
    time. Doing so cost 250 page faults a patch and a third of the processor time of `oido classify`. The threads
    share one heap: each would begin one of its own, half a megabyte, to save waits that the interpreter's lock
    saves already. Does nothing where there is no mallopt (musl, macOS).
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_ARENA_MAX, 1)


def release_startup_memory(smaps: Path = Path("/proc/self/smaps")) -> None:
    """Release the free pages of the heap, and all code; code that runs again comes back from the page cache.

    Most of the code that runs at the start (imports, the runtime's check and plan of a network) never runs again.
    It would stay resident until the kernel is short of memory: 14 MB of 57, and more where PortAudio has opened
    all its plugins. Does nothing where there is no such file or call (macOS).
    """
    with contextlib.suppress(OSError, AttributeError):
        kernel = ctypes.CDLL(None)
        for begin, end in clean_code(smaps.read_text(encoding="utf-8", errors="replace")):
            kernel.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), _MADV_DONTNEED)
        kernel.malloc_trim(0)


class Settling:
    """Releases start-up memory once, some time after the program started or something was changed.

    Args:
        after_s: how long to wait; by then every kind of model has answered for the first time.
        clock: seconds that never go back.
        let_go: called then.
    """

    def __init__(
        self,
        *,
        after_s: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
        let_go: Callable[[], None] = release_startup_memory,
    ) -> None:
        self._after_s = after_s
        self._clock = clock
        self._let_go = let_go
        self.begin()

    def begin(self) -> None:
        """Something starts: wait from now on."""
        self._due = self._clock() + self._after_s

    def look(self) -> None:
        """Release the memory, if it is time."""
        if self._clock() >= self._due:
            self._due = math.inf
            self._let_go()


def clean_code(smaps: str) -> Iterator[tuple[int, int]]:
    """Begin and end of the mappings that are executable and unchanged since they were read from their file.

    Pages that were written to (by the loader, where code is not position-independent) exist nowhere else.

    Args:
        smaps: of a process, see proc(5).
    """
    code: tuple[int, int] | None = None
    for line in smaps.splitlines():
        words = line.split()
        if not words[0].endswith(":"):  # a mapping: addresses, rights, offset, device, inode, file
            begin, _, end = words[0].partition("-")
            code = (int(begin, 16), int(end, 16)) if words[1] == "r-xp" and words[4] != "0" else None
        elif code and words[:2] == ["Anonymous:", "0"]:
            yield code
