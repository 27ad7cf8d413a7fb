"""Tonality: do tones stand still, and is there a key? From spectra finer than the log-mel front end's."""

from dataclasses import dataclass

import numpy as np

from device.hearing.front_end.features import overlapping
from device.hearing.statistics.numerics import dft_magnitude, standard_deviation
from device.sound import SAMPLE_RATE, FloatArray

# Tonality needs finer bins than 25 ms can give: 128 ms, every 80 ms, bins 7.8 Hz apart.
TONE_WINDOW = 2048
TONE_HOP = 1280
_TONE_LOW_HZ, _TONE_HIGH_HZ = 200.0, 4_000.0
_TONE_NEIGHBOURHOOD = 21
"""Bins over which the spectrum's local mean is taken."""
_PEAK = 0.8
"""How far, in log magnitude, a bin must stand above its neighbourhood to be a peak."""


@dataclass(frozen=True, slots=True)
class Tones:
    """Tonality of the fine spectra that became complete in a patch."""

    frames: int
    peaks: tuple[int, int, int, int]
    """Peaks; those held since the frame before; since two before; since four before."""
    peak_height: float
    chroma: FloatArray
    """(frames, 12) magnitude of the peaks, folded to one octave."""


class ToneTracker:
    """Finds spectral peaks and follows them from frame to frame."""

    def __init__(self) -> None:
        self._window = np.hanning(TONE_WINDOW + 1)[:-1].astype(np.float32)
        frequency = np.fft.rfftfreq(TONE_WINDOW, 1 / SAMPLE_RATE)
        self._bins = slice(*(int(bound) for bound in np.searchsorted(frequency, (_TONE_LOW_HZ, _TONE_HIGH_HZ))))
        self._chroma = _chroma_weights(frequency[self._bins])
        self._rest = np.zeros(0, np.float32)
        self._before = np.zeros((4, self._chroma.shape[0] - 2), np.bool_)

    def push(self, samples: FloatArray) -> Tones:
        """Follow the tones through the next samples."""
        signal = np.concatenate((self._rest, samples))
        frames = max(0, (signal.size - TONE_WINDOW) // TONE_HOP + 1)
        self._rest = signal[frames * TONE_HOP :].copy()
        framed = overlapping(signal, frames, TONE_WINDOW, TONE_HOP)
        magnitude = dft_magnitude(framed * self._window)[:, self._bins]
        height = _above_neighbourhood(np.log(magnitude + (1e-4 * magnitude.max() + 1e-7)))
        inner = height[:, 1:-1]
        peak = (inner > height[:, :-2]) & (inner > height[:, 2:]) & (inner > _PEAK)
        held = np.concatenate((self._before, peak))
        self._before = held[-4:]
        one, two, four = held[3:-1], held[2:-2], held[:-4]
        since_one = peak & one
        since_two = since_one & two
        pitched = np.zeros_like(magnitude)
        pitched[:, 1:-1] = magnitude[:, 1:-1] * peak
        return Tones(
            frames=frames,
            peaks=(
                int(np.count_nonzero(peak)),
                int(np.count_nonzero(since_one)),
                int(np.count_nonzero(since_two)),
                int(np.count_nonzero(peak & two & four)),
            ),
            peak_height=float(np.einsum("ij,ij->", inner, peak)),
            chroma=pitched @ self._chroma,
        )


NAMES = (
    "peaks_held_1",
    "peaks_held_2",
    "peaks_held_4",
    "peaks_count",
    "peaks_height",
    "chroma_entropy",
    "chroma_max",
    "chroma_top",
    "chroma_std",
    "chroma_same_1",
    "chroma_same_4",
    "chroma_same_8",
)


def tonality(tones: list[Tones]) -> list[float]:
    """Do tones stand still? Peaks that are held, and a steady chroma."""
    frames = max(1, sum(tone.frames for tone in tones))
    peaks, one, two, four = (sum(tone.peaks[i] for tone in tones) for i in range(4))
    return [
        one / (peaks + 1),
        two / (peaks + 1),
        four / (peaks + 1),
        np.log1p(peaks / frames),
        sum(tone.peak_height for tone in tones) / (peaks + 1),
        *_chroma(np.concatenate([tone.chroma for tone in tones])),
    ]


def _chroma(chroma: FloatArray) -> list[float]:
    """Is there a key, and does it stay? From (frames, 12)."""
    mean = np.add.reduce(chroma, axis=0)
    mean /= np.add.reduce(mean) + np.float32(1e-9)
    loudness: FloatArray = np.add.reduce(chroma, axis=1, keepdims=True)
    share = chroma / (loudness + np.float32(1e-9))
    unit = chroma / (np.sqrt(np.einsum("ij,ij->i", chroma, chroma))[:, None] + np.float32(1e-9))
    return [
        -(mean @ np.log(mean + np.float32(1e-6))),
        mean.max(),
        sum(sorted(mean.tolist())[-3:]),
        sum(standard_deviation(share).tolist()) / 12,
        *(np.vdot(unit[lag:], unit[:-lag]) / (len(unit) - lag) for lag in (1, 4, 8)),
    ]


def _above_neighbourhood(spectra: FloatArray) -> FloatArray:
    """Each bin minus the mean of the 21 bins around it, (frames, bins)."""
    half = _TONE_NEIGHBOURHOOD // 2
    # Around zero a running float32 sum stays exact to a thousandth, far finer than what it is compared with.
    row_sum: FloatArray = np.add.reduce(spectra, axis=1, keepdims=True)
    centred = spectra - row_sum / np.float32(spectra.shape[1])
    before = np.repeat(centred[:, :1], half + 1, axis=1)
    after = np.repeat(centred[:, -1:], half, axis=1)
    total = np.cumsum(np.concatenate((before, centred, after), axis=1), axis=1)
    mean: FloatArray = total[:, _TONE_NEIGHBOURHOOD:] - total[:, :-_TONE_NEIGHBOURHOOD]
    mean *= np.float32(1 / _TONE_NEIGHBOURHOOD)
    height: FloatArray = np.subtract(centred, mean, out=mean)
    return height


def _chroma_weights(frequency: np.ndarray) -> FloatArray:
    """(bins, 12): shares each bin between its two nearest pitch classes, A = 440 Hz being class 0."""
    weights = np.zeros((frequency.size, 12), np.float32)
    pitch = 12 * np.log2(frequency / 440.0)
    below = np.floor(pitch)
    rows = np.arange(frequency.size)
    weights[rows, below.astype(int) % 12] = 1 - (pitch - below)
    weights[rows, (below.astype(int) + 1) % 12] = pitch - below
    return weights
