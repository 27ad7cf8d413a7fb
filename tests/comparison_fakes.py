"""A corpus of three splits, extractors that have learnt nothing, and estimators that learn at once."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from evaluation_fakes import song, talk
from hearing_fakes import noise

from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.recipe import Label, Split
from export.corpus.streams import Clip, Corpus, Stream, assemble
from export.embeddings.base import Extractor, whole_patches
from export.embeddings.feature import Origin
from export.estimators.base import Estimator
from export.estimators.forest import RandomForest
from export.estimators.linear import PooledLogistic

SIZE = 3

QUICK: tuple[Estimator, ...] = (
    PooledLogistic(strengths=(0.01, 1.0)),
    RandomForest(trees=8, trees_while_choosing=4, leaves=(4,), rows_in_leaf=1),
)

PACKAGES: tuple[tuple[Split, int], ...] = (("train", 4), ("validation", 2), ("test", 2))

LABELS: tuple[Label, ...] = ("music", "no_music")


@dataclass(frozen=True, slots=True)
class LoudnessExtractor:
    """How loud a patch is, how much that changes, and how often it crosses zero: enough for talk and song."""

    version: str
    name: str = "loudness"
    size: int = SIZE

    def embed(self, samples: FloatArray) -> FloatArray:
        """(n,) -> (patches, 3)."""
        patches = whole_patches(samples)[240:].reshape(-1, 15_360)
        pieces = np.sqrt(np.square(patches.reshape(len(patches), 48, 320)).mean(axis=2)) + 1e-4
        crossings = np.abs(np.diff(np.signbit(patches), axis=1)).mean(axis=1)
        columns = (np.log(pieces.mean(axis=1)), pieces.std(axis=1) / pieces.mean(axis=1), crossings)
        return np.stack(columns, axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class LoudnessFeature:
    """It notes in a folder, if it has one, each process that opens it."""

    name: str = "loudness"
    origin: Origin = "scratch"
    version: str = "loudness-1"
    notes: Path | None = None

    def open(self) -> Extractor:
        """Ready at once."""
        if self.notes is not None:
            (self.notes / f"{len(list(self.notes.iterdir()))}").touch()
        return LoudnessExtractor(self.version)


def three_splits(root: Path, *, seconds: float = 21.0) -> Corpus:
    """In train four packages of music and of talk each, in the others two and two."""
    streams = []
    for number_of_split, (split, count) in enumerate(PACKAGES):
        for number in range(count):
            for label in LABELS:
                seed = 10 * number_of_split + number
                voice = (
                    talk(seconds, number=seed) if number % 2 == 0 else noise(seconds, level_dbfs=-25, seed=seed)
                )
                sound = song(seconds, number=seed) if label == "music" else voice
                category = "pop" if label == "music" else ("speech", "ambience")[number % 2]
                package = f"{split}{label}{number}"
                path = root / f"{package}.wav"
                soundfile.write(path, sound, SAMPLE_RATE, subtype="PCM_16")
                streams.append(Stream(package, label, split, path, (Clip(0.0, seconds, category, package),)))
    return assemble(root, streams)
