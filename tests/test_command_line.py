"""device.command_line and device.commands.options: words to commands, errors to exit codes."""

import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

import pytest

import device
from device.cli import main
from device.command_line import Command, execute
from device.commands.options import add_config, add_input, add_model, configuration
from device.errors import ConfigurationError, OidoError, SourceLost, UsageError

ROOT = Path(__file__).parents[1]

# This module is the commands' module: `execute` imports it by name, as it imports any command's.
COMMANDS = (Command("fail", "fails as told", __name__),)

FAILURES: dict[str, BaseException | None] = {
    "nothing": None,
    "work": OidoError("the work failed"),
    "source": SourceLost("the microphone is gone"),
    "use": UsageError("that cannot be"),
    "configuration": ConfigurationError("a.toml: wrong"),
    "interrupt": KeyboardInterrupt(),
}


def add_arguments(parser: ArgumentParser) -> None:
    """How to fail."""
    parser.add_argument("how")


def run(arguments: Namespace) -> int:
    """Fail."""
    failure = FAILURES[arguments.how]
    if failure is not None:
        raise failure
    return 0


def outcome(*words: str) -> int:
    """The exit code of a command line."""
    return execute(words, prog="oido", description="", commands=COMMANDS)


@pytest.mark.parametrize(
    ("how", "code"),
    [("nothing", 0), ("work", 1), ("source", 1), ("use", 2), ("configuration", 2), ("interrupt", 130)],
)
def test_exit_codes(how: str, code: int) -> None:
    """0 done, 1 the work failed, 2 wrong use or configuration, 130 Ctrl-C."""
    assert outcome("fail", how) == code


def test_an_error_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, with the program's name and without a traceback."""
    outcome("fail", "work")
    assert capsys.readouterr() == ("", "oido: error: the work failed\n")


def test_an_interrupt_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C leaves no traceback, and says that it was heard."""
    outcome("fail", "interrupt")
    output, complaint = capsys.readouterr()
    assert output == ""
    assert complaint.splitlines()[-1].endswith(": interrupted")


@pytest.mark.parametrize(
    "words", [[], ["frobnicate"], ["fail"], ["fail", "work", "--loudly"], ["--loudly", "fail"]]
)
def test_words_that_make_no_command_are_wrong_use(words: Sequence[str]) -> None:
    """Exit code 2, by argparse."""
    with pytest.raises(SystemExit) as caught:
        outcome(*words)
    assert caught.value.code == 2


@pytest.mark.parametrize("words", [["-h"], ["fail", "-h"]])
def test_help_is_exit_code_0(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    """And goes to standard output."""
    with pytest.raises(SystemExit) as caught:
        outcome(*words)
    assert caught.value.code == 0
    assert "usage: oido" in capsys.readouterr().out


def test_a_double_dash_ends_the_options() -> None:
    """What argparse makes of `oido -- fail nothing` differs by version; it is the command or wrong use."""
    try:
        code: object = outcome("--", "fail", "nothing")
    except SystemExit as exit_:
        code = exit_.code
    assert code in {0, 2}


def test_importing_the_package_is_cheap() -> None:
    """Neither numpy nor a runtime comes with `import device` or with reading the command line."""
    program = "import device, device.cli, sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert "device" in loaded
    assert not loaded & {"numpy", "scipy", "onnxruntime", "ai_edge_litert", "soundfile", "sounddevice", "paho"}


def test_version_names_program_runtimes_and_models(capsys: pytest.CaptureFixture[str]) -> None:
    """What a bug report needs."""
    assert main(["version"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"oido {device.__version__}, Python ")
    assert "onnxruntime" in out
    assert "model logistic (statistics, SHA-256 " in out


def parsed(*words: str) -> Namespace:
    """As `run` declares its options."""
    parser = ArgumentParser()
    add_config(parser)
    add_model(parser)
    add_input(parser)
    return parser.parse_args(words)


def test_options_lie_over_the_configuration(tmp_path: Path) -> None:
    """What is not given stays as the file has it."""
    path = tmp_path / "config.toml"
    path.write_text('[model]\nname = "mine"\nmode = "recall"\n')
    config = configuration(parsed("-c", str(path), "--mode", "precision"))
    assert (config.model.name, config.model.mode) == ("mine", "precision")
    assert configuration(parsed("-c", str(path), "--model", "other")).model.name == "other"


def test_a_recording_replaces_the_sources() -> None:
    """`--input` is heard instead of what is configured."""
    (source,) = configuration(parsed("--input", "tape.wav", "--pace", "live")).source
    assert (source.name, source.kind, source.path) == ("recording", "file", "tape.wav")


def test_a_pace_without_a_recording_is_wrong_use() -> None:
    """A microphone cannot be hurried."""
    with pytest.raises(UsageError, match="--pace goes with --input"):
        configuration(parsed("--pace", "live"))
