"""`oido-export`: arguments and dispatch only."""

from collections.abc import Sequence

from device.command_line import Command, execute

DESCRIPTION = "Trains, compares and converts the models of oido."

COMMANDS = (
    Command("corpus", "build, inspect and verify the open training corpus", "export.commands.corpus"),
    Command("train", "train a model and write it with its sidecar", "export.commands.train"),
    Command(
        "convert",
        "make a trained network the int8 TFLite file of the device, with a report",
        "export.commands.convert",
    ),
    Command(
        "calibrate",
        "make a model's probabilities mean what they say, and set its thresholds",
        "export.commands.calibrate",
    ),
    Command(
        "evaluate",
        "how good models are on a split: clean, quiet, in rooms, under speech",
        "export.commands.evaluate",
    ),
    Command("compare", "seven estimators on several embeddings, in one table", "export.commands.compare"),
    Command("report", "one HTML page: which model on which Raspberry Pi, and why", "export.commands.report"),
    Command(
        "onsets", "how late starts and stops of music are noticed, and false starts", "export.commands.onsets"
    ),
    Command(
        "levels",
        "how well YAMNet hears at each level, with its front end and with ours",
        "export.commands.levels",
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `oido-export` and return its exit code."""
    return execute(argv, prog="oido-export", description=DESCRIPTION, commands=COMMANDS)
