"""packaging/completion.py: what a real bash offers after `oido` and Tab."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from device.cli import COMMANDS

ROOT = Path(__file__).parents[1]
BUNDLED = sorted(path.stem for path in (ROOT / "models").glob("*.json"))
PROGRAM = """
set -eu; source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shtab_oido
if ((${#COMPREPLY[@]})); then printf '%s\\n' "${COMPREPLY[@]}"; fi
"""

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")

Offers = Callable[..., list[str]]


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The completion, as it is installed."""
    path = tmp_path_factory.mktemp("completions") / "oido"
    command = [sys.executable, str(ROOT / "packaging" / "completion.py")]
    path.write_bytes(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    return path


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home with two files, a folder and a model."""
    for name in ("concert.flac", "my talk.ogg", "archive/a.wav", ".local/share/oido/models/mine.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PS1": "", "TERM": "dumb"}


@pytest.fixture
def offers(script: Path, environment: dict[str, str]) -> Offers:
    """What bash offers for the last of the words after `oido`."""

    def complete(*words: str) -> list[str]:
        done = subprocess.run(
            ["bash", "--norc", "-c", PROGRAM, "bash", script, "oido", *words],
            cwd=environment["HOME"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return sorted(done.stdout.splitlines())

    return complete


def test_the_first_word_is_a_command(offers: Offers) -> None:
    """All commands, or those that begin with what was typed."""
    assert offers("") == sorted(command.name for command in COMMANDS)
    assert offers("c") == ["check", "classify"]


def test_options_are_those_of_the_command(offers: Offers) -> None:
    """As the parser has them."""
    assert offers("classify", "--s") == ["--summary"]
    assert offers("history", "--s") == ["--since", "--source", "--state-dir"]
    assert offers("devices", "--s") == []


def test_choices_follow_their_option(offers: Offers) -> None:
    """All of them, or those that begin with what was typed."""
    assert offers("run", "--mode", "") == ["balanced", "precision", "recall"]
    assert offers("watch", "--pace", "l") == ["live"]


@pytest.mark.parametrize(
    "words", [("classify",), ("classify", "--jobs", "2", "a.wav"), ("run", "--input"), ("check", "-c")]
)
def test_files_and_folders_are_offered_for_a_file(offers: Offers, words: tuple[str, ...]) -> None:
    """For an argument as for an option."""
    assert offers(*words, "") == [".local", "archive", "concert.flac", "my talk.ogg"]


def test_folders_are_offered_for_a_folder(offers: Offers) -> None:
    """And no files."""
    assert offers("history", "--state-dir", "a") == ["archive"]


def test_models_are_the_bundled_ones_and_the_users(offers: Offers) -> None:
    """One or several, as the option takes."""
    assert offers("run", "--model", "") == sorted([*BUNDLED, "mine"])
    assert offers("benchmark", "--model", "mine", "log") == ["logistic"]
    assert offers("benchmark", "--model", "mine", "--json", "log") == []


def test_nothing_is_offered_for_a_number_or_a_date(offers: Offers) -> None:
    """There is nothing to choose from."""
    assert offers("classify", "--jobs", "") == []
    assert offers("history", "--since", "") == []


def test_an_interactive_shell_completes_and_quotes(script: Path, environment: dict[str, str]) -> None:
    """Two Tabs in a terminal: a command, then a file with a space; Ctrl-A puts a printf before the line."""
    process, terminal = pty.fork()
    if process == 0:  # pragma: no cover - the other process
        os.chdir(environment["HOME"])
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environment)  # noqa: S606 - it is a shell
    try:
        os.write(terminal, f"source {script}; echo ready''now\n".encode())
        read_until(terminal, b"readynow")
        os.write(terminal, b"oido cla\tmy\t\x01printf '<%s>' \n")
        assert b"<oido><classify><my talk.ogg>" in read_until(terminal, b"<my talk.ogg>")
    finally:
        os.close(terminal)
        os.waitpid(process, 0)


def read_until(terminal: int, mark: bytes) -> bytes:
    """Everything up to a mark, or what came in 60 s."""
    seen, deadline = b"", time.monotonic() + 60
    while mark not in seen and select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
        seen += os.read(terminal, 4096)
    return seen
