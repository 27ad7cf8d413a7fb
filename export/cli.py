"""`oido-export`: arguments and dispatch only."""

from collections.abc import Sequence

from device.command_line import Command, execute

DESCRIPTION = "Trains, compares and converts the models of oido."

_HELP = {
    "corpus": "build, inspect and verify the open training corpus",
    "train": "train a model and write it with its sidecar",
    "convert": "make a trained network the int8 TFLite file of the device, with a report",
    "calibrate": "make a model's probabilities mean what they say, and set its thresholds",
    "evaluate": "how good models are on a split: clean, quiet, in rooms, under speech",
    "compare": "seven estimators on several embeddings, in one table",
    "report": "one HTML page: which model on which Raspberry Pi, and why",
    "onsets": "how late starts and stops of music are noticed, and false starts",
    "boundaries": "how well recordings are cut where music begins and ends",
    "levels": "how well YAMNet hears at each level, with its front end and with ours",
}

COMMANDS = tuple(Command(name, text, f"export.commands.{name}") for name, text in _HELP.items())


def main(argv: Sequence[str] | None = None) -> int:
    """Run `oido-export` and return its exit code."""
    return execute(argv, prog="oido-export", description=DESCRIPTION, commands=COMMANDS)
