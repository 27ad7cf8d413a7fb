"""Small stand-ins for a corpus and its rows, for tests of `export`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from hearing_fakes import chord, noise

from device.hearing.statistics.statistics import NAMES
from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.features import Rows


@dataclass(frozen=True)
class FakeSound:
    """A stream of a corpus, made when it is read; it can be sent to another process."""

    package: str
    label: str = "music"
    split: str = "train"
    seconds: float = 3.0

    def read(self) -> FloatArray:
        """A chord for music, noise otherwise; of another level each."""
        sound = chord(self.seconds) if self.label == "music" else noise(self.seconds, level_dbfs=-15)
        return (sound * (0.5 + 0.5 / (1 + len(self.package)))).astype(np.float32)


def write_own(root: Path, sounds: Mapping[str, FloatArray]) -> Path:
    """A user's own recordings, by their paths from the root on."""
    for path, samples in sounds.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / path, samples, SAMPLE_RATE)
    return root


def rows_of(*, music: str, packages: Sequence[str], shift: float = 2.0) -> Rows:
    """A row a letter, `m` for music; the first statistic lies `shift` higher where there is music."""
    truth = np.array([letter == "m" for letter in music], np.int8)
    features = np.random.default_rng(1).standard_normal((len(truth), len(NAMES))).astype(np.float32)
    features[:, 0] += 2 * shift * truth
    return Rows(
        features=features,
        music=truth,
        mixed=np.zeros(len(truth), np.bool_),
        variant=np.full(len(truth), "clean"),
        package=np.array(list(packages)),
        split=np.full(len(truth), "train"),
    )
