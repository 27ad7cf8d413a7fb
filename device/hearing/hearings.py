"""How each kind of model hears a stream, piece by piece: one answer for every piece.

`statistics`  every 0.96 s: what the model says of the statistics of the latest patches
`patch`       every 0.48 s: the mean of the model's scores of the latest patches
`segment`     every 0.48 s: the mean of an embedder's scores of the latest patches, joined with what the model says
              of the embeddings of about ten seconds; a few patches in a row that are surely music count at once;
              or every 0.96 s: what the model says of about ten seconds of statistics
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

from device.hearing.front_end.features import LOG_MEL, PATCH_FRAMES
from device.hearing.front_end.stream import FrontEnd
from device.hearing.models.inputs import HOP_FRAMES
from device.hearing.models.loading import (
    Model,
    PatchModel,
    SegmentModel,
    StatisticsModel,
    StatisticsSegmentModel,
)
from device.hearing.models.sidecar import log_odds, sigmoid
from device.hearing.patch_cutter import PATCH_SAMPLES
from device.hearing.statistics.pooling import preparation
from device.hearing.statistics.statistics import WindowStatistics
from device.sound import FloatArray

HOP_SAMPLES = HOP_FRAMES * LOG_MEL.hop_samples
"""0.48 s."""

STRIDE = PATCH_FRAMES // HOP_FRAMES
"""Every second patch makes a segment: 0.96 s from one to the next, so that they join without overlap."""

SURE = 1 - 1 / 512
"""Scores are limited to this, and to 1 - this: half a step of an int8 output short of certainty."""

_EVEN = 0.5
"""A score that says neither music nor no music."""

MakeFrontEnd = Callable[[], FrontEnd]


class Hearing(Protocol):
    """How one kind of model hears a stream. Not thread-safe: one per stream."""

    hop_samples: int
    """From one answer to the next. Only the first needs more, a whole patch."""
    recent_patches: int
    """Patches that an answer speaks for, `hop_samples` apart, once there are that many."""
    context_samples: int
    """The most sound that an answer depends on."""
    recent: float
    """The calibrated probability of music in the patches of the latest answer alone, without longer context."""

    def answer(self, samples: FloatArray) -> float:
        """Take in the next piece, and give the calibrated probability of music.

        Raises:
            ModelError: the model does not take what its description says, or gives no probabilities.
        """
        ...


def hearing_of(model: Model, front_end: MakeFrontEnd = FrontEnd) -> Hearing:
    """The hearing that a model needs."""
    match model:
        case StatisticsModel():
            return StatisticsHearing(model, front_end())
        case PatchModel():
            return PatchHearing(model, front_end())
        case SegmentModel():
            return SegmentHearing(model, front_end())
        case StatisticsSegmentModel():
            return StatisticsSegmentHearing(model, front_end())


class StatisticsHearing:
    """Of a model of kind `statistics`."""

    hop_samples = PATCH_SAMPLES

    def __init__(self, model: StatisticsModel, front_end: FrontEnd) -> None:
        self._model = model
        self._front_end = front_end
        self.recent_patches = model.input.window_patches
        self.context_samples = self.recent_patches * PATCH_SAMPLES
        self._statistics = WindowStatistics(self.recent_patches)

    def answer(self, samples: FloatArray) -> float:
        """As `Hearing.answer`."""
        features = self._statistics.push(samples, self._front_end.feed(samples))
        self.recent = float(self._model.probability(features[None, :])[0])
        return self.recent


class PatchStream:
    """The latest patch of a stream, and what an embedder says of each. Each frame is computed once."""

    def __init__(self, embedder: PatchModel, front_end: FrontEnd) -> None:
        self._embedder = embedder
        self._front_end = front_end
        self._log_offset = embedder.input.log_offset
        self._patch = np.zeros((PATCH_FRAMES, LOG_MEL.mel_bands), np.float32)

    def push(self, samples: FloatArray) -> tuple[float, FloatArray]:
        """Score and embedding, (size,), of the patch that ends with these samples."""
        frames = self._front_end.feed(samples).log_mel(self._log_offset)
        self._patch[: -len(frames)] = self._patch[len(frames) :]
        self._patch[-len(frames) :] = frames
        return self._embedder.embed(self._patch)


class PatchHearing:
    """Of a model of kind `patch`."""

    hop_samples = HOP_SAMPLES

    def __init__(self, model: PatchModel, front_end: FrontEnd) -> None:
        self._calibration = model.sidecar.calibration
        self.recent_patches = model.input.recent_patches
        self.context_samples = _span_samples(self.recent_patches)
        self._stream = PatchStream(model, front_end)
        self._scores: deque[float] = deque(maxlen=self.recent_patches)

    def answer(self, samples: FloatArray) -> float:
        """As `Hearing.answer`."""
        score, _ = self._stream.push(samples)
        self._scores.append(score)
        self.recent = self._calibration.of(sum(self._scores) / len(self._scores))
        return self.recent


class SegmentHearing:
    """Of a model of kind `segment` on a network's embeddings."""

    hop_samples = HOP_SAMPLES

    def __init__(self, model: SegmentModel, front_end: FrontEnd) -> None:
        self._calibration = model.sidecar.calibration
        self._calibration_of_patches = model.embedder.sidecar.calibration
        self._input = model.input
        self._segment = SegmentJudge(model, stride=STRIDE)
        self.recent_patches = model.input.recent_patches
        self.context_samples = _span_samples(max(self._segment.reach, self.recent_patches))
        self._stream = PatchStream(model.embedder, front_end)
        self._scores: deque[float] = deque(maxlen=self.recent_patches)
        self._quick: deque[float] = deque(maxlen=model.input.quick_patches)

    def answer(self, samples: FloatArray) -> float:
        """As `Hearing.answer`."""
        score, embedding = self._stream.push(samples)
        self._scores.append(score)
        self._quick.append(score)
        recent = sum(self._scores) / len(self._scores)
        self.recent = self._calibration_of_patches.of(min(max(recent, 1 - SURE), SURE))
        joined = self._segment.push(embedding, seems_over=recent < _EVEN)
        if self._input.recent_weight:
            joined = joined_score(recent, joined, self._input.recent_weight)
        if self._quick and len(self._quick) == self._input.quick_patches:
            joined = max(joined, sigmoid(_logit(min(self._quick)) - self._input.quick_discount))
        return self._calibration.of(joined)


