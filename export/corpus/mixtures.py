"""Speech over music, as from a radio in a kitchen, and speech over noise, to be told from it.

Both are made in the same way, of one split: speech, and something else 5 dB below to 10 dB above it. Where that is
music, the mixture counts as music. A seed fixes everything.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.augment import NOISES, at_level, noise, record
from export.corpus.excerpts import Excerpt, Material, at_active_level, draw, is_speech, materials
from export.corpus.features import SECTION_S
from export.corpus.recipe import Split
from export.corpus.streams import Corpus, Stream

OTHER_ABOVE_SPEECH_DB = (-5.0, 10.0)
"""Music or noise relative to the speech, drawn uniformly in dB; both by the RMS of their active parts."""

LEVEL_DBFS = -20.0
"""RMS of the whole mixture; peaks are clipped as `record` does."""

REPEATS = 2
"""Mixtures of each section of music, each with other speech at another ratio."""

_SHORTEST_S = 1.0
"""A last section that is shorter is left out unless it is all there is, as in `export.corpus.features`."""

_SYNTHETIC_SHARE = 0.5
"""Of the noises; the others are recorded, where the split has any."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Synthetic noise, made when it is read; the same each time."""

    kind: str
    """One of `export.corpus.augment.NOISES`."""
    seed: tuple[int, ...]
    samples: int

    def read(self) -> FloatArray:
        """(samples,) float32."""
        return noise(np.random.default_rng(self.seed), self.kind, self.samples)


@dataclass(frozen=True, slots=True)
class Mixture:
    """Speech with something else; made when it is read."""

    music: bool
    """Whether the something else is music."""
    speech: Excerpt
    other: Excerpt | Noise
    above_db: float
    """How far the other lies above the speech."""
    labelled: Excerpt
    """The section that the label comes from: the music, or the speech where there is none."""

    @property
    def package(self) -> str:
        """Of the labelled section: the unit of the bootstrap."""
        return self.labelled.package

    @property
    def stream(self) -> Stream:
        """Of the labelled section."""
        return self.labelled.material.stream

    def read(self) -> FloatArray:
        """(samples,) float32 in [-1, 1], 16 kHz mono.

        Raises:
            CorpusError: a file of the corpus cannot be read.
        """
        mixed = at_active_level(self.speech.read(), 0.0) + at_active_level(self.other.read(), self.above_db)
        return record(at_level(mixed, LEVEL_DBFS))


def mixtures(corpus: Corpus, split: Split, *, seed: int, repeats: int = REPEATS) -> tuple[Mixture, ...]:
    """Plan the mixtures of a split: each section of its music under speech, and as much speech over noise.

    Args:
        corpus: whose streams; `mixed` ones, in which the moments of music are unknown, take no part.
        split: all of a mixture comes from it.
        seed: fixes all choices. One mixture's choices do not depend on how many others there are.
        repeats: mixtures of each section of music.

    Returns:
        First the music, then as many seconds of noise; the same speech may come again with another noise. Nothing
        if the split lacks music or speech.
    """
    streams = corpus.select(split=split)
    speech = materials((stream for stream in streams if stream.label == "no_music"), is_speech)
    music = materials(stream for stream in streams if stream.label == "music")
    other = materials(
        (stream for stream in streams if stream.label == "no_music"), lambda clip: not is_speech(clip)
    )
    if not speech or not music:
        return ()
    positives = [_over_music(section, speech, (seed, *key)) for section, key in _sections(music, repeats)]
    wanted = sum(mixture.labelled.samples for mixture in positives)
    return (*positives, *_over_noises(speech, other, wanted, seed=seed, split=split))


def _sections(choice: Sequence[Material], repeats: int) -> Iterator[tuple[Excerpt, tuple[int, int, int]]]:
    """Every section of the materials, `repeats` times each, with a unique key."""
    for material in choice:
        name = zlib.crc32(material.stream.key.encode())
        starts_s = np.arange(0.0, max(_SHORTEST_S, material.duration_s - _SHORTEST_S), SECTION_S)
        for number, start_s in enumerate(starts_s):
            samples = round(min(SECTION_S, material.duration_s - start_s) * SAMPLE_RATE)
            for repeat in range(repeats):
                yield Excerpt(material, float(start_s), samples), (name, number, repeat)


def _over_music(section: Excerpt, speech: Sequence[Material], seed: tuple[int, ...]) -> Mixture:
    generator = np.random.default_rng(seed)
    above_db = generator.uniform(*OTHER_ABOVE_SPEECH_DB)
    return Mixture(
        music=True,
        speech=draw(generator, speech, section.samples),
        other=section,
        above_db=above_db,
        labelled=section,
    )


def _over_noises(
    speech: Sequence[Material], recorded: Sequence[Material], wanted: int, *, seed: int, split: str
) -> Iterator[Mixture]:
    """The speech again and again, each time in another order, until there are enough samples."""
    done = 0
    turn = 0
    while done < wanted:
        order = np.random.default_rng((seed, zlib.crc32(split.encode()), turn))
        sections = list(_sections(speech, 1))
        for index in order.permutation(len(sections)):
            section, (name, number, _) = sections[index]
            yield _over_noise(section, recorded, (seed, name, number, turn))
            done += section.samples
            if done >= wanted:
                break
        turn += 1


def _over_noise(section: Excerpt, recorded: Sequence[Material], seed: tuple[int, ...]) -> Mixture:
    generator = np.random.default_rng(seed)
    above_db = generator.uniform(*OTHER_ABOVE_SPEECH_DB)
    synthetic = generator.uniform() < _SYNTHETIC_SHARE or not recorded
    other = (
        Noise(str(generator.choice(NOISES)), (*seed, 1), section.samples)
        if synthetic
        else draw(generator, recorded, section.samples)
    )
    return Mixture(music=False, speech=section, other=other, above_db=above_db, labelled=section)
