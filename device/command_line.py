"""What `oido` and `oido-export` have in common: words to commands, errors to one sentence and an exit code."""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from device.errors import OidoError
from device.masking import masked

EXIT_INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C ended: 128 + SIGINT."""


@dataclass(frozen=True, slots=True)
class Command:
    """One word after the program's name.

    Its module has `add_arguments(parser)` and `run(arguments) -> exit code`.
    """

    name: str
    help: str
    module: str
    """Imported only when the command is asked for: `oido version` does not wait for a runtime."""


class _Masking(logging.Formatter):
    """Shows no secret of a URL: neither in a message nor in the exceptions after it."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        return masked(super().format(record))


def parse(argv: Sequence[str], *, prog: str, description: str, commands: Sequence[Command]) -> argparse.Namespace:
    """Read a command line.

    Args:
        argv: the words after the program's name.
        prog: the program's name.
        description: of the program.
        commands: what it can do.

    Returns:
        What was asked for; `run` is the function to call with it.

    Raises:
        SystemExit: help was asked for (0), or the words make no command (2); argparse has said why.
    """
    asked_for = [word for word in argv if not word.startswith("-")][:1]
    return build_parser(prog=prog, description=description, commands=commands, wanted=asked_for).parse_args(argv)


def build_parser(
    *, prog: str, description: str, commands: Sequence[Command], wanted: Collection[str]
) -> argparse.ArgumentParser:
    """A parser that knows every command, and the options of those that are wanted, whose modules are imported."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    words = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in commands:
        subparser = words.add_parser(command.name, help=command.help, description=command.help)
        if command.name in wanted:
            module = importlib.import_module(command.module)
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    return parser


def execute(argv: Sequence[str] | None, *, prog: str, description: str, commands: Sequence[Command]) -> int:
    """Run a command line to its exit code: 0 done, 1 the work failed, 2 wrong use or configuration.

    Args:
        argv: the words after the program's name; None takes the process's.
        prog: the program's name.
        description: of the program.
        commands: what it can do.
    """
    words = sys.argv[1:] if argv is None else argv
    arguments = parse(words, prog=prog, description=description, commands=commands)
    log = logging.StreamHandler()
    log.setFormatter(_Masking(f"{prog}: %(levelname)s: %(message)s"))
    logging.basicConfig(handlers=[log], level=logging.INFO)
    try:
        return int(arguments.run(arguments))
    except OidoError as error:
        print(masked(f"{prog}: error: {error}"), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever reads our output has closed it (as `head` does). Point standard output elsewhere, or the
        # interpreter's last flush would complain (docs.python.org/3/library/signal.html#note-on-sigpipe).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
