"""What `oido check` asks of the machine itself: is its clock right, and is there room on its disk?"""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from device.configuration.settings import Config
from device.storage.history import FILE as HISTORY_FILE
from device.storage.state import OUTBOX_FILE, SERVICE_DIRECTORY, directory_to_look_at

EARLIEST_YEAR, LATEST_YEAR = 2025, 2100
"""A Raspberry Pi has no clock of its own: without a network it starts where it stopped, or in 1970."""

ENOUGH_BYTES = 100 * 2**20
"""Free disk space. Ten thousand waiting events take about 5 MB; the rest is for whatever else writes there."""

_UNWRITABLE = (
    "{} cannot be written: {}; events that wait for the broker would be lost: "
    "set [node] state_dir to a directory that this user may write"
)


def judge_clock(now: float, *, synchronised: bool | None) -> tuple[bool, str]:
    """Whether the clock can be trusted, and a sentence about it.

    Args:
        now: seconds since the epoch.
        synchronised: whether it is synchronised with a time server; None: unknown.
    """
    date = datetime.fromtimestamp(now, UTC)
    shown = f"{date:%Y-%m-%d %H:%M:%S} UTC"
    if not EARLIEST_YEAR <= date.year <= LATEST_YEAR:
        return (
            False,
            f"{shown} cannot be right: events are dated by it; set the clock, or sudo timedatectl set-ntp true",
        )
    if synchronised is False:
        return False, f"{shown}, which no time server keeps: events are dated by it; sudo timedatectl set-ntp true"
    return True, shown if synchronised else f"{shown} (whether a time server keeps it cannot be told here)"


def judge_disk(directory: Path, free_bytes: int) -> tuple[bool, str]:
    """Whether there is room for what must not be lost, and a sentence about it.

    Args:
        directory: where the outbox and the history are.
        free_bytes: in its file system.
    """
    free = f"{directory}: {free_bytes / 2**20:,.0f} MB free"
    if free_bytes < ENOUGH_BYTES:
        return False, f"{free}; events that wait for the broker may be lost: make room, or set [node] state_dir"
    return True, free


def disk(config: Config, environment: Mapping[str, str] = os.environ) -> tuple[bool, str]:
    """Judge the state directory, or the one in which it would be created."""
    wanted = directory_to_look_at(config, environment)
    # The root always exists, so this ends. A directory that this user cannot see lies in the same file system.
    there = next(each for each in (wanted, *wanted.absolute().parents) if os.path.exists(each))  # noqa: PTH110
    try:
        ok, text = judge_disk(wanted, shutil.disk_usage(there).free)
        if ok:
            _try_to_write(there, (OUTBOX_FILE, HISTORY_FILE))
    except PermissionError as error:
        if there == SERVICE_DIRECTORY and config.node.state_dir is None:
            return ok, f"{text} (only the service may write there: sudo oido check tries it)"
        return False, _UNWRITABLE.format(error.filename or there, error.strerror)
    except OSError as error:
        return False, _UNWRITABLE.format(error.filename or there, error.strerror)
    else:
        return ok, text


def _try_to_write(directory: Path, files: Iterable[str]) -> None:
    """Write a file without a name into the directory, which is gone at once.

    Raises:
        OSError: that cannot be done, or one of the files that are there cannot be written.
    """
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        file.write(bytes(4096))
        os.fsync(file.fileno())
    for name in files:
        path = directory / name
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
