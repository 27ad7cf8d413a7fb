"""What a model reads, as the `input` of its sidecar states it, kind by kind.

What is stated must be what this program computes. A value that is missing, of another type or out of its range is
refused with a sentence that names it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from device.errors import ModelError
from device.hearing.front_end.features import PATCH_FRAMES
from device.hearing.models.sidecar import Sidecar
from device.hearing.statistics.pooling import POOLINGS, Pooling, Standardisation
from device.hearing.statistics.statistics import NAMES, VERSION

HOP_FRAMES = 48
"""From one patch that a network reads to the next: 0.48 s, half a patch."""

STATISTICS = "statistics"
"""The embedder's name where a segment is made of the statistics, which need no embedder."""

LONGEST_WINDOW_PATCHES = 10
"""9.6 s: the transforms of the statistics hold 1,024 frames."""

MOST_RECENT_PATCHES = 120
"""About a minute: they overlap by half."""

MOST_SEGMENT_PATCHES = 60
"""About a minute: they do not overlap."""

_LARGEST_EMBEDDING = 4_096

_LARGEST_DISCOUNT = 20.0

_MEANS = (-1e15, 1e15)
_SCALES = (1e-15, 1e15)
_LIMITS = (1e-3, 1e6)
"""Of a standardisation: far beyond any real one's, and no float32 overflows within."""

