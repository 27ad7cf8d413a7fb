"""What `oido` and `oido-export` have in common: words to commands, errors to one sentence and an exit code."""

import argparse
import contextlib
import importlib
import io
import logging
import os
import signal
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NoReturn, TextIO

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
    extra: str | None = None
    """Which extra of the package brings the libraries that it imports while it runs; None: it needs none."""


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

    What was written counts as done only when it has reached standard output: a full disk is a failure.

    Args:
        argv: the words after the program's name; None takes the process's, whose signals and standard streams are
            then this function's too.
        prog: the program's name.
        description: of the program.
        commands: what it can do.

    Raises:
        SystemExit: as `parse` says.
    """
    words = sys.argv[1:] if argv is None else argv
    if argv is None:
        _open_streams()
        if (
            signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):  # not where whoever started us ignores it
            signal.signal(signal.SIGINT, _interrupt)
    try:
        code = _run(words, prog=prog, description=description, commands=commands)
    except SystemExit as end:  # argparse has printed what it had to
        raise SystemExit(_written(prog, int(end.code or 0))) from None
    return _written(prog, code)


def _run(words: Sequence[str], *, prog: str, description: str, commands: Sequence[Command]) -> int:
    try:
        arguments = parse(words, prog=prog, description=description, commands=commands)
        log = logging.StreamHandler()
        log.setFormatter(_Masking(f"{prog}: %(levelname)s: %(message)s"))
        logging.basicConfig(handlers=[log], level=logging.INFO)
        return int(arguments.run(arguments))
    except OidoError as error:
        complain(prog, f"error: {error}")
        return error.exit_code
    except ModuleNotFoundError as error:
        command = next((each for each in commands if each.name in words), None)
        if command is None or command.extra is None:
            raise
        missing = f"{command.name} needs {error.name}, which is not installed here"
        complain(prog, f"error: {missing}: pip install 'oido[{command.extra}]'")
        return OidoError.exit_code
    except KeyboardInterrupt:
        complain(prog, "interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return 0  # whoever reads our output has had enough, as `head` has
    except OSError as error:
        logging.debug("where it happened", exc_info=True)  # noqa: LOG015 - configured above
        # Of standard output, `_written` says what is wrong.
        if _failure(sys.stdout) is None:
            what = f"{error.filename}: " if error.filename is not None else ""
            complain(prog, f"error: {what}{error.strerror or error}")
        return OidoError.exit_code


def complain(prog: str, sentence: str) -> None:
    """Say it on standard error, without secrets. Where that cannot be written, the exit code will say so."""
    with contextlib.suppress(OSError):
        print(masked(f"{prog}: {sentence}"), file=sys.stderr, flush=True)


class _Stream(io.TextIOWrapper):
    """A standard stream that remembers why something could not be written, whoever wrote it."""

    failure: OSError | None = None

    def write(self, text: str) -> int:
        """As every stream."""
        try:
            return super().write(text)
        except OSError as error:
            self.failure = self.failure or error
            raise

    def flush(self) -> None:
        """As every stream."""
        try:
            super().flush()
        except OSError as error:
            self.failure = self.failure or error
            raise


def _open_streams() -> None:
    """Make standard output and error streams that remember; those that were closed fail when they are used."""
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # It takes the lowest number that is free, which is the closed stream's own, before some other file
            # does. It is opened for reading only, so nothing can be written.
            descriptor = os.open(os.devnull, os.O_RDONLY)
            os.set_inheritable(descriptor, True)
            if name != "stdin":
                buffer = os.fdopen(descriptor, "wb", closefd=False)
                setattr(sys, name, _Stream(buffer, "utf-8", "backslashreplace", line_buffering=True))
        elif name != "stdin":
            same = {"line_buffering": stream.line_buffering, "write_through": stream.write_through}
            setattr(sys, name, _Stream(stream.buffer, stream.encoding, stream.errors, **same))


def _interrupt(_number: int, _frame: object) -> NoReturn:
    """The first Ctrl-C ends the work in order; the second ends the process where it stands."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise KeyboardInterrupt


def _written(prog: str, code: int) -> int:
    """The exit code when everything was written, or could not be."""
    for stream in (sys.stdout, sys.stderr):
        failure = _failure(stream)
        if failure is None:
            continue
        _give_up(stream)
        if isinstance(failure, BrokenPipeError):
            continue
        if stream is sys.stdout:
            complain(prog, f"error: standard output cannot be written: {failure.strerror}")
        code = code or OidoError.exit_code
    return code


def _failure(stream: TextIO) -> OSError | None:
    """Why not everything that was written to the stream could leave, if so."""
    try:
        stream.flush()
    except OSError as error:
        return error
    return getattr(stream, "failure", None)


def _give_up(stream: TextIO) -> None:
    """Point it elsewhere, or the interpreter's last flush would fail, with a complaint and exit code 120.

    See https://docs.python.org/3/library/signal.html#note-on-sigpipe.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
