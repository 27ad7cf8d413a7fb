"""The int8 YAMNet beside the float one with the same head: decisions in the corpus, and time in each runtime."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from device.hearing.models.sidecar import Sidecar
from device.sound import FloatArray
from export.convert.other_python import probe
from export.corpus.recipe import Split
from export.corpus.streams import Corpus
from export.embeddings.ours import OursExtractor
from export.errors import ExportError
from export.evaluation.hearing import DeviceModel
from export.evaluation.metrics import f1
from export.evaluation.scoring import GRANULARITIES, Granularity, Scores, Verdicts
from export.evaluation.takes import VARIATIONS, takes
from export.markdown import table

ALL = "all"

ROUNDS = 300


@dataclass(frozen=True, slots=True)
class Alike:
    """How often two networks decide alike, and how good they are."""

    variation: str
    granularity: Granularity
    rows: int
    alike: float
    """Share of the rows, 0 to 1."""
    float_f1: float
    int8_f1: float

    @classmethod
    def of(
        cls, variation: str, granularity: Granularity, float32: Verdicts, int8: Verdicts, *, threshold: float
    ) -> Self:
        """Compare what was said of the same rows."""
        first, second = float32.probability >= threshold, int8.probability >= threshold
        return cls(
            variation=variation,
            granularity=granularity,
            rows=len(first),
            alike=float(np.mean(first == second)),
            float_f1=f1(float32.music, first),
            int8_f1=f1(int8.music, second),
        )


def compare(int8: Path, float32: Path, corpus: Corpus, scores: Scores, *, split: Split, seed: int) -> list[Alike]:
    """Have both hear a split as a device does, each section from its beginning.

    Args:
        int8: its sidecar; its calibration and balanced threshold decide.
        float32: its sidecar, with the same calibration.
        corpus: the sound.
        scores: where scores are kept.
        split: which part.
        seed: of rooms, levels, noises and mixtures.

    Returns:
        First all variations together, then each, for answers and segments.

    Raises:
        ExportError: the split is empty.
        ModelError: a model cannot be used.
    """
    heard = takes(corpus, split, seed=seed)
    if not heard:
        raise ExportError(f"the corpus has nothing in split {split!r}")
    threshold = Sidecar.read(int8).thresholds["balanced"]
    ours, theirs = DeviceModel.of(str(int8)), DeviceModel.of(str(float32), name=f"{int8.stem}-float32")
    said = scores.score([(take, [ours, theirs]) for take in heard])
    found = []
    for granularity in GRANULARITIES:
        for variation in (ALL, *VARIATIONS):
            here = [take.name for take in heard if variation in (ALL, take.variation)]
            if here:
                first, second = (
                    Verdicts.join([said[scorer.name, name][granularity] for name in here])
                    for scorer in (theirs, ours)
                )
                found.append(Alike.of(variation, granularity, first, second, threshold=threshold))
    return found


def alike_table(rows: Sequence[Alike], *, split: str) -> str:
    """Markdown."""
    lines = []
    for row in rows:
        figures = (f"{row.alike:.2%}", f"{row.float_f1:.4f}", f"{row.int8_f1:.4f}")
        lines.append((row.variation, row.granularity, row.rows, *figures))
    return table((split, "each", "rows", "decided alike", "F1, float32", "F1, int8"), lines)


def document(rows: Sequence[Alike], *, split: str) -> dict[str, Any]:
    """For the sidecar: all variations together."""
    found: dict[str, Any] = {"split": split}
    for row in rows:
        if row.variation == ALL:
            found[row.granularity] = {
                "rows": row.rows,
                "decided_alike": round(row.alike, 5),
                "float_f1": round(row.float_f1, 5),
                "int8_f1": round(row.int8_f1, 5),
            }
    return found


def embedding_cosines(int8: Path, float32: Path, patches: FloatArray) -> FloatArray:
    """(n,) cosines between the embeddings that the two models give of patches, (n, 96, 64) log-mel."""
    ours, theirs = (OursExtractor(str(path)).patch_embeddings(patches) for path in (int8, float32))
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    cosines: FloatArray = (ours * theirs).sum(axis=1) / np.maximum(lengths, 1e-12)
    return cosines


@dataclass(frozen=True, slots=True)
class Race:
    """Files in one runtime, in turn."""

    runtime: str
    """Name and version."""
    ms: tuple[float, ...]
    """Of a pass of each, the median."""
    ratio: tuple[float, ...]
    """To the first in the same round, the median."""


def race(python: Path, models: Sequence[Path], *, rounds: int = ROUNDS) -> Race:
    """How long a pass of each TFLite file takes in the runtime of a Python; the first file is the reference.

    Raises:
        ExportError: they cannot be run there.
    """
    found = json.loads(probe(python, "race", str(rounds), *models).splitlines()[-1])
    return Race(found["runtime"], tuple(found["ms"]), tuple(found["ratio"]))


def race_table(names: Sequence[str], races: Sequence[Race]) -> str:
    """Markdown: milliseconds of a pass, and beside the first."""
    return table(
        ("one pass, ms", *names),
        (
            (each.runtime, *(f"{ms:.3f} ({ratio:.2f} x)" for ms, ratio in zip(each.ms, each.ratio, strict=True)))
            for each in races
        ),
    )
