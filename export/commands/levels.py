"""`oido-export levels`: how well YAMNet hears at each level, as published and rebuilt behind our exact front end.

The official TFLite computes its spectrogram with an int8 DFT. The extractor `yamnet` is the same network behind
the exact front end. Both hear the same windows of 0.975 s from the validation packages, brought to each level and
quantised to 16 bit as a microphone's converter would. Neither hears at -60 dBFS, where every band lies below the
offset of 0.001 that YAMNet's logarithm has.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.sound import FloatArray
from export.commands.options import add_corpus, positive
from export.corpus.audioset import MUSIC_CLASS
from export.corpus.dataset import find_corpus, load_corpus
from export.corpus.features import SEED
from export.embeddings.windows import Windows, patches_of, sample
from export.evaluation.metrics import Figure, report
from export.markdown import table
from export.yamnet.extractor import YamnetExtractor
from export.yamnet.official import OfficialYamnet, prepared_weights

LEVELS_DBFS = (-60, -50, -40, -30, -20, -10)

WINDOWS = 400
"""Drawn of each label."""

Hear = Callable[[FloatArray], FloatArray]
"""(n, 15,600) samples -> (n,) how much music is in each window, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class LevelRow:
    """One line of the table."""

    level: str
    hearer: str
    on_music: float
    """Mean score."""
    on_other: float
    roc_auc: Figure


def measure(
    windows: Windows, hearers: Mapping[str, Hear], *, levels_dbfs: Sequence[float] = LEVELS_DBFS
) -> list[LevelRow]:
    """Each hearer at each level (RMS of a window), then over all levels: one threshold must do for all."""
    rows = []
    everything: dict[str, list[FloatArray]] = {name: [] for name in hearers}
    for level_dbfs in levels_dbfs:
        heard = windows.at(level_dbfs)
        for name, hear in hearers.items():
            scores = hear(heard)
            everything[name].append(scores)
            rows.append(_row(f"{level_dbfs:g} dBFS", name, scores, windows, times=1))
    for name, parts in everything.items():
        rows.append(_row("all", name, np.concatenate(parts), windows, times=len(parts)))
    return rows


def _row(level: str, hearer: str, scores: FloatArray, windows: Windows, *, times: int) -> LevelRow:
    music = np.tile(windows.music, times)
    found = report(music, scores, np.tile(windows.package, times), threshold=0.5)
    on_music, on_other = (float(scores[music == label].mean()) for label in (1, 0))
    return LevelRow(level, hearer, on_music, on_other, found.roc_auc)


def lines_of(rows: Sequence[LevelRow]) -> str:
    """Markdown, with 95 % intervals from a bootstrap over packages."""
    head = ("level", "YAMNet", "`Music` on music", "`Music` on no music", "ROC-AUC")
    return table(
        head, ((row.level, row.hearer, f"{row.on_music:.3f}", f"{row.on_other:.3f}", row.roc_auc) for row in rows)
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `levels`."""
    parser.add_argument("--yamnet", type=Path, help="the official yamnet.tflite (default: shared/weights)")
    add_corpus(parser)
    parser.add_argument(
        "--windows", type=positive, default=WINDOWS, help=f"number for each label (default: {WINDOWS})"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the choice of windows")


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    path = arguments.yamnet or prepared_weights()
    rebuilt, official = YamnetExtractor(path), OfficialYamnet.load(path)
    corpus = load_corpus(find_corpus(arguments.corpus))
    windows = sample(corpus, split="validation", count=arguments.windows, seed=arguments.seed)
    hearers: dict[str, Hear] = {
        "as published": lambda heard: official.window_scores(heard)[:, MUSIC_CLASS],
        "behind our front end": lambda heard: rebuilt.patch_scores(patches_of(heard))[:, MUSIC_CLASS],
    }
    print(lines_of(measure(windows, hearers)))
    packages = len(set(windows.package.tolist()))
    print(f"\n{len(windows.music)} windows of {packages} validation packages; weights {rebuilt.version}")
    return 0
