"""`oido-export`: arguments and dispatch only."""

from collections.abc import Sequence

from device.command_line import Command, execute

DESCRIPTION = "Trains, compares and converts the models of oido."

_COMMANDS = (
    ("corpus", "build, inspect and verify the open training corpus", "export"),
    ("train", "train a model and write it with its sidecar", "train"),
    ("convert", "make a trained network the int8 TFLite file of the device, with a report", "train"),
    ("calibrate", "make a model's probabilities mean what they say, and set its thresholds", "export"),
    ("evaluate", "how good models are on a split: clean, quiet, in rooms, under speech", "export"),
    ("compare", "seven estimators on several embeddings, in one table", "compare"),
    ("report", "one HTML page: which model on which Raspberry Pi, and why", "export"),
    ("onsets", "how late starts and stops of music are noticed, and false starts", "export"),
    ("boundaries", "how well recordings are cut where music begins and ends", "export"),
    ("levels", "how well YAMNet hears at each level, with its front end and with ours", "train"),
)
"""Names, what they do, and the extras that they need."""

COMMANDS = tuple(Command(name, text, f"export.commands.{name}", extra) for name, text, extra in _COMMANDS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `oido-export` and return its exit code."""
    return execute(argv, prog="oido-export", description=DESCRIPTION, commands=COMMANDS)
