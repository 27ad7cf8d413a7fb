"""`oido-export train MODEL`: from the corpus to a model. What each one does stands in `export.training`."""

import argparse
import importlib
from pathlib import Path

from export.commands.options import add_data_arguments, positive
from export.estimators.embedder import DEFAULT_SIZE, SIZES

MODELS = ("logistic", "embedder", "attention")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `train`."""
    parser.add_argument("model", choices=MODELS, help="what to train")
    add_data_arguments(parser)
    parser.add_argument("--out", type=Path, default=Path("models"), help="where models are (default: models)")
    logistic = parser.add_argument_group("logistic")
    logistic.add_argument(
        "--ablate", action="store_true", help="instead of training, show what each group of statistics is worth"
    )
    networks = parser.add_argument_group("embedder and attention")
    networks.add_argument(
        "--yamnet", type=Path, help="Google's yamnet.tflite, the teacher (default: shared/weights)"
    )
    networks.add_argument("--scenes", type=positive, default=40_000, help="scenes to learn from (default: 40000)")
    networks.add_argument("--size", choices=sorted(SIZES), default=DEFAULT_SIZE, help="size of the embedder")
    networks.add_argument(
        "--steps", type=positive, default=24_000, help="for each trunk of the embedder (default: 24000)"
    )
    networks.add_argument("--epochs", type=positive, default=20, help="for the attention network (default: 20)")


def run(arguments: argparse.Namespace) -> int:
    """Train it."""
    code: int = importlib.import_module(f"export.training.{arguments.model}").run(arguments)
    return code
