"""The corpus by what is in it: music, speech, and everything else, ready to draw pieces from.

Packages are drawn by the root of their length, so that neither the longest one nor the shortest ones decide.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import soxr

from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.augment import record
from export.corpus.features import Sound
from export.corpus.streams import Stream
from export.errors import ExportError

Part = Literal["music", "speech", "ambience", "effects", "synthetic"]

_GAP_S = (0.1, 1.5)
"""Silence between repetitions of a package that is shorter than what is wanted of it."""

_SPEEDS: Mapping[Part, tuple[float, float]] = {
    "music": (0.94, 1.06),
    "speech": (0.85, 1.18),
    "ambience": (0.75, 1.3),
    "effects": (0.75, 1.3),
    "synthetic": (1.0, 1.0),
}
"""How much slower or faster, and with it lower or higher, a piece may be played."""

_SPEED_CHANCE = 0.5


@dataclass(frozen=True, slots=True)
class Track:
    """What one package has of one part."""

    package: str
    samples: npt.NDArray[np.int16]
    """(n,) 16 kHz mono."""


class Pool:
    """Tracks of one part."""

    def __init__(self, part: Part, tracks: Sequence[Track]) -> None:
        self.part = part
        self.tracks = tracks
        lengths = np.sqrt([max(1, track.samples.size) for track in tracks])
        self._edges = np.cumsum(lengths / lengths.sum())

    def draw(self, generator: np.random.Generator, samples: int) -> tuple[str, FloatArray]:
        """A random piece of a random package, perhaps a little faster or slower than it was.

        Returns:
            The package, and (samples,) float32.
        """
        track = self.tracks[min(int(np.searchsorted(self._edges, generator.random())), len(self.tracks) - 1)]
        low, high = _SPEEDS[self.part]
        speed = generator.uniform(low, high) if generator.random() < _SPEED_CHANCE else 1.0
        wanted = int(np.ceil(samples * speed)) + 64
        source = track.samples
        if source.size >= wanted:
            begin = int(generator.integers(0, source.size - wanted + 1))
            piece = source[begin : begin + wanted].astype(np.float32) / np.float32(32768)
        else:
            piece = _repeated(source, wanted, generator)
        if speed != 1.0:
            piece = soxr.resample(piece, SAMPLE_RATE * speed, SAMPLE_RATE, quality="MQ")
        return track.package, piece[:samples]


def _repeated(source: npt.NDArray[np.int16], wanted: int, generator: np.random.Generator) -> FloatArray:
    piece = np.zeros(wanted, np.float32)
    at = 0
    while at < wanted:
        part = source[: wanted - at]
        piece[at : at + part.size] = part.astype(np.float32) / np.float32(32768)
        at += part.size + int(generator.uniform(*_GAP_S) * SAMPLE_RATE)
    return piece


def pools(streams: Iterable[Stream], extra: Iterable[Sound] = ()) -> dict[Part, Pool]:
    """Read everything into memory, 16 bit a sample: 115 MB an hour.

    Args:
        streams: of one split; `mixed` ones are left out, because their moments of music are unknown.
        extra: synthesised sounds, `espeak/...` or `synthetic/...`, all no music.

    Raises:
        ExportError: there is no music, no speech or nothing else.
    """
    gathered: dict[Part, dict[str, list[npt.NDArray[np.int16]]]] = defaultdict(lambda: defaultdict(list))
    for stream in streams:
        if stream.is_mixed:
            continue
        whole = (record(stream.read()) * 32768).astype(np.int16)
        for clip in stream.clips:
            begin = round(clip.start_s * SAMPLE_RATE)
            gathered[_part(stream, clip.category)][stream.package].append(
                whole[begin : begin + round(clip.duration_s * SAMPLE_RATE)]
            )
    for sound in extra:
        part: Part = "speech" if sound.package.startswith("espeak/") else "synthetic"
        gathered[part][sound.package].append((record(sound.read()) * 32768).astype(np.int16))
    found = {
        part: Pool(part, [Track(package, np.concatenate(pieces)) for package, pieces in sorted(packages.items())])
        for part, packages in gathered.items()
    }
    for part in ("music", "speech", "effects"):
        if part not in found:
            raise ExportError(f"the corpus has no {part} to train with; build it again")
    return found


def _part(stream: Stream, category: str) -> Part:
    if stream.label == "music":
        return "music"
    if category == "speech":
        return "speech"
    return "ambience" if stream.is_ambience or category == "ambience" else "effects"
