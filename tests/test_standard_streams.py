"""Standard output and error that cannot be written: one sentence, exit code 1, no traceback, in every command."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from device.storage.history import FILE, History

ROOT = Path(__file__).parents[1]
MUSIC = str(ROOT / "device" / "audio" / "music.ogg")

SENTENCE = "error: standard output cannot be written: "
CANNOT = {
    ">/dev/full": f"{SENTENCE}No space left on device\n",
    ">&-": f"{SENTENCE}Bad file descriptor\n",
}

COMMANDS: dict[str, Sequence[str]] = {
    "help": ("device", "--help"),
    "help of a command": ("device", "classify", "--help"),
    "version": ("device", "version"),
    "devices": ("device", "devices"),
    "check": ("device", "check"),
    "classify": ("device", "classify", MUSIC),
    "classify with jobs": ("device", "classify", "--jobs", "2", MUSIC, MUSIC),
    "history": ("device", "history", "--state-dir", "."),
    "demo": ("device", "demo"),
    "run": ("device", "run", "--input", MUSIC),
    "watch": ("device", "watch", "--input", MUSIC),
    "help of the workstation": ("export", "--help"),
    "corpus": ("export", "corpus", "info", "--packages"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with an empty history, where every command runs."""
    path = tmp_path_factory.mktemp("state")
    History(path / FILE, retention_days=400).close()
    return path


def done(
    words: Sequence[str], redirection: str, folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """A command whose output a shell has redirected."""
    script = f'exec "$@" {redirection}'
    command = ["sh", "-c", script, "sh", sys.executable, "-m", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder), **environment}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("redirection", CANNOT)
@pytest.mark.parametrize("name", COMMANDS)
def test_output_that_cannot_be_written_is_one_sentence(name: str, redirection: str, folder: Path) -> None:
    """The last line of standard error; before it, only what the log has to say."""
    words = COMMANDS[name]
    outcome = done(words, redirection, folder)
    assert outcome.stderr.endswith(CANNOT[redirection])
    assert (outcome.returncode, outcome.stderr.count("error: ")) == (1, 1)
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("buffering", ["", "1"])
def test_a_full_disk_is_noticed_with_and_without_a_buffer(buffering: str, folder: Path) -> None:
    """What could not be written is lost in one case, and waits in the other."""
    outcome = done(COMMANDS["help"], ">/dev/full", folder, PYTHONUNBUFFERED=buffering)
    assert (outcome.returncode, outcome.stderr) == (1, f"oido: {CANNOT['>/dev/full']}")


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
@pytest.mark.parametrize("name", ["version", "classify", "run", "help"])
def test_without_standard_error_the_work_is_done(name: str, redirection: str, folder: Path) -> None:
    """Nothing had to be said there, so nothing is missing."""
    outcome = done(COMMANDS[name], redirection, folder)
    assert (outcome.returncode, bool(outcome.stdout)) == (0, True)


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_what_could_not_be_said_is_exit_code_1(redirection: str, folder: Path) -> None:
    """The recordings after the bad one are heard all the same."""
    outcome = done(("device", "classify", "absent.wav", MUSIC), redirection, folder)
    assert (outcome.returncode, "music.ogg" in outcome.stdout) == (1, True)


def test_a_reader_who_has_had_enough_is_no_failure(folder: Path) -> None:
    """As `head` has."""
    outcome = done(COMMANDS["watch"], "| head -n 1", folder)
    assert (outcome.stderr, outcome.stdout.count("\n")) == ("", 1)


def test_a_closed_stream_is_no_file_of_ours(folder: Path) -> None:
    """The first file that is opened would otherwise take its number, and be written over."""
    outcome = done(COMMANDS["classify"], "<&- >&- 2>&-", folder)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (1, "", "")
