"""packaging/completion.py: what a real bash offers after `oido` and Tab."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from device.cli import COMMANDS

ROOT = Path(__file__).parents[1]
BASH = shutil.which("bash")

pytestmark = pytest.mark.skipif(BASH is None, reason="there is no bash here")


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The completion, as it is installed."""
    path = tmp_path_factory.mktemp("completions") / "oido"
    done = subprocess.run(
        [sys.executable, ROOT / "packaging" / "completion.py"], capture_output=True, check=True, timeout=60
    )
    path.write_bytes(done.stdout)
    return path


class Shell:
    """Bash in a folder of files, with a home of its own."""

    def __init__(self, script: Path, folder: Path) -> None:
        self.script = script
        self.folder = folder
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PS1": "", "TERM": "dumb"}

    def offers(self, *words: str) -> list[str]:
        """What is offered for the last of these words, which come after `oido`; `=` is a word, as for bash."""
        program = (
            'set -eu; source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _oido; '
            'if ((${#COMPREPLY[@]})); then printf "%s\\n" "${COMPREPLY[@]}"; fi'
        )
        done = subprocess.run(
            ["bash", "--norc", "-c", program, "bash", self.script, "oido", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return sorted(done.stdout.splitlines())

    def typed(self, keys: str, *, until: str) -> str:
        """What stands on the screen after keys in a terminal, up to something that should come of them."""
        process, terminal = pty.fork()
        if process == 0:  # pragma: no cover - the other process
            os.chdir(self.folder)
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], self.environment)  # noqa: S606 - it is a shell
        try:
            os.write(terminal, f"source {self.script}; echo ready''now\n".encode())
            _read_until(terminal, b"readynow")
            os.write(terminal, keys.encode())
            return _read_until(terminal, until.encode()).decode()
        finally:
            os.close(terminal)
            os.waitpid(process, 0)


def _read_until(terminal: int, mark: bytes) -> bytes:
    """Everything up to a mark; a test that waits longer than 20 s has failed."""
    seen, deadline = b"", time.monotonic() + 20
    while mark not in seen and select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
        seen += os.read(terminal, 4096)
    return seen


@pytest.fixture
def shell(script: Path, tmp_path: Path) -> Shell:
    """Bash beside three recordings, a configuration, a report, and a folder."""
    for name in ("concert.flac", "CONCERT.WAV", "my talk.ogg", "oido.toml", "report.json", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "archive").mkdir()
    return Shell(script, tmp_path)


def test_the_first_word_is_a_command(shell: Shell) -> None:
    """Every one that there is, and those that begin so."""
    assert shell.offers("") == sorted(command.name for command in COMMANDS)
    assert shell.offers("c") == ["check", "classify"]


def test_before_a_command_there_is_only_help(shell: Shell) -> None:
    """`oido` has no options of its own."""
    assert shell.offers("-") == ["--help", "-h"]


def test_options_are_those_of_the_command(shell: Shell) -> None:
    """As the parser has them."""
    assert shell.offers("classify", "--s") == ["--summary"]
    assert shell.offers("history", "--s") == ["--since", "--source", "--state-dir"]
    assert shell.offers("devices", "--s") == []


@pytest.mark.parametrize("words", [("--mode", ""), ("--mode", "="), ("--mode", "=", "")])
def test_choices_follow_their_option(shell: Shell, words: tuple[str, ...]) -> None:
    """After a space as after `=`."""
    assert shell.offers("run", *words) == ["balanced", "precision", "recall"]


def test_a_choice_that_is_begun_is_ended(shell: Shell) -> None:
    """Only what begins so."""
    assert shell.offers("watch", "--pace", "l") == ["live"]
    assert shell.offers("watch", "--mode", "=", "re") == ["recall"]


def test_recordings_are_files_of_sound(shell: Shell) -> None:
    """In capitals as well, and folders, in which there may be more; also after options."""
    sound = ["CONCERT.WAV", "archive", "concert.flac", "my talk.ogg"]
    assert shell.offers("classify", "") == sound
    assert shell.offers("classify", "--summary", "--jobs", "2", "concert.flac", "") == sound
    assert shell.offers("run", "--input", "") == sound


def test_where_no_file_has_such_an_ending_all_are_offered(shell: Shell) -> None:
    """The name of a recording may be anything."""
    assert shell.offers("classify", "n") == ["notes.txt"]


def test_configurations_and_reports_have_endings_too(shell: Shell) -> None:
    """TOML, and what `--json` was written to."""
    assert shell.offers("check", "-c", "") == ["archive", "oido.toml"]
    assert shell.offers("benchmark", "--compare", "") == ["archive", "report.json"]


def test_a_folder_is_asked_for(shell: Shell) -> None:
    """Of state."""
    assert shell.offers("history", "--state-dir", "") == ["archive"]


def test_models_are_looked_up_when_the_key_is_pressed(shell: Shell) -> None:
    """Those that come with oido, and the user's own."""
    bundled = sorted(path.stem for path in (ROOT / "models").glob("*.json"))
    assert shell.offers("run", "--model", "") == bundled
    folder = shell.folder / ".local" / "share" / "oido" / "models"
    folder.mkdir(parents=True)
    (folder / "mine.json").touch()
    assert shell.offers("run", "--model", "m") == ["mine"]
    assert shell.offers("run", "--model", "") == sorted([*bundled, "mine"])


def test_several_models_may_follow_one_option(shell: Shell) -> None:
    """Until another option."""
    assert shell.offers("benchmark", "--model", "attention", "log") == ["logistic"]
    assert shell.offers("benchmark", "--model", "attention", "--json", "log") == []
    assert shell.offers("run", "--model", "attention", "log") == []


def test_what_can_be_anything_is_not_guessed(shell: Shell) -> None:
    """A number, a date."""
    assert shell.offers("classify", "--jobs", "") == []
    assert shell.offers("history", "--since", "") == []


def test_after_two_dashes_everything_is_a_file(shell: Shell) -> None:
    """Also what begins with a dash."""
    (shell.folder / "-odd.wav").touch()
    assert shell.offers("classify", "--", "-") == ["-odd.wav"]


def test_an_interactive_shell_quotes_what_it_completes(shell: Shell) -> None:
    """With a real Tab: the command's end, then a file with a space in its name; Ctrl-A puts a printf before it."""
    assert "<oido><classify><my talk.ogg>" in shell.typed(
        "oido cla\tmy\t\x01printf '<%s>' \n", until="<my talk.ogg>"
    )


def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    """Where it is installed."""
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(
        ["shellcheck", "--shell=bash", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")
