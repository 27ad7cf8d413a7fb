"""What `oido check` asks of the machine itself: is its clock right, and is there room on its disk?"""

import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from device.configuration.settings import Config
from device.storage.state import directory_to_look_at

EARLIEST_YEAR, LATEST_YEAR = 2025, 2100
"""A Raspberry Pi has no clock of its own: without a network it starts where it stopped, or in 1970."""

ENOUGH_BYTES = 100 * 2**20
"""Free disk space. Ten thousand waiting events take about 5 MB; the rest is for whatever else writes there."""


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
        return judge_disk(wanted, shutil.disk_usage(there).free)
    except OSError as error:
        return False, f"{wanted} cannot be read: {error.strerror}; set [node] state_dir"
