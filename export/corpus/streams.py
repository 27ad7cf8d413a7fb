"""Labelled audio, wherever it comes from: a `Corpus` of `Stream`s of `Clip`s."""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import soundfile
import soxr

from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.naming import plain_name, unique_names
from export.corpus.recipe import Label, Split
from export.errors import CorpusError

AUDIO_SUFFIXES = (".flac", ".wav", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff")
"""What soundfile reads; anything else must be converted first."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One source recording inside a stream."""

    start_s: float
    """From the start of the stream's audio file."""
    duration_s: float
    category: str
    """The kind of sound, for example `orchestral` or `vehicle`."""
    source_path: str
    """Where it came from, for example the path inside the package."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Audio of one label from one source package, in one file; `assemble` names it."""

    package: str
    """The source: all of it lies in one split."""
    label: Label
    split: Split
    path: Path
    clips: tuple[Clip, ...]
    """In order of time."""
    place: str = ""
    """Its file's path within the package, where that has several files of the label; otherwise empty."""
    name: str = ""
    """Unique in a corpus, and fit for a file name: PACKAGE__LABEL where that is enough."""

    def __post_init__(self) -> None:  # noqa: D105 - fills `name`
        if not self.name:
            object.__setattr__(self, "name", plain_name(self.package, self.label))

    @property
    def key(self) -> str:
        """Seeds its rooms, levels and mixtures; unique in a corpus."""
        return "/".join((self.package, self.label, self.place) if self.place else (self.package, self.label))

    @property
    def is_mixed(self) -> bool:
        """Whether speech or ambience lies over the music; clean examples leave these out."""
        return self.label == "mixed"

    @property
    def is_ambience(self) -> bool:
        """Whether this is one of the extra ambience recordings."""
        return self.package.startswith("ambience/")

    @property
    def duration_s(self) -> float:
        """The clips' total length in seconds."""
        return sum(clip.duration_s for clip in self.clips)

    def read(self, start_s: float = 0.0, duration_s: float | None = None) -> FloatArray:
        """Decode the audio or a part of it; a duration of None reads to the end.

        Returns:
            (n,) float32 in [-1, 1], mono, 16 kHz; shorter than asked for where the file ends.

        Raises:
            CorpusError: the file cannot be read.
        """
        try:
            with soundfile.SoundFile(self.path) as file:
                rate = file.samplerate
                file.seek(min(round(start_s * rate), file.frames))
                frames = -1 if duration_s is None else round(duration_s * rate)
                samples = cast("FloatArray", file.read(frames, dtype="float32", always_2d=True)).mean(axis=1)
        except (soundfile.LibsndfileError, OSError) as error:
            raise CorpusError(f"{self.path}: cannot read this audio: {error}") from error
        if rate != SAMPLE_RATE:
            samples = soxr.resample(samples, rate, SAMPLE_RATE)
        # Lossy codecs and resampling overshoot full scale; a converter would have clipped there.
        clipped: FloatArray = np.clip(samples, -1.0, 1.0)
        return clipped


@dataclass(frozen=True, slots=True)
class Corpus:
    """Labelled audio, split by source package."""

    root: Path
    streams: tuple[Stream, ...]
    """Sorted by package and label; each has a name of its own."""
    version: str
    """12 hex digits of a SHA-256 over the recipe, the splits and every clip: the same data have the same version
    wherever they lie. Sidecars state it as the version of the training data."""

    @property
    def packages(self) -> frozenset[str]:
        """Every source package in it."""
        return frozenset(stream.package for stream in self.streams)

    def select(self, *, split: Split, label: Label | None = None) -> tuple[Stream, ...]:
        """The streams of a split and a label; None is any."""
        return tuple(each for each in self.streams if each.split == split and label in (None, each.label))


def assemble(root: Path, streams: Iterable[Stream], *, salt: str = "") -> Corpus:
    """Sort streams, name them and compute the version, which depends on `salt` too."""
    ordered = sorted(streams, key=lambda stream: (stream.package, stream.label, stream.path.name, stream.place))
    digest = hashlib.sha256(salt.encode())
    for stream in ordered:
        digest.update(f"\n{stream.package}\t{stream.label}\t{stream.split}".encode())
        for clip in stream.clips:
            row = f"\n{clip.start_s:.4f}\t{clip.duration_s:.4f}\t{clip.category}\t{clip.source_path}"
            digest.update(row.encode())
    return Corpus(root, _named(ordered), digest.hexdigest()[:12])


def _named(streams: Sequence[Stream]) -> tuple[Stream, ...]:
    """Each with a unique name, and with its place only where its package has several files of the label."""
    together = Counter((stream.package, stream.label) for stream in streams)
    sources = [
        (each.package, each.label, each.place if together[each.package, each.label] > 1 else "")
        for each in streams
    ]
    return tuple(
        replace(stream, place=source[2], name=name)
        for stream, source, name in zip(streams, sources, unique_names(sources), strict=True)
    )


def audio_length_s(path: Path) -> float:
    """How long an audio file is, in seconds, without decoding it.

    Raises:
        CorpusError: there is no such file, or it is no audio that soundfile reads.
    """
    if not path.is_file():
        raise CorpusError(f"{path}: no such file")
    try:
        return float(soundfile.info(path).duration)
    except soundfile.LibsndfileError as error:
        raise CorpusError(f"{path}: not readable as audio; convert it with ffmpeg or leave it out") from error


def read_rows(path: Path, required: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with their line numbers.

    Raises:
        CorpusError: the file cannot be read, lacks a column, has no rows, or a row is cut short.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = [(reader.line_num, row) for row in reader]
            columns = reader.fieldnames or []
    except OSError as error:
        raise CorpusError(f"{path}: cannot read it: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{path}: not a CSV file in UTF-8: {error}") from error
    if missing := [name for name in required if name not in columns]:
        raise CorpusError(f"{path}: column {missing[0]!r} is missing; the first line must name the columns")
    if not rows:
        raise CorpusError(f"{path}: no rows")
    for line, row in rows:
        if short := [name for name in columns if row.get(name) is None]:
            raise CorpusError(f"{path}, line {line}: no value for {short[0]!r}")
    return rows
