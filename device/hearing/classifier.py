"""Sound becomes scores, one every patch, the same ones however the samples arrive.

`PatchCutter` regroups blocks into steps of exactly one patch (0.96 s). Everything behind it sees the same shapes
and gives the same bits whatever the size of the blocks, so a replay decides as the live run did.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from device.errors import ModelError
from device.hearing.decision import Score
from device.hearing.features import LOG_MEL, PATCH_FRAMES, FrontEnd
from device.hearing.models import Model
from device.hearing.statistics import NAMES, VERSION, WindowStatistics
from device.sources.base import SAMPLE_RATE, FloatArray

PATCH_SAMPLES = PATCH_FRAMES * LOG_MEL.hop_samples
"""From one patch to the next: 0.96 s."""

FIRST_PATCH_SAMPLES = PATCH_SAMPLES + LOG_MEL.window_samples - LOG_MEL.hop_samples
"""The first patch waits for the last of its frames, which reaches 15 ms further."""


LONGEST_WINDOW_PATCHES = 10
"""9.6 s: as many frames as the transforms of `statistics` hold, 1024."""


class PatchCutter:
    """Regroups samples of one stream into patches."""

    def __init__(self) -> None:
        self._buffer = np.empty(FIRST_PATCH_SAMPLES, np.float32)
        self._filled = 0
        self._size = FIRST_PATCH_SAMPLES
        self._cut = 0

    @property
    def heard(self) -> int:
        """Samples fed so far."""
        return self._cut + self._filled

    def feed(self, samples: FloatArray) -> Iterator[FloatArray]:
        """Yield each patch that these samples complete: 15,600 samples for the first, 15,360 for the others."""
        taken = 0
        while taken < samples.size:
            piece = samples[taken : taken + self._size - self._filled]
            self._buffer[self._filled : self._filled + piece.size] = piece
            self._filled += piece.size
            taken += piece.size
            if self._filled == self._size:
                yield self._pop()

    def finish(self) -> Iterator[FloatArray]:
        """The stream has ended: one shorter than its first patch is heard as if silence followed."""
        if self._filled and not self._cut:
            self._buffer[self._filled :] = 0.0
            yield self._pop()

    def _pop(self) -> FloatArray:
        patch = self._buffer[: self._size].copy()
        self._cut += self._filled
        self._filled, self._size = 0, PATCH_SAMPLES
        return patch


class Hearing(Protocol):
    """What one kind of model reads of each new patch of a stream."""

    window_patches: int
    """How many patches an answer looks back on, once there are so many."""

    def push(self, patch: FloatArray) -> FloatArray:
        """(1, ...) float32 features for the model, up to and including this patch."""
        ...


class _StatisticsHearing:
    """For models of kind `statistics`."""

    def __init__(self, model: Model) -> None:
        stated = model.sidecar.input
        version = stated.get("statistics_version")
        if version != VERSION or stated.get("features") != list(NAMES):
            theirs = f"version {version!r}" if version != VERSION else "a different list"
            raise ModelError(
                f"model {model.sidecar.name!r} was trained on {theirs} of the statistics, not version {VERSION} "
                "as computed here; use a model and a program of the same release"
            )
        patches = stated.get("window_patches")
        if type(patches) is not int or not 1 <= patches <= LONGEST_WINDOW_PATCHES:
            raise ModelError(
                f"model {model.sidecar.name!r} states window_patches = {patches!r}; "
                f"it must be a whole number from 1 to {LONGEST_WINDOW_PATCHES}"
            )
        self.window_patches = patches
        self._front_end = FrontEnd()
        self._statistics = WindowStatistics(self.window_patches)

    def push(self, patch: FloatArray) -> FloatArray:
        return self._statistics.push(patch, self._front_end.feed(patch))[None, :]


_KINDS: dict[str, type[_StatisticsHearing]] = {"statistics": _StatisticsHearing}


class Classifier:
    """A model listening to one stream. Not thread-safe.

    Raises:
        ModelError: the model reads something that this program does not compute.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._hearing = _hearing_of(model)
        self._patches = 0
        self._spoken = 0
        self._replaced_after = 0  # patches that the models before this one heard
        self._overlap = np.zeros(0, np.float32)  # the end of the latest patch, of which the next frame is made too
        self._lead = self._overlap  # that end, for a new model's first patch

    @property
    def hop_s(self) -> float:
        """Seconds between answers."""
        return PATCH_SAMPLES / SAMPLE_RATE

    @property
    def window_s(self) -> float:
        """Seconds an answer looks back on."""
        return self._hearing.window_patches * self.hop_s

    def answer(self, patch: FloatArray) -> Score:
        """Score the stream after its next patch, as `PatchCutter` cuts it."""
        features = self._hearing.push(np.concatenate((self._lead, patch)) if self._lead.size else patch)
        self._lead, self._overlap = self._lead[:0], patch[PATCH_SAMPLES - FIRST_PATCH_SAMPLES :].copy()
        self._patches += 1
        # An answer speaks for the middle of its window, half way to the answers before and after it.
        start, self._spoken = (
            self._spoken,
            (self._middle(self._patches) + self._middle(self._patches + 1)) // 2,
        )
        return Score(
            start=start,
            end=self._spoken,
            heard=FIRST_PATCH_SAMPLES + (self._patches - 1) * PATCH_SAMPLES,
            probability=float(self._model.probability(features)[0]),
        )

    def replace(self, model: Model) -> None:
        """Go on with another model; its window begins with the next patch.

        Raises:
            ModelError: the model reads something that this program does not compute. The old one goes on.
        """
        self._hearing = _hearing_of(model)
        self._model = model
        self._replaced_after = self._patches
        self._lead = self._overlap

    def _middle(self, patches: int) -> int:
        """Middle, in samples, of the window that ends with the given patch."""
        window = min(patches - self._replaced_after, self._hearing.window_patches)
        return (2 * patches - window) * PATCH_SAMPLES // 2


def _hearing_of(model: Model) -> Hearing:
    kind = model.sidecar.kind
    if kind not in _KINDS:
        raise ModelError(
            f"model {model.sidecar.name!r} is of kind {kind!r}; this program knows {', '.join(_KINDS)}"
        )
    return _KINDS[kind](model)
