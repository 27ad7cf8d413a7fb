"""device.commands.side_by_side: results in order, and processes that end at once, also by Ctrl-C."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from waiting import eventually

from device.commands.side_by_side import side_by_side
from device.errors import OidoError
from device.sound import SAMPLE_RATE

ROOT = Path(__file__).parents[1]


def square(number: int, *, slow: int = -1) -> int:
    """The square; one of them takes its time."""
    if number == slow:
        time.sleep(0.5)
    return number**2


def die(number: int) -> int:
    """As if the kernel had ended the process for want of memory."""
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_results_come_in_the_order_of_the_things() -> None:
    """Whatever order they are finished in."""
    with side_by_side(range(7), partial(square, slow=0), 3) as results:
        assert list(results) == [0, 1, 4, 9, 16, 25, 36]


def test_no_more_processes_than_things() -> None:
    """Nothing to do is done at once."""
    with side_by_side([], square, 4) as results:
        assert list(results) == []


def test_a_process_that_is_killed_is_an_error_and_no_hang() -> None:
    """It names what it was working on."""
    with side_by_side(range(2), die, 1) as results:
        assert next(results) == 0
        with pytest.raises(OidoError, match="1: a process that --jobs has started is gone"):
            next(results)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two that take a while: two hours of silence each."""
    folder = tmp_path_factory.mktemp("long")
    silence = np.zeros(60 * SAMPLE_RATE, np.int16)
    paths = [folder / "a.wav", folder / "b.wav"]
    for path in paths:
        with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1) as file:
            for _ in range(120):
                file.write(silence)
    return [str(path) for path in paths]


@pytest.fixture
def command(recordings: list[str]) -> Iterator["subprocess.Popen[str]"]:
    """`oido classify --jobs 2` in a process group of its own, as a shell starts it, while both are being heard."""
    words = [sys.executable, "-m", "device", "classify", "--jobs", "2", *recordings]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
        try:
            assert eventually(lambda: len(listeners(process.pid, recordings)) == 2)
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Processes that a process has started; those that have ended and wait to be asked for are none."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [each for child in map(int, children) for each in (child, *descendants(child))]


def listeners(pid: int, recordings: list[str]) -> list[int]:
    """Processes that have one of the recordings open."""

    def has_open(child: int) -> bool:
        try:
            return any(os.path.realpath(f) in recordings for f in Path(f"/proc/{child}/fd").iterdir())
        except OSError:
            return False

    return [child for child in descendants(pid) if has_open(child)]


def gone(pids: list[int]) -> bool:
    """Whether none of the processes runs any more."""

    def runs(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    return not any(map(runs, pids))


@pytest.mark.parametrize("group", [True, False], ids=["terminal", "kill"])
@pytest.mark.parametrize("gap_s", [None, 0.0, 0.05])
def test_ctrl_c_ends_everything_at_once(
    command: "subprocess.Popen[str]",
    gap_s: float | None,
    group: bool,  # noqa: FBT001 - a table
) -> None:
    """Pressed once or twice, sent to all as a terminal does or to the first process alone; without a traceback."""
    started = descendants(command.pid)
    send = os.killpg if group else os.kill
    send(command.pid, signal.SIGINT)
    if gap_s is not None:
        time.sleep(gap_s)
        with contextlib.suppress(ProcessLookupError):  # it may have ended already
            send(command.pid, signal.SIGINT)
    output, complaint = command.communicate(timeout=60)
    assert output == ""
    assert command.returncode == 130 or (gap_s is not None and command.returncode == -signal.SIGINT)
    assert complaint in ("oido: interrupted\n", "")
    assert complaint or command.returncode == -signal.SIGINT
    assert eventually(lambda: gone(started))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_the_one_that_started_them(command: "subprocess.Popen[str]", number: int) -> None:
    """Also where that could not end them."""
    started = descendants(command.pid)
    command.send_signal(number)
    assert command.wait(timeout=60) == -number
    assert eventually(lambda: gone(started))
