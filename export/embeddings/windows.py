"""Windows of the corpus, drawn at random: to measure extractors and the ranges for int8 on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.hearing.patch_cutter import FIRST_PATCH_SAMPLES
from device.sound import FloatArray
from export.corpus.augment import at_level, record
from export.corpus.excerpts import Material, active_rms, by_package, draw, materials
from export.corpus.features import SEED
from export.corpus.recipe import Split
from export.corpus.streams import Corpus
from export.embeddings.base import log_mel_patches
from export.errors import ExportError

SILENT_DBFS = -60.0
"""A window whose loud parts lie below this is silent; another one is drawn instead."""

HEARD_DBFS = (-50.0, -8.0)
"""Levels that a device hears, as the variant `level` of the features has them."""

_LABELS = ("music", "no_music")
_DRAWS = 100


@dataclass(frozen=True, slots=True)
class Windows:
    """Stretches of the corpus as they are, one patch each."""

    samples: FloatArray
    """(n, 15,600), 16 kHz mono."""
    music: npt.NDArray[np.int8]
    """(n,) 1 for music."""
    package: npt.NDArray[np.str_]

    def at(self, level_dbfs: float) -> FloatArray:
        """(n, 15,600): each brought to an RMS level, and quantised to 16 bit as a converter does."""
        return np.stack([record(at_level(window, level_dbfs)) for window in self.samples])

    def patches(self, *, seed: int = SEED) -> FloatArray:
        """(n, 96, 64) log-mel of our front end, each window at a level of its own that a device may hear."""
        generator = np.random.default_rng(seed)
        levels_dbfs = generator.uniform(*HEARD_DBFS, len(self.samples))
        heard = (record(at_level(*pair)) for pair in zip(self.samples, levels_dbfs.tolist(), strict=True))
        return patches_of(heard)


def patches_of(windows: Iterable[FloatArray]) -> FloatArray:
    """Windows, each a sound of its own (end to end they would share frames) -> (n, 96, 64) log-mel."""
    return np.concatenate([log_mel_patches(window) for window in windows])


def sample(corpus: Corpus, *, split: Split, count: int, seed: int = SEED) -> Windows:
    """Windows of a split, music and no music in turn; `mixed` streams are left out.

    Args:
        corpus: where from.
        split: which packages; each gives about as many windows as any other of its label.
        count: windows of each label.
        seed: fixes the windows.

    Raises:
        ExportError: the split has none of a label, or nothing but silence in a package.
    """
    generator = np.random.default_rng(seed)
    streams = [stream for stream in corpus.streams if stream.split == split]
    choices = [
        (label, by_package(materials(stream for stream in streams if stream.label == label))) for label in _LABELS
    ]
    samples, music, package = [], [], []
    for label, choice in choices:
        if not choice:
            raise ExportError(f"the corpus has no {label} in its {split} packages; build it again")
    for number in range(count):
        for label, choice in choices:
            of_one = choice[number % len(choice)]
            samples.append(_audible(generator, of_one))
            music.append(label == "music")
            package.append(of_one[0].package)
    return Windows(np.stack(samples), np.array(music, np.int8), np.array(package))


def _audible(generator: np.random.Generator, package: Sequence[Material]) -> FloatArray:
    for _ in range(_DRAWS):
        heard = draw(generator, package, FIRST_PATCH_SAMPLES).read()
        if active_rms(heard) >= 10 ** (SILENT_DBFS / 20):
            return heard
    raise ExportError(f"package {package[0].package}: nothing but silence in it; build the corpus again")
