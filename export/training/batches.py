"""Training batches: patches cut from scenes at random, each through a microphone and at a level of its own."""

from collections import deque
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from device.hearing.front_end.features import LOG_MEL, PATCH_FRAMES
from device.hearing.models.inputs import HOP_FRAMES
from device.sound import FloatArray
from export.corpus.audioset import MUSIC_CLASS
from export.training.scenes import FRAMES, LABELLED
from export.training.shards import Examples

_JITTER_FRAMES = 8
"""A patch may begin this far from the place of its labels."""

_FLAT, _FULL = 0.2, 0.6
"""A patch with less music than the first is none, one with more than the second is all music."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What is done to the mel magnitudes of a patch, and how often."""

    equalised: float = 0.5
    gained: float = 0.5
    gain_db: tuple[float, float] = (-12.0, 6.0)
    masked: float = 0.2
    """Some bands silenced (Park et al. 2019, SpecAugment); the same chance for some frames."""


class Batch(NamedTuple):
    """What a step of training sees. A weight of 0 means that the label is unknown."""

    patches: FloatArray
    """(n, 96, 64) log-mel."""
    music: FloatArray
    """(n, 1) target in [0, 1]."""
    music_weight: FloatArray
    speech: FloatArray
    speech_weight: FloatArray
    teacher: FloatArray
    """(n, 521) YAMNet's scores of the clean sound."""


def target(part: FloatArray) -> tuple[FloatArray, FloatArray]:
    """From the part of a patch that has music to a target and its weight, both of the same shape."""
    known = ~np.isnan(part)
    ramp = np.clip((np.where(known, part, 0.0) - _FLAT) / (_FULL - _FLAT), 0.0, 1.0)
    return ramp.astype(np.float32), known.astype(np.float32)


@dataclass
class BatchMaker:
    """Cuts batches from scenes; the seed and the number of a batch fix it."""

    examples: Examples
    size: int
    seed: int
    teacher_share: float = 0.15
    augmentation: Augmentation = field(default_factory=Augmentation)

    def make(self, number: int) -> Batch:
        """The batch of that number."""
        generator = np.random.default_rng([self.seed, number])
        examples = self.examples
        scene = generator.integers(0, len(examples), self.size)
        place = generator.integers(0, LABELLED, self.size)
        jitter = generator.integers(-_JITTER_FRAMES, _JITTER_FRAMES + 1, self.size)
        start = np.clip(place * HOP_FRAMES + jitter, 0, FRAMES - PATCH_FRAMES)
        mel = examples.mel[scene[:, None], start[:, None] + np.arange(PATCH_FRAMES)].astype(np.float32)
        mel *= factors(generator, self.size, self.augmentation)
        self._mask(mel, generator)
        taught: FloatArray = examples.teacher[scene, place].astype(np.float32) / np.float32(255)
        music, music_weight = target(examples.music[scene, place])
        speech, speech_weight = target(examples.speech[scene, place])
        # A little of the teacher's opinion: it knows which pieces hardly sound like music.
        music += self.teacher_share * (taught[:, MUSIC_CLASS] - music)
        return Batch(
            patches=np.log(mel + np.float32(LOG_MEL.log_offset)),
            music=music[:, None],
            music_weight=music_weight[:, None],
            speech=speech[:, None],
            speech_weight=speech_weight[:, None],
            teacher=taught,
        )

    def ahead(self, first: int, last: int, *, depth: int = 4) -> Generator[Batch, None, None]:
        """Batches first to last - 1, made in a thread while the training is busy; at most `depth` of them wait.

        Closing the generator stops the thread and waits for it. An error is raised where its batch would have
        come.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
            waiting = deque(pool.submit(self.make, number) for number in range(first, min(first + depth, last)))
            try:
                for number in range(first + depth, last + depth):
                    batch = waiting.popleft().result()
                    if number < last:
                        waiting.append(pool.submit(self.make, number))
                    yield batch
            finally:
                pool.shutdown(cancel_futures=True)

    def _mask(self, mel: FloatArray, generator: np.random.Generator) -> None:
        """Silence up to ten bands or twelve frames of some patches."""
        for i in np.flatnonzero(generator.random(len(mel)) < self.augmentation.masked):
            band = int(generator.integers(0, LOG_MEL.mel_bands - 10))
            mel[i, :, band : band + int(generator.integers(1, 11))] = 0.0
        for i in np.flatnonzero(generator.random(len(mel)) < self.augmentation.masked):
            frame = int(generator.integers(0, PATCH_FRAMES - 12))
            mel[i, frame : frame + int(generator.integers(1, 13))] = 0.0


def factors(generator: np.random.Generator, size: int, how: Augmentation) -> FloatArray:
    """(size, 1, 64) factors: a smooth curve over the bands, and a gain."""
    place = np.linspace(-1, 1, LOG_MEL.mel_bands)
    curve_db = generator.uniform(-6, 6, (size, 1)) * place
    for _ in range(2):
        centre, width = generator.uniform(-1, 1, (size, 1)), generator.uniform(0.1, 0.6, (size, 1))
        curve_db += generator.uniform(-6, 6, (size, 1)) * np.exp(-(((place - centre) / width) ** 2))
    curve_db *= generator.random((size, 1)) < how.equalised
    curve_db += generator.uniform(*how.gain_db, (size, 1)) * (generator.random((size, 1)) < how.gained)
    return (10 ** (curve_db / 20)).astype(np.float32)[:, None, :]
