"""Prints the manual page oido(1), made of the real parser and the real settings.

    python packaging/manual.py > oido.1
    man -l oido.1

Its date is SOURCE_DATE_EPOCH's (reproducible-builds.org), or today's.
"""

# ruff: noqa: INP001 - a script, in a folder of scripts

import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from grammar import Argument, Grammar, read

import device
from device.cli import DESCRIPTION, parser
from device.configuration.settings import DEFAULT_PATH, Config
from device.errors import ConfigurationError, OidoError, UsageError

_COLUMNS = 68

ABOUT = """\
oido listens to microphones, streams or recordings and decides, second by second, whether there is music. It \
says so over MQTT, or on standard output where no broker is configured. No audio leaves the device, and none \
is written to disk. What it hears has two states, music and no music, and a third, not hearing at all: a \
microphone that is gone or dead flat is never taken for silence."""

MORE: dict[str, str] = {
    "run": "Without a configuration it listens to the default microphone and prints JSON lines. SIGTERM and "
    "SIGINT end it in order; SIGHUP lets it read its configuration again, unless a terminal started it.",
    "classify": "One JSON line for each stretch of music or no music; files that cannot be read are named on "
    "standard error, and the others are done all the same.",
    "check": "Each line begins with ok or FAIL; one that fails says what to do.",
    "devices": "Any part of a name that is printed serves as device in a [[source]] of the configuration.",
    "history": "Needs enabled = true in the [history] of the daemon's configuration.",
    "demo": "Needs the package amqtt: pip install 'oido[demo]'.",
}
"""What a command's own help has no room for."""

FILES: dict[str, str] = {
    str(DEFAULT_PATH): "The configuration, in TOML; all of it is optional. -c names another.",
    "/var/lib/oido": "Events that wait for the broker, and the history, of the system's service.",
    "~/.local/state/oido": "The same, of a user's own process.",
    "~/.local/share/oido/models": "Models of your own, NAME.onnx or NAME.tflite with NAME.json beside it. They "
    "come before those that oido brought with it; `oido version` lists all.",
}

ENVIRONMENT: dict[str, str] = {
    "XDG_DATA_HOME": "Where oido/models is looked for instead of in ~/.local/share.",
    "XDG_STATE_HOME": "Where the folder oido of waiting events and history is, instead of in ~/.local/state.",
    "STATE_DIRECTORY, RUNTIME_DIRECTORY, CREDENTIALS_DIRECTORY": "As systemd sets them, and NOTIFY_SOCKET.",
}

EXIT_STATUS: dict[int, str] = {
    0: "Done.",
    OidoError.exit_code: "The work failed, or part of it; standard error says why.",
    UsageError.exit_code: "Wrong use or configuration: nothing was done.",
    130: "Ctrl-C.",
}
assert UsageError.exit_code == ConfigurationError.exit_code  # noqa: S101 - one line speaks of both

EXAMPLES: dict[str, str] = {
    "oido check -c /etc/oido/config.toml": "Is everything as it should be?",
    "oido run -c /etc/oido/config.toml": "Listen and publish.",
    "oido classify --summary --csv --jobs 4 a.flac b.mp3": "How much of each recording is music, as a table.",
    "oido run --input concert.flac --pace live": "Let the daemon hear a recording instead, as fast as it sounds.",
    "sudo oido history --since 2026-05-01 --daily": "Minutes of music a day, of the service.",
    "oido benchmark --json": "How fast is this device?",
}


def manual(program: Grammar, commands: Iterable[Grammar], *, version: str, date: str) -> str:
    """The page, in roff.

    Args:
        program: its own options.
        commands: each with its options and words.
        version: of oido.
        date: of the page, ISO 8601.
    """
    commands = tuple(commands)
    return "\n".join(_page(program, commands, version, date)) + "\n"


