"""The progress bar and the terminal's width."""

import os
import pty
import re
import struct
import termios
import time
from collections.abc import Iterator
from fcntl import ioctl
from typing import TextIO

import pytest

from device.commands.progress_bar import Progress, line
from device.commands.terminal import columns, last_of, width_of

NAMES = [
    "a.wav",
    "/srv/archive/1987/a long name of a recording that goes on and on.flac",
    "/音楽/夜の歌と朝の歌.wav",
]


class Terminal:
    """A real one, without anybody in front of it."""

    def __init__(self, width: int) -> None:
        self._master, self._slave = pty.openpty()
        ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        self.stream: TextIO = os.fdopen(self._slave, "w", encoding="utf-8", closefd=False)

    def shown(self, end: str) -> str:
        """What was written, up to some end."""
        text = b""
        while not text.endswith(end.encode()):
            text += os.read(self._master, 65_536)
        return text.decode()

    def close(self) -> None:
        """Both ends."""
        self.stream.close()
        os.close(self._master)
        os.close(self._slave)


@pytest.fixture(params=[20, 40, 80])
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """Of different widths."""
    made = Terminal(request.param)
    yield made
    made.close()


@pytest.mark.parametrize("width", range(12, 200, 7))
@pytest.mark.parametrize("name", NAMES)
def test_a_line_is_shorter_than_the_terminal(name: str, width: int) -> None:
    """One that is as long would already begin another."""
    for whole in ("", "file 1234 of 10000"):
        text = line(name, 0.42, whole, width)
        assert columns(text) < width
        assert " 42%" in text


def test_with_room_everything_is_shown() -> None:
    """Name, bar, percentage, and which file it is."""
    assert line("a.wav", 0.5, "file 2 of 4", 80) == f"a.wav [{'#' * 15}{' ' * 15}]  50% file 2 of 4"


def test_the_bar_rewrites_one_line(terminal: Terminal) -> None:
    """And leaves nothing."""
    width = width_of(terminal.stream)
    assert width in (20, 40, 80)
    with Progress(terminal.stream) as progress:
        for name in NAMES:
            time.sleep(0.21)
            progress.draw(name, 0.5, "file 2 of 10")
    *lines, last = terminal.shown("\r\x1b[K").split("\r")
    assert last == "\x1b[K"
    assert [columns(re.sub(r"\x1b\[K", "", each)) < width for each in lines] == [True] * 4


def test_without_a_terminal_nothing_is_drawn() -> None:
    """Neither in a file nor in a pipe."""
    read, write = os.pipe()
    with os.fdopen(write, "w") as stream, Progress(stream) as progress:
        time.sleep(0.21)
        progress.draw("a.wav", 0.5)
    assert os.read(read, 100) == b""
    os.close(read)


def test_a_name_cannot_break_the_line() -> None:
    """It may hold any character."""
    assert last_of("a\nb\x1b[2Jc\udce9", 20) == "a?b?[2Jc?"