_LOG_OFFSETS = (1e-6, 1.0)
"""What may be added before the logarithm. Without it silence has none."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")

_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")


@dataclass(frozen=True, slots=True)
class StatisticsInput:
    """Kind `statistics`: `device.hearing.statistics.statistics` of the latest patches."""

    window_patches: int

    @classmethod
    def read(cls, sidecar: Sidecar) -> Self:
        """Read and check.

        Raises:
            ModelError: the model was trained on other statistics, or on a window that is not computed here.
        """
        version = sidecar.input.get("statistics_version")
        if version != VERSION or sidecar.input.get("features") != list(NAMES):
            theirs = f"version {version!r}" if version != VERSION else "a different list"
            raise ModelError(
                f"model {sidecar.name!r} was trained on {theirs} of the statistics, not version {VERSION} "
                "as computed here; use a model and a program of the same release"
            )
        return cls(_whole(sidecar, "window_patches", 1, LONGEST_WINDOW_PATCHES))


@dataclass(frozen=True, slots=True)
class PatchInput:
    """Kind `patch`: (96, 64) log-mel patches, one every 48 frames, to scores and an embedding of each."""

    log_offset: float
    """Added to the mel magnitudes before the logarithm."""
    recent_patches: int
    """An answer is the mean score of this many patches."""
    embedding_name: str
    """Name of the output tensor that describes the patch."""
    embedding_size: int

    @classmethod
    def read(cls, sidecar: Sidecar) -> Self:
        """Read and check.

        Raises:
            ModelError: a value is missing, wrong, or not what this program computes.
        """
        _check_patches(sidecar)
        return cls(
            log_offset=_number(sidecar, "front_end.log_offset", *_LOG_OFFSETS),
            recent_patches=_whole(sidecar, "recent_patches", 1, MOST_RECENT_PATCHES),
            embedding_name=_text(sidecar, "embedding.name"),
            embedding_size=_whole(sidecar, "embedding.size", 1, _LARGEST_EMBEDDING),
        )


@dataclass(frozen=True, slots=True)
class SegmentInput:
    """Kind `segment`: embeddings of patches in a row, 0.96 s apart, which an embedder or the statistics make."""

    segment_patches: int
    """Embeddings in a segment."""
    recent_patches: int
    """Patches that an answer speaks for. The mean of the embedder's scores of them joins the segment's score. By
    default, where only the segment's score counts, all that the segment reaches over."""
    recent_weight: float
    """Share of that mean in the answer, 0 to 1. 0: only the segment's score counts, as it is."""
    segment_every: int
    """The segment is judged at every n-th patch, and the judgement kept in between, as it changes slowly. While it
    says music and the recent patches do not, it is judged at each."""
    quick_patches: int
    """This many patches in a row that are surely music count at once, whatever came before. 0: never."""
    quick_discount: float
    """How far, in log odds, the answer then lies below the lowest of their scores, if it is not higher anyway."""
    embedder_name: str
    """NAME of the embedder's sidecar, NAME.json; or `STATISTICS`."""
    embedder_sha256: str
    """Of the embedder's file, in lower case: another one's embeddings mean something else. Empty for the
    statistics."""
    statistics: StatisticsInput | None = None
    """The statistics of which a segment is made; None: an embedder makes it."""
    pooling: Pooling = "sequence"
    """`mean_std`: the model reads mean and deviation of each value over the segment, not the sequence."""
    standardisation: Standardisation | None = None
    """Of what the model reads; None: it reads it as it is."""

    @classmethod
    def read(cls, sidecar: Sidecar) -> Self:
        """Read and check.

        Raises:
            ModelError: a value is missing, wrong, or not what this program computes.
        """
        name, sha256, statistics = _embedder(sidecar)
        hop_frames = HOP_FRAMES if statistics is None else PATCH_FRAMES
        _check_patches(sidecar, hop_frames)
        segment_patches = _whole(sidecar, "segment_patches", 1, MOST_SEGMENT_PATCHES)
        reach = (segment_patches - 1) * (PATCH_FRAMES // hop_frames) + 1
        weight = _number(sidecar, "recent_weight", 0.0, 1.0)
        recent = _whole(sidecar, "recent_patches", 1, MOST_RECENT_PATCHES, absent=None if weight else reach)
        quick = _whole(sidecar, "quick_patches", 0, MOST_RECENT_PATCHES, absent=0)
        for key, value in (("recent_weight", weight), ("quick_patches", quick)):
            if statistics is not None and value:
                raise _refusal(sidecar, key, value, "0, as the statistics have no score of their own")
        pooling = _value(sidecar, "pooling", "sequence")
        if pooling not in POOLINGS:
            raise _refusal(sidecar, "pooling", pooling, " or ".join(map(repr, POOLINGS)))
        return cls(
            segment_patches=segment_patches,
            recent_patches=recent,
            recent_weight=weight,
            segment_every=_whole(sidecar, "segment_every", 1, MOST_RECENT_PATCHES, absent=1),
            quick_patches=quick,
            quick_discount=_number(sidecar, "quick_discount", 0.0, _LARGEST_DISCOUNT, absent=0.0),
            embedder_name=name,
            embedder_sha256=sha256,
            statistics=statistics,
            pooling=pooling,
            standardisation=_standardisation(sidecar),
        )

    def check_embedding(self, size: int, name: str) -> None:
        """Refuse a standardisation that does not fit embeddings of this size, for the model of this name.

        Raises:
            ModelError: it has more numbers, or fewer.
        """
        given = 2 * size if self.pooling == "mean_std" else size
        stated = given if self.standardisation is None else self.standardisation.mean.size
        if stated != given:
            raise ModelError(
                f"model {name!r} states a standardisation of {stated} numbers, but it is given {given} of "
                f"{self.embedder_name!r}: install both again"
            )


def _embedder(sidecar: Sidecar) -> tuple[str, str, StatisticsInput | None]:
    """Name and checksum of the embedder, and the statistics where a segment is made of them."""
    name = _text(sidecar, "embedder.name")
    if name == STATISTICS:
        if (stated := _value(sidecar, "embedder.sha256")) is not None:
            raise _refusal(sidecar, "embedder.sha256", stated, "left out, as the statistics are no file")
        return name, "", StatisticsInput.read(sidecar)
    sha256 = _text(sidecar, "embedder.sha256")
    if not _NAME.fullmatch(name):
        raise _refusal(sidecar, "embedder.name", name, "the NAME of an installed NAME.json")
    if not _SHA256.fullmatch(sha256):
        raise _refusal(sidecar, "embedder.sha256", sha256, "64 hexadecimal digits")
    return name, sha256.lower(), None


def _standardisation(sidecar: Sidecar) -> Standardisation | None:
    stated = _value(sidecar, "standardisation")
    if stated is None:
        return None
    if not isinstance(stated, Mapping):
        raise _refusal(sidecar, "standardisation", stated, "an object with mean, scale and limit")
    mean = _numbers(sidecar, "standardisation.mean", *_MEANS)
    scale = _numbers(sidecar, "standardisation.scale", *_SCALES)
    if len(mean) != len(scale):
        raise ModelError(
            f"model {sidecar.name!r} states {len(mean)} numbers as standardisation.mean, but {len(scale)} as "
            "standardisation.scale; there must be as many"
        )
    limit = _number(sidecar, "standardisation.limit", *_LIMITS)
    return Standardisation(np.array(mean, np.float32), np.array(scale, np.float32), limit)


def _check_patches(sidecar: Sidecar, hop_frames: int = HOP_FRAMES) -> None:
    """Refuse a model that reads patches which this program does not cut."""
    _whole(sidecar, "patch_frames", PATCH_FRAMES, PATCH_FRAMES)
    _whole(sidecar, "hop_frames", hop_frames, hop_frames)


def _value(sidecar: Sidecar, key: str, absent: Any = None) -> Any:
    """What stands at a dotted key; `absent` where nothing does."""
    place: Any = sidecar.input
    for part in key.split("."):
        place = place.get(part) if isinstance(place, Mapping) else None
    return absent if place is None else place


def _whole(sidecar: Sidecar, key: str, low: int, high: int, *, absent: int | None = None) -> int:
    value = _value(sidecar, key, absent)
    if type(value) is not int or not low <= value <= high:
        wanted = f"a whole number from {low} to {high}" if low < high else str(low)
        raise _refusal(sidecar, key, value, wanted)
    return value


def _number(sidecar: Sidecar, key: str, low: float, high: float, *, absent: float | None = None) -> float:
    return _checked(sidecar, key, _value(sidecar, key, absent), low, high)


def _checked(sidecar: Sidecar, key: str, value: Any, low: float, high: float) -> float:
    if type(value) not in (int, float) or not low <= value <= high:
        raise _refusal(sidecar, key, value, f"a number from {low:g} to {high:g}")
    return float(value)


def _numbers(sidecar: Sidecar, key: str, low: float, high: float) -> tuple[float, ...]:
    values, most = _value(sidecar, key), 2 * _LARGEST_EMBEDDING  # the size of a pooled one
    if not isinstance(values, list) or not 1 <= len(values) <= most:
        shown = f"a list of {len(values)}" if isinstance(values, list) else repr(values)
        raise ModelError(
            f"model {sidecar.name!r} states {key} = {shown}; it must be a list of 1 to {most} numbers"
        )
    return tuple(_checked(sidecar, f"{key}[{place}]", value, low, high) for place, value in enumerate(values))


def _text(sidecar: Sidecar, key: str) -> str:
    value = _value(sidecar, key)
    if type(value) is not str or not value:
        raise _refusal(sidecar, key, value, "a text that is not empty")
    return value


def _refusal(sidecar: Sidecar, key: str, value: object, wanted: str) -> ModelError:
    return ModelError(f"model {sidecar.name!r} states {key} = {value!r}; it must be {wanted}")
