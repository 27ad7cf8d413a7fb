"""`oido-export`: arguments and dispatch only."""

from collections.abc import Sequence

from device.command_line import Command, execute

DESCRIPTION = "Trains, compares and converts the models of oido."

COMMANDS = (
    Command("corpus", "build, inspect and verify the open training corpus", "export.corpus.cli"),
    Command("train", "train a model and write it with its sidecar", "export.train"),
    Command("evaluate", "how good a model is on a split, clean and in simulated rooms", "export.evaluate"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `oido-export` and return its exit code."""
    return execute(argv, prog="oido-export", description=DESCRIPTION, commands=COMMANDS)
