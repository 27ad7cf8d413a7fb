"""A corpus of three splits, and estimators that learn at once."""

from pathlib import Path

import soundfile
from evaluation_fakes import song, talk
from hearing_fakes import noise

from device.sound import SAMPLE_RATE
from export.corpus.recipe import Label, Split
from export.corpus.streams import Clip, Corpus, Stream, assemble
from export.estimators.base import Estimator
from export.estimators.forest import RandomForest
from export.estimators.linear import PooledLogistic

QUICK: tuple[Estimator, ...] = (
    PooledLogistic(strengths=(0.01, 1.0)),
    RandomForest(trees=8, trees_while_choosing=4, leaves=(4,), rows_in_leaf=1),
)

PACKAGES: tuple[tuple[Split, int], ...] = (("train", 4), ("validation", 2), ("test", 2))

LABELS: tuple[Label, ...] = ("music", "no_music")


def three_splits(root: Path, *, seconds: float = 12.0) -> Corpus:
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
