"""Options that several commands share."""

import argparse
import os
from pathlib import Path

from export.corpus.features import SEED


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where data come from, for every command that needs features."""
    add_corpus(parser)
    parser.add_argument("--cache", type=Path, help="where features are kept (default: the user's cache folder)")
    add_work(parser)


def add_corpus(parser: argparse._ActionsContainer) -> None:
    """Declare `--corpus`."""
    parser.add_argument("--corpus", type=Path, help="the corpus's folder (default: as `corpus info` finds it)")


def add_work(parser: argparse._ActionsContainer) -> None:
    """Declare `--seed` and `--jobs`."""
    parser.add_argument("--seed", type=int, default=SEED, help="seed of training's rooms, levels and noises")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")


def positive(text: str) -> int:
    """A whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number
