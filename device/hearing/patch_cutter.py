"""Blocks of any size become pieces of the sizes that a model wants, the same ones whatever the blocks."""

from collections.abc import Callable, Iterator

import numpy as np

from device.hearing.front_end.features import LOG_MEL, PATCH_FRAMES
from device.sound import FloatArray

PATCH_SAMPLES = PATCH_FRAMES * LOG_MEL.hop_samples
"""A patch's length on the time axis, 0.96 s."""

FIRST_PATCH_SAMPLES = PATCH_SAMPLES + LOG_MEL.window_samples - LOG_MEL.hop_samples
"""The first patch waits for the last of its frames, which reaches 15 ms further."""


class PatchCutter:
    """Regroups samples of one stream into consecutive pieces.

    Args:
        wanted: asked how many samples the next piece shall have, at most `FIRST_PATCH_SAMPLES`; while some wait
            for the rest of a piece, the answer may grow but not shrink. None: 15,600 for the first and 15,360 for
            the others, whole patches without overlap.
    """

    def __init__(self, wanted: Callable[[], int] | None = None) -> None:
        self._wanted = wanted or self._whole_patch
        self._buffer = np.empty(FIRST_PATCH_SAMPLES, np.float32)
        self._filled = 0
        self._cut = 0

    @property
    def heard(self) -> int:
        """Samples fed so far."""
        return self._cut + self._filled

    def feed(self, samples: FloatArray) -> Iterator[FloatArray]:
        """Yield each piece that these samples complete."""
        taken = 0
        while taken < samples.size:
            size = self._wanted()
            part = samples[taken : taken + size - self._filled]
            self._buffer[self._filled : self._filled + part.size] = part
            self._filled += part.size
            taken += part.size
            if self._filled == size:
                yield self._pop(size)

    def finish(self) -> Iterator[FloatArray]:
        """The stream has ended: one shorter than its first piece is heard as if silence followed."""
        if self._filled and not self._cut:
            self._buffer[self._filled :] = 0.0
            yield self._pop(self._wanted())

    def _pop(self, size: int) -> FloatArray:
        piece = self._buffer[:size].copy()
        self._cut += self._filled
        self._filled = 0
        return piece

    def _whole_patch(self) -> int:
        return PATCH_SAMPLES if self._cut else FIRST_PATCH_SAMPLES
