"""Tells glibc how to keep memory: one heap for all threads, and no buffer back to the kernel after every patch."""

import contextlib
import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""From glibc's malloc.h; see mallopt(3)."""

_KEPT_BYTES = 8 * 2**20


def keep_buffers() -> None:
    """Let freed memory stay with the process, up to 8 MiB.

    Spectra of a patch are some hundred kilobytes, above the size that malloc maps and unmaps each time. Doing so
    cost 250 page faults a patch and a third of the processor time of `oido classify`. The threads share one heap:
    each would begin one of its own, half a megabyte, to save waits that the interpreter's lock saves already. Does
    nothing where there is no mallopt (musl, macOS).
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_ARENA_MAX, 1)
