"""How well YAMNet hears at each level: as published, and rebuilt behind our exact front end.

    python -m export.commands.levels --yamnet PATH

The official TFLite computes its spectrogram with an int8 DFT; the same network behind the exact front end is what
the extractor `yamnet` uses. Both hear the same windows of 0.975 s from the validation packages, brought to each
level and quantised to 16 bit as a microphone's converter would. Neither hears at -60 dBFS, where every band lies
below the offset of 0.001 that YAMNet's logarithm has.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from device.command_line import Command, execute
from device.errors import ModelError, UsageError
from device.hearing.models.runtimes import TfliteRuntime
from device.sound import FloatArray
from export.corpus.audioset import MUSIC_CLASS
from export.corpus.dataset import find_corpus, load_corpus
from export.corpus.features import SEED
from export.embeddings.windows import Windows, patches_of, sample
from export.errors import ExportError
from export.evaluation.metrics import Figure, report
from export.yamnet.extractor import YamnetExtractor
from export.yamnet.official import prepared_weights

LEVELS_DBFS = (-60, -50, -40, -30, -20, -10)

WINDOWS = 400
"""Drawn of each label."""


class Hearer(Protocol):
    """Says of windows how much music is in them."""

    def __call__(self, windows: FloatArray, /) -> FloatArray:
        """(n, 15,600) samples -> (n,) scores in [0, 1]."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    level: str
    hearer: str
    on_music: float
    """Mean score."""
    on_other: float
    roc_auc: Figure


def official(path: Path) -> Hearer:
    """The official TFLite.

    Raises:
        ExportError: it cannot be read or run.
    """
    try:
        runtime = TfliteRuntime(path, path.read_bytes(), "")
    except OSError as error:
        raise ExportError(f"{path}: cannot read it: {error.strerror}") from error
    except ModelError as error:
        raise ExportError(f"{error}; --yamnet must name the official yamnet.tflite") from error

    def hear(windows: FloatArray) -> FloatArray:
        try:
            return runtime.run(windows)[:, MUSIC_CLASS]
        except (ModelError, IndexError) as error:
            raise ExportError(f"{path}: {error}; --yamnet must name the official yamnet.tflite") from error

    return hear


def rebuilt(yamnet: YamnetExtractor) -> Hearer:
    """The rebuilt network behind our front end."""

    def hear(windows: FloatArray) -> FloatArray:
        return yamnet.patch_scores(patches_of(windows))[:, MUSIC_CLASS]

    return hear


def measure(
    windows: Windows, hearers: Sequence[tuple[str, Hearer]], *, levels_dbfs: Sequence[float] = LEVELS_DBFS
) -> list[Row]:
    """Each hearer at each level, then over all levels at once: one threshold has to do for all of them.

    Args:
        windows: what is heard.
        hearers: with their names.
        levels_dbfs: RMS of a window.
    """
    rows = []
    everything: dict[str, list[FloatArray]] = {name: [] for name, _ in hearers}
    for level_dbfs in levels_dbfs:
        heard = windows.at(level_dbfs)
        for name, hear in hearers:
            scores = hear(heard)
            everything[name].append(scores)
            rows.append(_row(f"{level_dbfs:g} dBFS", name, scores, windows, times=1))
    for name, parts in everything.items():
        rows.append(_row("all", name, np.concatenate(parts), windows, times=len(parts)))
    return rows


def _row(level: str, hearer: str, scores: FloatArray, windows: Windows, *, times: int) -> Row:
    music = np.tile(windows.music, times)
    found = report(music, scores, np.tile(windows.package, times), threshold=0.5)
    on_music, on_other = (float(scores[music == label].mean()) for label in (1, 0))
    return Row(level, hearer, on_music, on_other, found.roc_auc)


def table(rows: Sequence[Row]) -> str:
    """Markdown, with 95 % intervals from a bootstrap over packages."""
    lines = [
        "| level | YAMNet | `Music` on music | `Music` on no music | ROC-AUC |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row.level} | {row.hearer} | {row.on_music:.3f} | {row.on_other:.3f} | {row.roc_auc} |" for row in rows
    ]
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `levels`."""
    parser.add_argument("--yamnet", type=Path, help="the official yamnet.tflite (default: shared/weights)")
    parser.add_argument("--corpus", type=Path, help="the corpus's folder (default: as `corpus info` finds it)")
    parser.add_argument("--windows", type=int, default=WINDOWS, help=f"of each label (default: {WINDOWS})")
    parser.add_argument("--seed", type=int, default=SEED, help="of the choice of windows")


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    if arguments.windows < 1:
        raise UsageError(f"--windows {arguments.windows}: at least 1 of each label is needed")
    path = arguments.yamnet or prepared_weights()
    yamnet = YamnetExtractor(path)
    windows = sample(
        load_corpus(find_corpus(arguments.corpus)),
        split="validation",
        count=arguments.windows,
        seed=arguments.seed,
    )
    hearers = (("as published", official(path)), ("behind our front end", rebuilt(yamnet)))
    print(table(measure(windows, hearers)))
    packages = len(set(windows.package.tolist()))
    print(f"\n{len(windows.music)} windows of {packages} validation packages; weights {yamnet.version}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m export.commands.levels`."""
    command = Command("levels", "how well YAMNet hears at each level", "export.commands.levels")
    words = sys.argv[1:] if argv is None else argv
    return execute(["levels", *words], prog="oido-export", description=command.help, commands=[command])


if __name__ == "__main__":
    sys.exit(main())
