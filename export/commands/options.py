"""Options that several commands share."""

import argparse
import os
from pathlib import Path

from export.corpus.features import SEED


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where data come from, for every command that needs features."""
    parser.add_argument("--corpus", type=Path, help="the corpus's folder (default: as `corpus info` finds it)")
    parser.add_argument("--cache", type=Path, help="where features are kept (default: the user's cache folder)")
    parser.add_argument("--seed", type=int, default=SEED, help="of training's rooms, levels and noises")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
