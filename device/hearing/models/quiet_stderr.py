"""Keeps a runtime's chatter off standard error.

TFLite says "INFO: Created TensorFlow Lite XNNPACK delegate for CPU." whenever it opens a model, from C++, where
neither Python nor the environment can stop it (github.com/google-ai-edge/mediapipe/issues/2119). In a pipe, a cron
mail or a journal that is a line too many.
"""

import contextlib
import os
import threading
from collections.abc import Iterator

_CHATTER = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."

_LOCK = threading.Lock()
"""There is one standard error in a process; two models may be opened at once."""


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold standard error back meanwhile, and write all but the chatter afterwards, so that nothing is lost.

    Where there is no standard error, or nothing to hold it in, this does nothing.
    """
    with _LOCK, contextlib.ExitStack() as stack:
        if hasattr(os, "memfd_create"):  # Linux
            with contextlib.suppress(OSError):  # standard error is closed, or no descriptor is left
                _hold_back(stack)
        yield


def _hold_back(stack: contextlib.ExitStack) -> None:
    """Point standard error to memory until the stack is left."""
    held = os.memfd_create("held back")
    stack.callback(os.close, held)
    real = os.dup(2)
    stack.callback(os.close, real)
    os.dup2(held, 2)

    def write_held() -> None:
        os.dup2(real, 2)
        os.lseek(held, 0, os.SEEK_SET)
        lines = os.read(held, os.fstat(held).st_size).splitlines(keepends=True)
        kept = b"".join(line for line in lines if not line.startswith(_CHATTER))
        with contextlib.suppress(OSError):  # whoever read it has gone
            while kept:
                kept = kept[os.write(2, kept) :]

    stack.callback(write_held)
