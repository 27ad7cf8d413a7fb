"""The corpus as feature vectors: every stream as it is, at another level with noise, and in a room.

The features are the device's own (`device.hearing.statistics`), computed patch by patch as on the device: every
row is an answer that the device would have to give, also at the start of a recording.
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from device.hearing.front_end.stream import FrontEnd
from device.hearing.patch_cutter import PatchCutter
from device.hearing.statistics.statistics import NAMES, VERSION, WindowStatistics
from device.sound import SAMPLE_RATE, FloatArray
from export.columns import Columns
from export.corpus.augment import NOISES, at_level, in_a_room, noise, record
from export.corpus.naming import plain_name, refuse_alike
from export.corpus.streams import Stream
from export.workers import run_all

Variant = Literal["clean", "level", "room"]

VARIANTS: tuple[Variant, ...] = ("clean", "level", "room")

SECTION_S = 48.0
"""Streams are cut into sections; each has its own room, level and noise."""

SEED = 20_261_123

REPEATS = 2
"""Levels and rooms of each section."""


class Sound(Protocol):
    """What is needed of a corpus's stream."""

    @property
    def package(self) -> str:
        """Where it comes from: the unit of splitting and of the bootstrap."""

    @property
    def label(self) -> str:
        """`music`, `no_music` or `mixed`."""

    @property
    def split(self) -> str:
        """`train`, `validation` or `test`."""

    def read(self) -> FloatArray:
        """(n,) float32, 16 kHz mono."""


def name_of(sound: Sound) -> str:
    """The name of a sound in file names."""
    return sound.name if isinstance(sound, Stream) else plain_name(sound.package, sound.label)


def key_of(sound: Sound) -> str:
    """The seed of its rooms, levels and noises."""
    return sound.key if isinstance(sound, Stream) else f"{sound.package}/{sound.label}"


@dataclass(frozen=True, slots=True)
class Rows(Columns):
    """Feature vectors with what is known of each."""

    features: FloatArray
    """(n, len(NAMES))."""
    music: npt.NDArray[np.int8]
    """(n,) 1 for music."""
    mixed: npt.NDArray[np.bool_]
    """(n,) music under speech or ambience: kept apart in figures."""
    variant: npt.NDArray[np.str_]
    package: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]


def vectors(samples: FloatArray) -> FloatArray:
    """The device's features of a recording, one row a patch.

    Args:
        samples: (n,) float32, 16 kHz mono; padded with silence to one patch if shorter.

    Returns:
        (patches, len(NAMES)) float32.
    """
    front_end, window, cutter = FrontEnd(), WindowStatistics(), PatchCutter()
    patches = [*cutter.feed(samples), *cutter.finish()]
    return np.stack([window.push(patch, front_end.feed(patch)) for patch in patches])


def sections(samples: FloatArray) -> Iterator[FloatArray]:
    """Pieces of 48 s; a last piece under a second is left out unless it is all there is."""
    size = int(SECTION_S * SAMPLE_RATE)
    for begin in range(0, max(1, samples.size - SAMPLE_RATE), size):
        yield samples[begin : begin + size]


def vary(samples: FloatArray, variant: Variant, generator: np.random.Generator) -> FloatArray:
    """The section in a variant: as it is; at another level with some noise; or in a room."""
    if variant == "clean":
        return record(samples)
    if variant == "room":
        return in_a_room(samples, generator)
    rms = float(np.sqrt(np.mean(np.square(samples)))) if samples.size else 0.0
    floor = noise(generator, str(generator.choice(NOISES)), samples.size)
    noisy = samples + floor * np.float32(rms * 10 ** (-generator.uniform(10, 45) / 20))
    return record(at_level(noisy, generator.uniform(-50, -8)))


def versions(
    sound: Sound, section: FloatArray, number: int, variant: Variant, *, seed: int = SEED, repeats: int = REPEATS
) -> Iterator[FloatArray]:
    """A section of a sound in one variant: once clean, otherwise in `repeats` levels or rooms.

    The seed, `key_of` the sound, the number of the section (from 0) and the variant fix every random choice.
    """
    key = zlib.crc32(key_of(sound).encode())
    for repeat in range(1 if variant == "clean" else repeats):
        generator = np.random.default_rng([seed, key, number, VARIANTS.index(variant), repeat])
        yield vary(section, variant, generator)


def extract(sound: Sound, *, seed: int = SEED, repeats: int = REPEATS) -> Rows:
    """All rows of one stream; each section has `repeats` rooms and levels, which the seed fixes."""
    samples = sound.read()
    features: list[FloatArray] = []
    names: list[Variant] = []
    for number, section in enumerate(sections(samples)):
        for variant in VARIANTS:
            for varied in versions(sound, section, number, variant, seed=seed, repeats=repeats):
                rows = vectors(varied)
                features.append(rows)
                names.extend([variant] * len(rows))
    total = len(names)
    return Rows(
        features=np.concatenate(features),
        music=np.full(total, sound.label != "no_music", np.int8),
        mixed=np.full(total, sound.label == "mixed"),
        variant=np.array(names),
        package=np.full(total, sound.package),
        split=np.full(total, sound.split),
    )


def extract_all(
    sounds: Iterable[Sound], cache: Path, *, version: str, seed: int = SEED, jobs: int = 2, repeats: int = REPEATS
) -> Rows:
    """All rows of all streams. Each stream is computed once and kept, so an interrupted run goes on where it was.

    Args:
        sounds: the corpus.
        cache: folder for the rows, one file a stream.
        version: of the corpus: other data have another cache.
        seed: of the rooms, levels and noises of training and validation; those of the test split never change.
        jobs: processes.
        repeats: rooms and levels of each section.

    Raises:
        ExportError: two streams have one name.
    """
    folder = cache / f"{version}-{_fingerprint(seed, repeats)}"
    folder.mkdir(parents=True, exist_ok=True)
    todo = list(sounds)
    refuse_alike(map(name_of, todo), lost="rows")
    parts = run_all(
        partial(_cached, folder=folder, seed=seed, repeats=repeats),
        todo,
        jobs=jobs,
        unit="stream",
        describe=lambda sound, rows: f"{name_of(sound)}: {len(rows.music)} rows",
    )
    return Rows.join(parts)


@dataclass(frozen=True, slots=True)
class _Probe:
    """A short known sound: its features tell one version of the code from another."""

    package: str = "probe"
    label: str = "music"
    split: str = "train"

    def read(self) -> FloatArray:
        generator = np.random.default_rng(SEED)
        return at_level(noise(generator, "pink", 4 * SAMPLE_RATE), -20.0)


def _fingerprint(seed: int, repeats: int) -> str:
    """Changes with anything that changes the rows: the statistics, the augmentation, their versions."""
    rows = extract(_Probe(), repeats=repeats)
    stated = f"{VERSION}/{seed}/{SECTION_S}/{VARIANTS}/{repeats}/{NAMES}"
    # Rounded: another processor's last bit is no reason to begin again.
    return hashlib.sha256(stated.encode() + np.round(rows.features, 2).tobytes()).hexdigest()[:12]


def _cached(sound: Sound, folder: Path, seed: int, repeats: int) -> Rows:
    path = folder / f"{name_of(sound)}.npz"
    if path.exists():
        return Rows.load(path)
    rows = extract(sound, seed=SEED if sound.split == "test" else seed, repeats=repeats)
    rows.save(path)
    return rows
