"""device.hearing.models.quiet_stderr: what a runtime chats is dropped, everything else on standard error stays."""

import os
from pathlib import Path

import pytest

from device.hearing.models.quiet_stderr import quiet_stderr

TALK = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"


def test_chatter_is_dropped_and_the_rest_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    """In its order, also a line without an end."""
    with quiet_stderr():
        os.write(2, b"before\n" + TALK)
        os.write(2, b"after")
    assert capfd.readouterr().err == "before\nafter"


def test_what_was_held_is_said_though_the_work_failed(capfd: pytest.CaptureFixture[str]) -> None:
    """The error goes its way, and standard error works again."""

    def fail() -> None:
        with quiet_stderr():
            os.write(2, b"clue\n")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    os.write(2, b"later\n")
    assert capfd.readouterr().err == "clue\nlater\n"


def test_no_descriptor_is_left_open() -> None:
    """However often a model is opened."""
    before = set(Path("/proc/self/fd").iterdir())
    for _ in range(5):
        with quiet_stderr():
            os.write(2, TALK)
    assert set(Path("/proc/self/fd").iterdir()) == before
