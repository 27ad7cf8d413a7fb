"""Programmes: music and everything else in turn, as on a radio, with every boundary known to the sample.

They show how well a recording is cut where the music begins and ends. A seed fixes them, and all of a programme is
of one split.
"""

import zlib
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.augment import record
from export.corpus.excerpts import Excerpt, at_active_level, draw
from export.corpus.joins import LEVEL_DBFS, LONGEST_LEAD_S, Pools, lead_s
from export.corpus.recipe import Split
from export.corpus.streams import Corpus

PIECES = (4, 8)
"""Pieces in a programme: at least, and less than."""

PIECE_S = (4.0, 24.0)
"""Of a piece, drawn uniformly."""


@dataclass(frozen=True, slots=True)
class Programme:
    """Pieces in turn of music and of no music; made when it is read."""

    pieces: tuple[Excerpt, ...]
    begins_with_music: bool

    @property
    def boundaries(self) -> tuple[int, ...]:
        """Where pieces meet, in samples."""
        return tuple(accumulate(piece.samples for piece in self.pieces))[:-1]

    @property
    def samples(self) -> int:
        """How long it is."""
        return sum(piece.samples for piece in self.pieces)

    def read(self) -> FloatArray:
        """(n,) float32 in [-1, 1], 16 kHz mono.

        Raises:
            CorpusError: a file of the corpus cannot be read.
        """
        return record(np.concatenate([at_active_level(piece.read(), LEVEL_DBFS) for piece in self.pieces]))


def programmes(corpus: Corpus, split: Split, *, count: int, seed: int) -> list[Programme]:
    """Draw `count` programmes of a split; the seed fixes them. Pieces are drawn as for joins.

    Raises:
        ExportError: the split lacks music that is long enough, or anything else.
        CorpusError: a file of the corpus cannot be read.
    """
    pools = Pools.of(corpus, split)
    return [_draw(np.random.default_rng((seed, zlib.crc32(split.encode()), turn)), pools) for turn in range(count)]


def _draw(generator: np.random.Generator, pools: Pools) -> Programme:
    begins_with_music = bool(generator.integers(2))
    pieces: list[Excerpt] = []
    wanted = int(generator.integers(*PIECES))
    while len(pieces) < wanted:
        samples = round(generator.uniform(*PIECE_S) * SAMPLE_RATE)
        if (len(pieces) % 2 == 0) == begins_with_music:
            package = pools.music[int(generator.integers(len(pools.music)))]
            piece = draw(generator, package, samples, left_s=samples / SAMPLE_RATE)
            if lead_s(piece.read()) > LONGEST_LEAD_S:
                continue  # nobody could hear where it begins
        else:
            piece = draw(generator, pools.others[int(generator.integers(len(pools.others)))], samples)
        pieces.append(piece)
    return Programme(tuple(pieces), begins_with_music)
