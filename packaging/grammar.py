"""The command line of `oido` as plain data, read from the parser that reads it: what can be typed, and where."""

# ruff: noqa: INP001 - beside the scripts that use it

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["", "choice", "model", "directory", "file"]
"""What a value is: "" cannot be completed."""

ENDINGS: dict[str, tuple[str, ...]] = {
    "files": ("wav", "flac", "ogg", "oga", "opus", "mp3", "aif", "aiff", "au", "caf", "w64"),
    "config": ("toml",),
    "compare": ("json",),
    "yamnet": ("tflite",),
    "plot": ("png", "svg", "pdf"),
}
ENDINGS["input"] = ENDINGS["files"]
"""Of the files that an argument is about, by its name in the parser; others take any file."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An option, or a word that stands by itself."""

    name: str
    """In the parser."""
    flags: tuple[str, ...]
    """`-c`, `--config`; none for a word that stands by itself."""
    value: str
    """What its value is called, for example FILE; "" for a flag."""
    many: bool
    """Whether several values may follow."""
    choices: tuple[str, ...]
    help: str

    @property
    def kind(self) -> Kind:
        """What its value is."""
        if self.choices:
            return "choice"
        if not self.value:
            return ""
        if self.name == "model":
            return "model"
        if self.value == "DIR":
            return "directory"
        return "file" if self.value == "FILE" or self.name in ENDINGS else ""

    @property
    def endings(self) -> tuple[str, ...]:
        """Of the files that are meant; none: any."""
        return ENDINGS.get(self.name, ())


@dataclass(frozen=True, slots=True)
class Grammar:
    """One command, or the program itself before any command."""

    name: str
    help: str
    arguments: tuple[Argument, ...]
    usage: str
    """As `--help` prints it, on one line, without the word `usage`."""

    @property
    def options(self) -> tuple[Argument, ...]:
        """Those that begin with a dash."""
        return tuple(argument for argument in self.arguments if argument.flags)

    @property
    def words(self) -> tuple[Argument, ...]:
        """Those that stand by themselves."""
        return tuple(argument for argument in self.arguments if not argument.flags)


def read(parser: argparse.ArgumentParser) -> tuple[Grammar, tuple[Grammar, ...]]:
    """The program itself, and its commands in their order.

    Args:
        parser: with all of its commands (`device.cli.parser`).
    """
    return _grammar(parser, parser.prog, parser.description or ""), tuple(_commands(parser))


def _commands(parser: argparse.ArgumentParser) -> Iterator[Grammar]:
    for action in _actions(parser):
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - argparse has no public way to ask
            for name, subparser in action.choices.items():
                yield _grammar(subparser, name, subparser.description or "")


def _grammar(parser: argparse.ArgumentParser, name: str, summary: str) -> Grammar:
    arguments = tuple(
        _argument(action)
        for action in _actions(parser)
        if not isinstance(action, argparse._SubParsersAction)  # noqa: SLF001 - as above
    )
    usage = " ".join(parser.format_usage().split()).removeprefix("usage: ")
    return Grammar(name=name, help=summary, arguments=arguments, usage=usage)


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return parser._actions  # noqa: SLF001 - as above; argcomplete and Sphinx's argparse directives read the same


def _argument(action: argparse.Action) -> Argument:
    choices = tuple(map(str, action.choices or ()))
    takes_none = action.nargs == 0
    # As argparse's own formatter names what has no metavar.
    named = action.metavar or ("{" + ",".join(choices) + "}" if choices else action.dest.upper())
    return Argument(
        name=action.dest,
        flags=tuple(action.option_strings),
        value="" if takes_none else str(named),
        many=action.nargs in ("+", "*"),
        choices=choices,
        help=_help(action),
    )


def _help(action: argparse.Action) -> str:
    """Its help, with what argparse would fill in."""
    text = action.help or ""
    return text % {**vars(action), "default": action.default} if "%" in text else text
