"""What models are evaluated on: the streams of a split in four variations, as sections of at most 48 s."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.excerpts import SPEECH
from export.corpus.features import REPEATS, SECTION_S, SEED, Sound, Variant, name_of, sections, versions
from export.corpus.mixtures import Mixture, mixtures
from export.corpus.recipe import Split
from export.corpus.streams import Clip, Corpus, Stream
from export.corpus.synthetic import SECONDS, synthetic_sounds

Variation = Literal["clean", "level", "room", "mixture"]

VARIATIONS: tuple[Variation, ...] = get_args(Variation)


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of sound that a device hears from its beginning."""

    samples: FloatArray
    """(n,) float32, 16 kHz mono."""
    music: bool
    package: str
    """The unit of the bootstrap."""
    category: str
    """The kind of sound that most of it is."""


@dataclass(frozen=True, slots=True)
class StreamTake:
    """One stream in one variant, as `export.corpus.features` makes it for training."""

    sound: Sound
    variation: Variant
    seed: int
    repeats: int = REPEATS
    """Levels or rooms of each section."""

    @property
    def name(self) -> str:
        """By variant and stream."""
        return f"{self.variation}__{name_of(self.sound)}"

    @property
    def duration_s(self) -> float:
        """Of the stream, once for each repetition."""
        once_s = self.sound.duration_s if isinstance(self.sound, Stream) else SECONDS
        return once_s * (1 if self.variation == "clean" else self.repeats)

    def sections(self) -> Iterator[Section]:
        """Every section of the stream, at so many levels or in so many rooms."""
        clips = self.sound.clips if isinstance(self.sound, Stream) else ()
        for number, section in enumerate(sections(self.sound.read())):
            begin_s = number * SECTION_S
            category = _majority(clips, begin_s, begin_s + section.size / SAMPLE_RATE)
            for samples in versions(
                self.sound, section, number, self.variation, seed=self.seed, repeats=self.repeats
            ):
                yield Section(samples, self.sound.label != "no_music", self.sound.package, category)


@dataclass(frozen=True, slots=True)
class MixtureTake:
    """The mixtures that are labelled by one stream."""

    mixtures: tuple[Mixture, ...]

    variation: ClassVar[Variation] = "mixture"

    @property
    def name(self) -> str:
        """By stream."""
        return f"mixture__{self.mixtures[0].stream.name}"

    @property
    def duration_s(self) -> float:
        """Of all mixtures."""
        return sum(mixture.labelled.samples for mixture in self.mixtures) / SAMPLE_RATE

    def sections(self) -> Iterator[Section]:
        """Each mixture; one of music has the category of the music."""
        for mixture in self.mixtures:
            begin_s = mixture.labelled.start_s
            end_s = begin_s + mixture.labelled.samples / SAMPLE_RATE
            category = _majority(mixture.stream.clips, begin_s, end_s) if mixture.music else SPEECH
            yield Section(mixture.read(), mixture.music, mixture.package, category)


Take = StreamTake | MixtureTake
"""A few sections that are scored together, the same ones each time, under a name that a file can have, too."""


def takes(corpus: Corpus, split: Split, *, seed: int, repeats: int = REPEATS) -> list[Take]:
    """Everything of a split, the longest first; `mixed` streams are left out, `train` has the synthetic sounds.

    The seed is that of rooms, levels, noises and mixtures; those of the test split never change. A section has so
    many levels, rooms and mixtures as `repeats` says.
    """
    seed = SEED if split == "test" else seed
    sounds: list[Sound] = [sound for sound in corpus.select(split=split) if not sound.is_mixed]
    sounds += [sound for sound in synthetic_sounds() if sound.split == split]
    found: list[Take] = []
    for variation in VARIATIONS:
        if variation != "mixture":
            found += [StreamTake(sound, variation, seed, repeats) for sound in sounds]
    by_stream: dict[Stream, list[Mixture]] = defaultdict(list)
    for mixture in mixtures(corpus, split, seed=seed, repeats=repeats):
        by_stream[mixture.stream].append(mixture)
    found += [MixtureTake(tuple(group)) for group in by_stream.values()]
    return sorted(found, key=lambda take: -take.duration_s)


def _majority(clips: Sequence[Clip], begin_s: float, end_s: float) -> str:
    """The category that has the most of a stretch of a stream; `synthetic` where there are no clips."""
    seconds: dict[str, float] = defaultdict(float)
    for clip in clips:
        shared_s = min(end_s, clip.start_s + clip.duration_s) - max(begin_s, clip.start_s)
        if shared_s > 0:
            seconds[clip.category] += shared_s
    return max(seconds, key=lambda category: (seconds[category], category), default="synthetic")