class StatisticsSegmentHearing:
    """Of a model of kind `segment` on the statistics, which have no score of their own."""

    hop_samples = PATCH_SAMPLES

    def __init__(self, model: StatisticsSegmentModel, front_end: FrontEnd) -> None:
        self._calibration = model.sidecar.calibration
        self._front_end = front_end
        self._statistics = WindowStatistics(model.statistics.window_patches)
        self._segment = SegmentJudge(model, stride=1)
        self.recent_patches = model.input.recent_patches
        # The statistics of the oldest patch of a segment look back, too.
        patches = max(self._segment.reach + model.statistics.window_patches - 1, self.recent_patches)
        self.context_samples = patches * PATCH_SAMPLES

    def answer(self, samples: FloatArray) -> float:
        """As `Hearing.answer`."""
        embedding = self._statistics.push(samples, self._front_end.feed(samples))
        self.recent = self._calibration.of(self._segment.push(embedding))
        return self.recent


class SegmentJudge:
    """What a model says of the segment that ends with the newest embedding.

    Args:
        model: what judges.
        stride: every `stride`-th embedding is one of the segment's.
    """

    def __init__(self, model: SegmentModel | StatisticsSegmentModel, *, stride: int) -> None:
        self._model = model
        self._size = model.input.segment_patches
        self._every = model.input.segment_every
        self._stride = stride
        self._prepare = preparation(model.input.pooling, model.input.standardisation)
        self.reach = (self._size - 1) * stride + 1
        """Embeddings from a segment's first to its last."""
        self._embeddings: deque[FloatArray] = deque(maxlen=self.reach)
        self._patches = 0
        self._score = 0.0

    def push(self, embedding: FloatArray, *, seems_over: bool = False) -> float:
        """Take in the next embedding, and give the score of the latest judgement, not calibrated.

        Args:
            embedding: (size,)
            seems_over: whether the music seems to be over. A judgement of music is then made anew at once, as it
                would delay the stop.
        """
        self._embeddings.append(embedding)
        if self._patches % self._every == 0 or (seems_over and self._score >= _EVEN):
            self._score = self._judged()
        self._patches += 1
        return self._score

    def _judged(self) -> float:
        places = segment_places(len(self._embeddings), self._size, self._stride)
        segment = np.concatenate([self._embeddings[place] for place in places]).reshape(1, self._size, -1)
        return float(self._model.raw(segment if self._prepare is None else self._prepare(segment))[0])


def segment_places(patches: int, size: int, stride: int = STRIDE) -> list[int]:
    """Which patches make the segment that ends with the newest.

    Args:
        patches: how many there are.
        size: rows of the segment.
        stride: from one row to the next, in patches; by default 0.96 s of patches that are `HOP_FRAMES` apart.

    Returns:
        `size` places of patches, 0 the oldest: every `stride`-th one, the newest at the end. Where there are too
        few, they are repeated in their order, from the oldest on.
    """
    newest = patches - 1
    there = range(max(newest % stride, newest - (size - 1) * stride), patches, stride)
    return [there[row % len(there)] for row in range(size)]


def joined_score(recent: float, segment: float, recent_weight: float) -> float:
    """The weighted mean, in log odds, of an answer's two parts.

    Args:
        recent: mean score of the recent patches, 0 to 1.
        segment: score of the segment, 0 to 1.
        recent_weight: of the first, 0 to 1.
    """
    return sigmoid(recent_weight * _logit(recent) + (1 - recent_weight) * _logit(segment))


def _span_samples(patches: int) -> int:
    """From the first sample to the last of this many patches, `HOP_FRAMES` apart."""
    return PATCH_SAMPLES + (patches - 1) * HOP_SAMPLES


def _logit(score: float) -> float:
    return log_odds(min(max(score, 1 - SURE), SURE))
