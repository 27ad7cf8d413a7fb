"""Joins at one sample each: something else, then music, then something else again.

They show how late a device notices a start and a stop. A seed fixes them, and all of a join is of one split.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.augment import record
from export.corpus.excerpts import Excerpt, Material, at_active_level, by_package, draw, is_speech, materials
from export.corpus.recipe import Split
from export.corpus.streams import Clip, Corpus
from export.errors import ExportError

BEFORE_S = (10.0, 20.0)
"""No music before the start, drawn uniformly: the start falls anywhere between two answers."""

MUSIC_S = (20.0, 30.0)
"""Longer than any model looks back, and than any minimum duration."""

AFTER_S = 25.0

LEVEL_DBFS = -20.0
"""RMS of the active parts of each piece; peaks are clipped as `record` does."""

NEAR_SILENCE_DBFS = -50.0
"""Below this nobody could hear where the music begins."""

LONGEST_LEAD_S = 0.3
"""A join whose music begins with more near-silence is skipped."""

_FRAME_SAMPLES = SAMPLE_RATE // 100
_TRIES = 20
"""Draws for each wanted join before giving up."""


@dataclass(frozen=True, slots=True)
class Join:
    """A start and a stop of music; made when it is read."""

    before: Excerpt
    music: Excerpt
    after: Excerpt

    @property
    def onset(self) -> int:
        """Where the music begins, in samples."""
        return self.before.samples

    @property
    def offset(self) -> int:
        """Where it ends, in samples."""
        return self.before.samples + self.music.samples

    def read(self) -> FloatArray:
        """(n,) float32 in [-1, 1], 16 kHz mono.

        Raises:
            CorpusError: a file of the corpus cannot be read.
        """
        pieces = (self.before.read(), self.music.read(), self.after.read())
        return record(np.concatenate([at_active_level(piece, LEVEL_DBFS) for piece in pieces]))


@dataclass(frozen=True, slots=True)
class Pools:
    """What pieces are drawn from."""

    music: Sequence[Sequence[Material]]
    """By package: every package has the same chance."""
    others: Sequence[Sequence[Material]]
    """Speech, ambience and effects, those that there are: every kind has the same chance."""

    @classmethod
    def of(cls, corpus: Corpus, split: Split) -> "Pools":
        """All of a split.

        Raises:
            ExportError: it lacks music that is long enough, or anything else.
        """
        streams = corpus.select(split=split)
        music = by_package(
            each
            for each in materials(stream for stream in streams if stream.label == "music")
            if each.duration_s > MUSIC_S[1]
        )
        others = [stream for stream in streams if stream.label == "no_music"]
        kinds = list(filter(None, (materials(others, wanted) for wanted in (is_speech, _is_ambience, _is_effect))))
        if not music or not kinds:
            lacking = "anything without music" if music else f"music of at least {MUSIC_S[1]:.0f} s"
            raise ExportError(
                f"the split {split!r} of {corpus.root} lacks {lacking} to join; build the corpus again"
            )
        return cls(music, kinds)


@dataclass(frozen=True, slots=True)
class Plan:
    """The joins of a split."""

    joins: tuple[Join, ...]
    skipped: int
    """Pieces of music that were drawn and left out because they begin with near-silence."""


def plan(corpus: Corpus, split: Split, *, count: int, seed: int) -> Plan:
    """Draw `count` joins of a split; the seed fixes them.

    Music: every package has the same chance, and so has every place in it that leaves room for the piece.
    No music: speech, ambience and effects have the same chance, and so has every second of these.

    Raises:
        ExportError: the split lacks music that is long enough, or anything else; or nearly all its music begins
            with
            near-silence wherever it is cut.
        CorpusError: a file of the corpus cannot be read.
    """
    pools = Pools.of(corpus, split)
    joins: list[Join] = []
    skipped = 0
    for turn in range(count * _TRIES):
        if len(joins) == count:
            break
        generator = np.random.default_rng((seed, zlib.crc32(split.encode()), turn))
        join = _draw(generator, pools)
        if lead_s(join.music.read()) > LONGEST_LEAD_S:
            skipped += 1
        else:
            joins.append(join)
    if len(joins) < count:
        raise ExportError(
            f"the split {split!r} of {corpus.root} gave only {len(joins)} of {count} joins: nearly all its music "
            "begins with near-silence wherever one cuts; look at the corpus"
        )
    return Plan(tuple(joins), skipped)


def _draw(generator: np.random.Generator, pools: Pools) -> Join:
    def other(low_s: float, high_s: float) -> Excerpt:
        samples = round(generator.uniform(low_s, high_s) * SAMPLE_RATE)
        return draw(generator, pools.others[int(generator.integers(len(pools.others)))], samples)

    package = pools.music[int(generator.integers(len(pools.music)))]
    long_s = generator.uniform(*MUSIC_S)
    piece = draw(generator, package, round(long_s * SAMPLE_RATE), left_s=long_s)
    return Join(before=other(*BEFORE_S), music=piece, after=other(AFTER_S, AFTER_S))


def _is_ambience(clip: Clip) -> bool:
    return clip.category == "ambience"


def _is_effect(clip: Clip) -> bool:
    return not is_speech(clip) and not _is_ambience(clip)


def lead_s(music: FloatArray) -> float:
    """Seconds of near-silence at the beginning of a piece.

    That is, frames of 10 ms whose RMS is below -50 dBFS when the active parts of the piece are at -20 dBFS: 30 dB
    below the music itself.
    """
    loud = at_active_level(music, LEVEL_DBFS)
    frames = loud[: loud.size // _FRAME_SAMPLES * _FRAME_SAMPLES].reshape(-1, _FRAME_SAMPLES)
    audible = np.flatnonzero(
        np.mean(np.square(frames, dtype=np.float64), axis=1) >= 10 ** (NEAR_SILENCE_DBFS / 10)
    )
    return (int(audible[0]) if audible.size else len(frames)) * _FRAME_SAMPLES / SAMPLE_RATE
