"""Small corpora on disk and models that hear little, for tests of evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from hearing_fakes import chord, clicks, noise, time_axis

from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.dataset import COLUMNS, load_corpus
from export.corpus.recipe import Label, Split
from export.corpus.streams import Clip, Corpus, Stream, assemble
from export.evaluation.hearing import Ear, Heard, segment_ends

Made = tuple[str, str, Sequence[tuple[str, FloatArray]]]
"""A stream: package, label, and its clips with their categories."""


def write_corpus(root: Path, streams: Sequence[Made]) -> Corpus:
    """A corpus as the builder lays it out; the packages must be in the recipe's splits."""
    lines = [",".join(COLUMNS)]
    for package, label, clips in streams:
        file = f"{package}__{label}.wav"
        soundfile.write(root / file, np.concatenate([samples for _, samples in clips]), SAMPLE_RATE)
        start_s = 0.0
        for number, (category, samples) in enumerate(clips):
            duration_s = samples.size / SAMPLE_RATE
            lines.append(f"{file},{label},{category},{package},{start_s},{duration_s},{category}/{number}")
            start_s += duration_s
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")
    return load_corpus(root)


def album(root: Path, split: Split = "test", *, long_s: float = 36.0) -> Corpus:
    """A package of three files of music that sound alike, one of one file, and one of two files of speech."""
    streams = []
    made = {"gig/a": song(long_s), "gig/b": song(long_s), "gig/c": song(long_s), "radio/a": song(long_s)}
    made |= {"desk/a": talk(long_s / 2), "desk/b": talk(long_s / 2)}
    for number, (place, samples) in enumerate(made.items()):
        package, _, file = place.partition("/")
        label: Label = "no_music" if package == "desk" else "music"
        path = root / f"{number}.wav"
        soundfile.write(path, samples, SAMPLE_RATE)
        clip = Clip(0.0, samples.size / SAMPLE_RATE, "speech" if package == "desk" else "pop", place)
        streams.append(Stream(package, label, split, path, (clip,), place=file))
    return assemble(root, streams)


def song(seconds: float, *, number: int = 0) -> FloatArray:
    """Chords that change twice a second, and a beat."""
    root = 1 + 0.07 * number
    steps = [(1.0, 1.26, 1.5), (1.33, 1.68, 2.0), (1.5, 1.89, 2.24), (1.0, 1.2, 1.5)]
    chords = [chord(0.5, frequencies_hz=[261.63 * root * step for step in steps[i % 4]]) for i in range(4)]
    harmony = np.tile(np.concatenate(chords), 1 + int(seconds / 2))[: round(seconds * SAMPLE_RATE)]
    beat = clicks(seconds, np.arange(0.05, seconds - 0.1, 0.5), seed=number)
    return np.clip(0.5 * harmony + 0.4 * beat, -1, 1).astype(np.float32)


def talk(seconds: float, *, number: int = 0) -> FloatArray:
    """Bursts of noise like syllables, with pauses, never in time."""
    generator = np.random.default_rng(number)
    knots = np.sort(generator.uniform(0, seconds, max(2, int(6 * seconds))))
    loudness = np.interp(time_axis(seconds), knots, generator.uniform(0, 1, knots.size) ** 2)
    return (noise(seconds, level_dbfs=-12, seed=number) * loudness).astype(np.float32)


def small_corpus(root: Path, *, music_s: float = 36.0) -> Corpus:
    """A test and a validation split with music, two packages of `music_s` each in test, and without."""
    return write_corpus(
        root,
        [
            ("ardentryst", "music", [("fantasy", song(music_s))]),
            ("gamine-data", "music", [("classical", song(music_s, number=1))]),
            ("klettres-data", "no_music", [("speech", talk(music_s / 2)), ("game_sfx", noise(music_s / 6))]),
            ("plee-the-bear-data", "no_music", [("ambience", noise(music_s / 3, level_dbfs=-30, seed=1))]),
            ("asc-music", "music", [("orchestral", song(music_s / 1.8, number=2))]),
            ("festvox-ru", "no_music", [("speech", talk(music_s / 2.25, number=1))]),
            ("btanks-data", "no_music", [("weapon", noise(8, seed=2))]),
        ],
    )


@dataclass(frozen=True, slots=True)
class SteadyEar:
    """Says how steady the loudness is: high for chords, low for syllables. An answer a second."""

    bias: float = 0.0

    def hear(self, samples: FloatArray) -> Heard:
        """As many answers as there are seconds, at least one."""
        power = np.array(
            [np.mean(np.square(each)) for each in np.array_split(samples, max(1, samples.size // 1600))]
        )
        spread = float(np.std(np.sqrt(power)) / (np.mean(np.sqrt(power)) + 1e-9))
        steady = np.float32(np.clip(1 - spread + self.bias, 0, 1))
        count = max(1, samples.size // SAMPLE_RATE)
        return Heard(np.full(count, steady), np.full(len(segment_ends(samples.size)), steady))


@dataclass(frozen=True, slots=True)
class SteadyScorer:
    """A model that is nowhere on disk; it notes in a folder, if it has one, each time it is opened."""

    name: str = "steady"
    digest: str = "1"
    notes: Path | None = None
    bias: float = 0.0

    def open(self) -> Ear:
        """Ready at once."""
        if self.notes is not None:
            (self.notes / f"{self.name}-{len(list(self.notes.iterdir()))}").touch()
        return SteadyEar(self.bias)
