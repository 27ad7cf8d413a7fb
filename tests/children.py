"""Child processes that end with whoever started them, however that ends."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from waiting import DEADLINE_S


@contextmanager
def child(command: Sequence[str], **options: Any) -> "Iterator[subprocess.Popen[bytes]]":
    """A running process; `options` are those of Popen."""
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM, and SIGKILL if it does not end within the deadline."""
    process.terminate()
    try:
        process.wait(DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def must_run(process: "subprocess.Popen[bytes]", *, seconds: float) -> None:
    """Let it run for so long.

    Raises:
        SystemExit: it ended before.
    """
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return
    raise SystemExit(f"{process.args!r} ended with exit code {code}")