def _page(program: Grammar, commands: tuple[Grammar, ...], version: str, date: str) -> Iterator[str]:
    yield '.\\" Made by packaging/manual.py: change that, not this.'
    yield f'.TH OIDO 1 "{date}" "oido {version}" "User Commands"'
    yield from (".SH NAME", f"oido \\- {_text(DESCRIPTION[0].lower() + DESCRIPTION[1:].rstrip('.'))}")
    yield ".SH SYNOPSIS"
    for command in commands:
        words = command.usage.removeprefix(f"oido {command.name}").strip()
        yield from (f'.SY "oido {command.name}"', _usage(words), ".YS")
    yield ".SH DESCRIPTION"
    yield _text(ABOUT)
    yield ".SH OPTIONS"
    yield from _entries(program.options)
    yield from (".PP", "So does each command's.")
    yield ".SH COMMANDS"
    for command in commands:
        yield from _command(command)
    yield ".SH FILES"
    yield from _pairs(FILES)
    yield ".SH ENVIRONMENT"
    variables = ", ".join(settings(Config()))
    words = f"Each wins over the key of the configuration that it is named after: {variables}."
    yield from _pairs({"OIDO_SECTION_KEY": words, **ENVIRONMENT})
    yield ".SH EXIT STATUS"
    yield from _pairs({str(code): words for code, words in EXIT_STATUS.items()})
    yield ".SH EXAMPLES"
    for line, words in EXAMPLES.items():
        yield from (".TP", f"\\fB{_escaped(line)}\\fP", _text(words))
    yield ".SH SEE ALSO"
    yield from (".BR mosquitto (8),", ".BR systemctl (1),", ".BR arecord (1),", ".BR ffmpeg (1)")


def _command(command: Grammar) -> Iterator[str]:
    yield f'.SS "oido {command.name}"'
    yield _sentence(command.help)
    if command.name in MORE:
        yield _text(MORE[command.name])
    yield from _entries(command.words)
    yield from _entries(option for option in command.options if option.name != "help")


def _entries(arguments: Iterable[Argument]) -> Iterator[str]:
    for argument in arguments:
        value = f"\\fI{_escaped(argument.value)}\\fP" if argument.value else ""
        dots = " ..." if argument.many else ""
        names = ", ".join(f"\\fB{_escaped(flag)}\\fP" for flag in argument.flags)
        yield from (".TP", f"{names} {value}{dots}".strip(), _sentence(argument.help))


def _pairs(pairs: Mapping[str, str]) -> Iterator[str]:
    for name, words in pairs.items():
        yield from (".TP", f"\\fB{_escaped(name)}\\fP", _text(words))


def settings(config: Config) -> Iterator[str]:
    """The variable of each setting that one can have; `device.configuration.settings` says which."""
    for section in fields(config):
        value = getattr(config, section.name)
        if is_dataclass(value):
            for entry in fields(value):
                yield f"OIDO_{section.name}_{entry.name}".upper()


def _sentence(text: str) -> str:
    """A help text, which begins small and ends without a point, as a sentence."""
    return _text(text[:1].upper() + text[1:] + ("" if text.endswith(".") else "."))


def _usage(words: str) -> str:
    """What follows a command, broken only between its parts."""
    parts = re.findall(r"\[.*?\]\]|\[.*?\]|\S+", words)
    return "\n".join(_escaped(part).replace(" ", "\\ ") for part in parts)


def _text(text: str) -> str:
    """Words as roff takes them: its own signs escaped, a sentence on a line of its own, no line too long."""
    sentences = re.split(r"(?<=[a-z)][.?]) +(?=[A-Z])", text)
    lines = [line for each in sentences for line in textwrap.wrap(each, _COLUMNS, break_on_hyphens=False)]
    return "\n".join(map(_escaped, lines))


def _escaped(line: str) -> str:
    escaped = line.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    # The name of a variable is not to be hyphenated.
    escaped = re.sub(r"\b(?=OIDO_)", r"\\%", escaped)
    return "\\&" + escaped if escaped.startswith(".") else escaped


def date_of(environment: Mapping[str, str]) -> str:
    """SOURCE_DATE_EPOCH's day, or today."""
    given = environment.get("SOURCE_DATE_EPOCH")
    moment = datetime.now(UTC) if given is None else datetime.fromtimestamp(int(given), UTC)
    return moment.date().isoformat()


if __name__ == "__main__":
    sys.stdout.write(manual(*read(parser()), version=device.__version__, date=date_of(os.environ)))
