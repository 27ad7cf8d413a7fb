"""`oido-export evaluate`: how good a model is, by package, clean and in simulated rooms, in one table."""

import argparse
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from device.hearing.classifier import Classifier
from device.hearing.models import LoadedModel, load_model
from device.hearing.sidecar import MODES
from export.corpus.dataset import cache_directory, find_corpus, load_corpus
from export.corpus.synthetic import synthetic_sounds
from export.errors import ExportError
from export.features import SEED, VARIANTS, Rows, Sound, extract_all
from export.metrics import Report, report

Reports = dict[str, Report]
"""By variant."""

_COLUMNS = ("accuracy", "f1", "precision", "recall", "roc_auc", "pr_auc", "calibration_error")


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where data come from, for every command that needs features."""
    parser.add_argument("--corpus", type=Path, help="the corpus's folder (default: as `corpus info` finds it)")
    parser.add_argument("--cache", type=Path, help="where features are kept (default: the user's cache folder)")
    parser.add_argument("--seed", type=int, default=SEED, help="of training's rooms, levels and noises")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `evaluate`."""
    parser.add_argument("model", help="a model's name, or the path of its NAME.json")
    parser.add_argument("--split", choices=["train", "validation", "test"], default="test")
    parser.add_argument("--mode", choices=MODES, default="balanced", help="whose threshold to use")
    add_data_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    model = load_model(arguments.model)
    Classifier(model)  # refuses a model of other statistics, as the device does
    _, rows = load_rows(arguments)
    print_reports(reports(model, rows, split=arguments.split, mode=arguments.mode), sys.stdout)
    return 0


def load_rows(arguments: argparse.Namespace) -> tuple[str, Rows]:
    """The corpus's version, and its features with those of the synthetic sounds, from the cache where they are."""
    corpus = load_corpus(find_corpus(arguments.corpus))
    cache = arguments.cache or cache_directory().parent / "features"
    # The longest first, so that no process is left alone with one at the end.
    streams = sorted(corpus.streams, key=lambda stream: -stream.duration_s)
    sounds: list[Sound] = [*streams, *synthetic_sounds()]
    rows = extract_all(sounds, cache, version=corpus.version, seed=arguments.seed, jobs=arguments.jobs)
    return corpus.version, rows


def reports(model: LoadedModel, rows: Rows, *, split: str, mode: str) -> Reports:
    """Every variant of a split, music under speech left out, at the mode's threshold."""
    found: Reports = {}
    for variant in VARIANTS:
        here = rows.where((rows.split == split) & (rows.variant == variant) & ~rows.mixed)
        if not len(here.music):
            raise ExportError(f"the corpus has nothing in split {split!r}")
        found[variant] = report(
            here.music,
            model.probability(here.features),
            here.package,
            threshold=model.sidecar.thresholds[mode],
        )
    return found


def print_reports(found: Reports, stream: TextIO) -> None:
    """A Markdown table with 95 % intervals from a bootstrap over packages."""
    print(f"\n| variant | rows | packages | {' | '.join(_COLUMNS)} |", file=stream)
    print("|---" * (3 + len(_COLUMNS)) + "|", file=stream)
    for variant, each in found.items():
        cells = " | ".join(str(getattr(each, column)) for column in _COLUMNS)
        print(f"| {variant} | {each.rows} | {each.packages} | {cells} |", file=stream)


def figures(found: Reports) -> dict[str, Any]:
    """For a sidecar: figures with their intervals, rounded."""
    return {variant: _rounded(asdict(each)) for variant, each in found.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return round(value, 4) if isinstance(value, float) else value
