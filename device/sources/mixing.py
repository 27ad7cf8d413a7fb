"""Channels -> mono: their mean, or one of them where they cancel each other.

A stereo recording in antiphase (a microphone wired the wrong way round, a karaoke track) has a mean of silence.
Where the mean is far below the channels for two windows, the loudest of them is taken instead.
"""

import numpy as np

from device.sound import FloatArray

_WINDOW_S = 0.25
"""Between two looks at how the channels add up."""
_FADE_S = 0.02
"""How long the change from one way to the other takes: no click."""
_CANCELLED, _RECOVERED = 0.1, 0.3
"""Power of the mean, relative to what channels that have nothing to do with each other would have together: below
the one, sound is lost (two equal channels correlate by less than -0.9); above the other it is not."""

_NOTHING = np.empty(0, np.float32)


def mix_down(frames: FloatArray) -> tuple[FloatArray, int]:
    """Mix channels to mono by their mean.

    Args:
        frames: (n, channels) float32, any values; not changed.

    Returns:
        (n,) float32 in [-1, 1], never a view of `frames`; and how many values were not finite.
    """
    frames, invalid = _within_range(frames)
    return _mean(frames), invalid


class Mixer:
    """Frames of one recording or device, mixed to mono one piece after another; how it is cut changes nothing.

    Each window is mixed as the ones before it ask for. Only the first is held back until it is whole.

    Args:
        sample_rate_hz: of the frames.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._window = max(1, round(_WINDOW_S * sample_rate_hz))
        self._fade = max(1, round(_FADE_S * sample_rate_hz))
        self._beginning: list[FloatArray] | None = []
        """What is held back; None: it is over."""
        self._left = self._window
        self._mean_power = self._power = 0.0
        self._powers: FloatArray | None = None
        """Of each channel, after a window in which they cancelled each other."""
        self._channel: int | None = None
        """The one that is taken; None: the mean."""
        self._before: int | None = None
        """The one that was taken before the last change."""
        self._faded = self._fade
        """How many frames of the last change are over."""

    def feed(self, frames: FloatArray) -> tuple[FloatArray, int]:
        """Mix the next frames; arguments and result are those of `mix_down`, but fewer may come at first."""
        if frames.shape[1] == 1:
            return mix_down(frames)
        frames, invalid = _within_range(frames)
        if self._beginning is None:
            return self._mix(frames), invalid
        self._beginning.append(frames.copy())
        return self._begin() if sum(map(len, self._beginning)) >= self._window else _NOTHING, invalid

    def flush(self) -> FloatArray:
        """Give what is held back, (n,)."""
        return self._begin() if self._beginning else _NOTHING

    def _begin(self) -> FloatArray:
        """Mix the first window as it asks for itself, and what came with it."""
        frames = np.concatenate(self._beginning or [])
        self._beginning = None
        powers = np.einsum("ij,ij->j", frames[: self._window], frames[: self._window])
        mean = _mean(frames[: self._window])
        if float(np.dot(mean, mean)) * len(powers) ** 2 < _CANCELLED * float(powers.sum()):
            self._channel = int(np.argmax(powers))
        return self._mix(frames)

    def _mix(self, frames: FloatArray) -> FloatArray:
        mean = _mean(frames)
        mixed = mean
        at = 0
        while at < len(frames):
            end = min(at + self._left, len(frames))
            if self._channel is not None or self._faded < self._fade:
                if mixed is mean:
                    mixed = mean.copy()
                mixed[at:end] = self._mixed(frames[at:end], mean[at:end])
            self._weigh(frames[at:end], mean[at:end])
            at = end
        return mixed

    def _mixed(self, frames: FloatArray, mean: FloatArray) -> FloatArray:
        """The channel that is taken, or the change to it."""
        now = mean if self._channel is None else frames[:, self._channel]
        fading = min(self._fade - self._faded, len(frames))
        if fading <= 0:
            return now
        before = mean if self._before is None else frames[:, self._before]
        ramp = np.arange(self._faded + 1, self._faded + fading + 1, dtype=np.float32) / np.float32(self._fade)
        self._faded += fading
        mixed = now.copy()
        mixed[:fading] = before[:fading] + (now[:fading] - before[:fading]) * ramp
        return mixed

    def _weigh(self, frames: FloatArray, mean: FloatArray) -> None:
        """Add up the powers of the window; at its end, choose for the next."""
        flat = frames.reshape(-1)
        self._mean_power += float(np.dot(mean, mean))
        self._power += float(np.dot(flat, flat))
        if self._powers is not None:
            self._powers += np.einsum("ij,ij->j", frames, frames)
        self._left -= len(frames)
        if self._left:
            return
        self._left = self._window
        if self._power:  # silence tells nothing
            share = self._mean_power * frames.shape[1] ** 2 / self._power
            if self._channel is not None:
                if share > _RECOVERED:
                    self._change(None)
            elif share > _CANCELLED:
                self._powers = None
            elif self._powers is None:
                self._powers = np.zeros(frames.shape[1], np.float32)
            else:
                self._change(int(np.argmax(self._powers)))
                self._powers = None
        self._mean_power = self._power = 0.0

    def _change(self, channel: int | None) -> None:
        self._before, self._channel, self._faded = self._channel, channel, 0


def _within_range(frames: FloatArray) -> tuple[FloatArray, int]:
    """Frames in [-1, 1]; and how many values were not finite and are now silence."""
    # One pass tells for nearly all sound that nothing is to be done; NaN makes either comparison false.
    # Where the extremes are is found in a third of the time that min and max take.
    if not frames.size or (frames.item(frames.argmin()) >= -1 and frames.item(frames.argmax()) <= 1):
        return frames, 0
    finite = np.isfinite(frames)
    invalid = frames.size - int(np.count_nonzero(finite))
    return np.clip(np.where(finite, frames, np.float32(0)), -1, 1), invalid


def _mean(frames: FloatArray) -> FloatArray:
    """(n, channels) -> (n,), never a view."""
    # Column by column: numpy's mean over a short last axis is several times slower.
    mono = frames[:, 0].copy()
    for channel in range(1, frames.shape[1]):
        mono += frames[:, channel]
    if frames.shape[1] > 1:
        mono /= np.float32(frames.shape[1])
    return mono
