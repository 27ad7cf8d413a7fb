"""Parts of streams by kind of sound (`Material`: all the speech of one, for example) and stretches of these."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.streams import Clip, Stream

SPEECH = "speech"
"""The category of clips in which somebody speaks."""

_FRAME_SAMPLES = SAMPLE_RATE // 10

_ACTIVE_DB = 30.0

_TOUCHING_S = 0.001
"""Clips that are no further apart count as end to end: the manifest rounds to a tenth of this."""


@dataclass(frozen=True, slots=True)
class Material:
    """The parts of one stream that are of one kind, heard end to end."""

    stream: Stream
    spans: tuple[tuple[float, float], ...]
    """Start and duration of each part in the stream's file, seconds."""

    @property
    def package(self) -> str:
        """Where it comes from."""
        return self.stream.package

    @property
    def duration_s(self) -> float:
        """Of all parts together, seconds."""
        return sum(duration_s for _, duration_s in self.spans)

    def read(self, start_s: float, samples: int) -> FloatArray:
        """(samples,) float32 from a place on; after the end it goes on from the beginning.

        There is silence where the file ends before its last clip should.

        Raises:
            CorpusError: the file cannot be read.
        """
        spans = [(round(span_s * SAMPLE_RATE), round(long_s * SAMPLE_RATE)) for span_s, long_s in self.spans]
        heard = np.zeros(samples, np.float32)
        total = sum(length for _, length in spans)
        if not total:
            return heard
        skip = round(start_s * SAMPLE_RATE) % total
        filled = 0
        for begin, length in itertools.cycle(spans):
            if filled >= samples:
                break
            take = min(max(0, length - skip), samples - filled)
            if take:
                piece = self.stream.read((begin + skip) / SAMPLE_RATE, take / SAMPLE_RATE)[:take]
                heard[filled : filled + piece.size] = piece
            filled += take
            skip = max(0, skip - length)
        return heard


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of a material."""

    material: Material
    start_s: float
    samples: int

    @property
    def package(self) -> str:
        """Where it comes from."""
        return self.material.package

    def read(self) -> FloatArray:
        """(samples,) float32.

        Raises:
            CorpusError: the file cannot be read.
        """
        return self.material.read(self.start_s, self.samples)


def materials(streams: Iterable[Stream], wanted: Callable[[Clip], bool] = lambda _clip: True) -> list[Material]:
    """The wanted clips of each stream; streams without any are left out."""
    found = []
    for stream in streams:
        spans: list[tuple[float, float]] = []
        for clip in filter(wanted, stream.clips):
            if spans and clip.start_s - sum(spans[-1]) <= _TOUCHING_S:
                spans[-1] = (spans[-1][0], clip.start_s + clip.duration_s - spans[-1][0])
            else:
                spans.append((clip.start_s, clip.duration_s))
        if spans:
            found.append(Material(stream, tuple(spans)))
    return found


def by_package(found: Iterable[Material]) -> list[list[Material]]:
    """The materials of each package together, in the order of the packages' first ones."""
    together: dict[str, list[Material]] = {}
    for material in found:
        together.setdefault(material.package, []).append(material)
    return list(together.values())


def is_speech(clip: Clip) -> bool:
    """Whether somebody speaks in it."""
    return clip.category == SPEECH


def draw(
    generator: np.random.Generator, choice: Sequence[Material], samples: int, *, left_s: float = 0.0
) -> Excerpt:
    """A stretch of the materials; it begins at each second of them with the same chance.

    It stays in one material, so that one voice goes on; a short one is repeated.

    Args:
        generator: decides.
        choice: at least one, each longer than `left_s`.
        samples: how long the stretch is.
        left_s: no stretch begins in these last seconds of a material.
    """
    lengths_s = [material.duration_s - left_s for material in choice]
    ends_s = np.cumsum(lengths_s)
    at_s = generator.uniform(0.0, ends_s[-1])
    index = min(int(np.searchsorted(ends_s, at_s, side="right")), len(choice) - 1)
    start_s = max(0.0, at_s - (ends_s[index] - lengths_s[index]))
    return Excerpt(choice[index], float(start_s), samples)


def active_rms(samples: FloatArray) -> float:
    """RMS of the active parts: tenths of a second no more than 30 dB below the loudest of them.

    Pauses between words and bars do not count. The idea is that of the active speech level of ITU-T P.56.

    Returns:
        0 for silence. A sound shorter than a tenth of a second counts whole.
    """
    power = np.square(samples, dtype=np.float64)
    whole = power.size // _FRAME_SAMPLES
    frames = power[: whole * _FRAME_SAMPLES].reshape(whole, _FRAME_SAMPLES).mean(axis=1) if whole else power
    if not frames.size or frames.max() <= 0:
        return 0.0
    return float(np.sqrt(frames[frames >= frames.max() * 10 ** (-_ACTIVE_DB / 10)].mean()))


def at_active_level(samples: FloatArray, level_dbfs: float) -> FloatArray:
    """Scale so that the active parts have an RMS level; silence stays silence. Peaks may pass 1."""
    rms = active_rms(samples)
    return samples * np.float32(10 ** (level_dbfs / 20) / rms) if rms > 0 else samples
