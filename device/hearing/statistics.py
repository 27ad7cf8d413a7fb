"""What a window of sound is like, in sixty numbers: the features that `logistic` reads.

Music differs from speech and noise less in what it sounds like than in how it moves: it repeats (rhythm), holds
its tones (tonality) and lacks the 4 Hz of syllables (modulation). Level and microphone are divided out as far as
they can be. Which groups of numbers earn their place is measured by `oido-export train logistic --ablate`; means
and deltas of the MFCCs, roll-off and continuous frequency activation were measured too, and left out because rooms
are heard better without them: they tell the microphone, and steady hum, from the rest.

Sources: 4 Hz modulation energy, flux and low-energy frames after Scheirer and Slaney 1997, "Construction and
evaluation of a robust multifeature speech/music discriminator"; pulse clarity from the autocorrelation of spectral
flux after Tzanetakis and Cook 2002, "Musical genre classification of audio signals"; chroma after Fujishima 1999,
"Realtime chord recognition of musical sound".
"""

import math
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from device.hearing.features import Spectra, overlapping
from device.sources.base import SAMPLE_RATE, FloatArray

VERSION = 1
"""Changes whenever the numbers change: a model trained on other statistics is refused."""

WINDOW_PATCHES = 5
"""4.8 s: two bars of slow music, or a dozen syllables."""

BANDS = 32
"""Pairs of mel bands: enough for statistics, half the logarithms."""

_FLOOR = np.float32(0.01)
"""Everything 40 dB below the window's level counts as silence, whatever the microphone's noise."""

_EACH_BAND = np.full(BANDS, 1 / BANDS, np.float32)
"""Multiplying by it is the mean over the bands, several times faster than `mean(axis=1)`."""

_FRAME_RATE_HZ = 100.0

_CEPSTRA = 14

_GROUPS = (0, 4, 8, 12, 16, 24, 32)
"""Edges, in bands, of six groups from bass to air."""

_MODULATION_HZ = (0.4, 1.0, 2.0, 3.2, 6.0, 11.0, 25.0)
"""Edges of the modulation bands; 3.2 to 6 Hz is where syllables are."""

_MODULATION_FFT = 1024

# Tonality needs finer bins than 25 ms can give: 128 ms, every 80 ms, bins 7.8 Hz apart.
TONE_WINDOW = 2048
TONE_HOP = 1280
_TONE_LOW_HZ, _TONE_HIGH_HZ = 200.0, 4_000.0
_TONE_NEIGHBOURHOOD = 21
"""Bins over which the spectrum's local mean is taken."""
_PEAK = 0.8
"""How far, in log magnitude, a bin must stand above its neighbourhood to be a peak."""


@dataclass(frozen=True, slots=True)
class _Patch:
    """What is kept of 0.96 s."""

    bands: FloatArray
    """(96, 32) mel magnitudes."""
    crossings: FloatArray
    """(96,) zero crossings a sample."""
    tones: "_Tones"


@dataclass(frozen=True, slots=True)
class _Tones:
    """Tonality of the fine spectra that became complete in a patch."""

    frames: int
    peaks: tuple[int, int, int, int]
    """Peaks; those held since the frame before; since two before; since four before."""
    peak_height: float
    chroma: FloatArray
    """(frames, 12) magnitude of the peaks, folded to one octave."""


class _ToneTracker:
    """Finds spectral peaks and follows them from frame to frame."""

    def __init__(self) -> None:
        self._window = np.hanning(TONE_WINDOW + 1)[:-1].astype(np.float32)
        frequency = np.fft.rfftfreq(TONE_WINDOW, 1 / SAMPLE_RATE)
        self._bins = slice(*(int(bound) for bound in np.searchsorted(frequency, (_TONE_LOW_HZ, _TONE_HIGH_HZ))))
        self._chroma = _chroma_weights(frequency[self._bins])
        self._rest = np.zeros(0, np.float32)
        self._before = np.zeros((4, self._chroma.shape[0] - 2), np.bool_)

    def push(self, samples: FloatArray) -> _Tones:
        """Follow the tones through the next samples."""
        signal = np.concatenate((self._rest, samples))
        frames = max(0, (signal.size - TONE_WINDOW) // TONE_HOP + 1)
        self._rest = signal[frames * TONE_HOP :].copy()
        framed = overlapping(signal, frames, TONE_WINDOW, TONE_HOP)
        magnitude = _magnitude(framed * self._window)[:, self._bins]
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
        return _Tones(
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


class WindowStatistics:
    """Statistics of the latest 4.8 s, patch by patch. Not thread-safe: one per stream."""

    def __init__(self, patches: int = WINDOW_PATCHES) -> None:
        self._patches: deque[_Patch] = deque(maxlen=patches)
        self._tracker = _ToneTracker()

    def push(self, samples: FloatArray, spectra: Spectra) -> FloatArray:
        """Take in one more patch.

        Args:
            samples: (n,) float32: the samples that completed the patch, following the last call's.
            spectra: its 96 frames.

        Returns:
            (features,) float32, named by `NAMES`; of all patches so far while the window is not full.
        """
        mel = spectra.mel
        bands = mel[:, 0::2] + mel[:, 1::2]
        self._patches.append(
            _Patch(
                bands=bands,
                crossings=_zero_crossings(samples, mel.shape[0]),
                tones=self._tracker.push(samples),
            )
        )
        patches = list(self._patches)
        bands = np.concatenate([patch.bands for patch in patches])
        level = np.sqrt(np.vdot(bands, bands) / np.float32(bands.size)) + np.float32(1e-5)
        relative = bands / level + _FLOOR
        spectrum = np.log(relative)
        rise = spectrum[1:] - spectrum[:-1]
        np.maximum(rise, 0, out=rise)
        flux = rise @ _EACH_BAND
        tracks = (
            np.concatenate([patch.crossings for patch in patches]),
            *_flatness_and_energy(relative, spectrum, bands),
        )
        return np.concatenate(
            (
                _deviation(spectrum @ _DCT),
                _flux(flux),
                _moments(np.stack(tracks, axis=1)).ravel(),
                _modulation(bands, level),
                _rhythm(flux),
                _tonality([patch.tones for patch in patches]),
            ),
            dtype=np.float32,
        )


def _dct(bands: int, coefficients: int) -> FloatArray:
    """(bands, coefficients): the orthonormal DCT-II, which takes log bands to cepstra."""
    angle = np.pi / bands * np.outer(np.arange(bands) + 0.5, np.arange(coefficients))
    matrix = np.cos(angle) * np.sqrt(2 / bands)
    matrix[:, 0] /= np.sqrt(2)
    single: FloatArray = matrix.astype(np.float32)
    return single


_DCT = _dct(BANDS, _CEPSTRA)

_CEPSTRA_NAMES = tuple(f"mfcc_std_{i}" for i in range(_CEPSTRA))

_FLUX_NAMES = ("flux_mean", "flux_std", "flux_skew", "flux_p90")


def _flux(flux: FloatArray) -> FloatArray:
    """Spectral flux, what rises from one frame to the next: moments and 90th percentile."""
    rank = int(0.9 * flux.size)
    return np.append(_moments(flux[:, None]), np.partition(flux, rank)[rank])


_SHAPE_NAMES = tuple(
    f"{track}_{moment}"
    for moment in ("mean", "std", "skew")
    for track in ("zcr", "flatness", "energy", "energy_low")
)


def _flatness_and_energy(
    relative: FloatArray, spectrum: FloatArray, bands: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Tracks, (frames,) each: spectral flatness in log, energy in log, and whether a frame is a quiet one."""
    power = np.einsum("ij,ij->i", bands, bands)
    mean_power = np.add.reduce(power) / np.float32(power.size) + np.float32(1e-10)
    return (
        spectrum @ _EACH_BAND - np.log(relative @ _EACH_BAND),
        np.log(power / mean_power + np.float32(1e-4)),
        (power < 0.25 * mean_power).astype(np.float32),
    )


_MODULATION_NAMES = (
    *(f"modulation_{part}_{i}" for part in ("low", "high") for i in range(len(_MODULATION_HZ) - 1)),
    "modulation_peak",
    "modulation_depth",
)

_GROUPING = np.zeros((BANDS, len(_GROUPS) - 1), np.float32)
for _column, (_low, _high) in enumerate(pairwise(_GROUPS)):
    _GROUPING[_low:_high, _column] = 1 / (_high - _low)

_MODULATION_BINS = np.searchsorted(np.fft.rfftfreq(_MODULATION_FFT, 1 / _FRAME_RATE_HZ), _MODULATION_HZ).astype(
    int
)


_HALVES = np.repeat(np.eye(2, dtype=np.float32), len(_GROUPING.T) // 2, axis=1) / np.float32(len(_GROUPING.T) // 2)
"""(2, groups): takes groups of bands to the mean of the lower and of the upper half."""

_BEAT_BINS = slice(2 * int(_MODULATION_BINS[0]), int(_MODULATION_BINS[5]))
"""0.8 to 11 Hz: from the slowest beat to the fastest figure."""


def _modulation(bands: FloatArray, level: np.float32) -> FloatArray:
    """How fast the loudness of six groups of bands moves: share of each modulation band, in log."""
    envelope = np.log(_GROUPING.T @ bands.T / level + _FLOOR)
    envelope -= (envelope @ _each(envelope.shape[1]))[:, None]
    envelope *= _taper(envelope.shape[1])
    power = np.square(_magnitude(envelope, _MODULATION_FFT)[:, : _MODULATION_BINS[-1]])
    share = np.add.reduceat(power, _MODULATION_BINS[:-1], axis=1)
    total = np.add.reduce(share, axis=1) + np.float32(1e-6)
    share = np.log(share / total[:, None] + np.float32(1e-3))
    beat = np.add.reduce(power[:, _BEAT_BINS], axis=0)
    beat_mean = float(np.add.reduce(beat)) / beat.size
    depth = float(np.add.reduce(total)) / total.size / len(bands)
    return np.concatenate(
        (
            (_HALVES @ share).ravel(),
            (math.log(float(beat.max()) / (beat_mean + 1e-9) + 1e-3), math.log(depth + 1e-3)),
        )
    )


_RHYTHM_NAMES = ("rhythm_max", "rhythm_std", "rhythm_min", "rhythm_fast")

_RHYTHM_FFT = 1024
_SLOWEST_LAG = 200
"""Frames: 2 s, 30 beats a minute."""
_FASTEST_LAG = 20
"""Frames: 0.2 s, 300 beats a minute."""
_SYLLABLE_LAG = 5


def _rhythm(flux: FloatArray) -> tuple[float, ...]:
    """Does the flux repeat itself? Its autocorrelation between 0.2 and 2 s, and faster than any beat."""
    power = np.square(_magnitude(flux - _each(flux.size) @ flux, _RHYTHM_FFT))
    correlation = np.fft.irfft(power)[:_SLOWEST_LAG]
    correlation /= correlation[0] + 1e-6
    slow = correlation[_FASTEST_LAG:]
    mean = float(np.add.reduce(slow)) / slow.size
    deviation = math.sqrt(max(0.0, float(slow @ slow) / slow.size - mean * mean))
    return slow.max(), deviation, slow.min(), correlation[_SYLLABLE_LAG:_FASTEST_LAG].max()


_TONALITY_NAMES = (
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


def _tonality(tones: list[_Tones]) -> list[float]:
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
        sum(_deviation(share).tolist()) / 12,
        *(np.vdot(unit[lag:], unit[:-lag]) / (len(unit) - lag) for lag in (1, 4, 8)),
    ]


NAMES: tuple[str, ...] = (
    *_CEPSTRA_NAMES,
    *_FLUX_NAMES,
    *_SHAPE_NAMES,
    *_MODULATION_NAMES,
    *_RHYTHM_NAMES,
    *_TONALITY_NAMES,
)
"""What each number is, in order."""


@lru_cache(maxsize=32)
def _each(frames: int) -> FloatArray:
    """Multiplying by it is the mean over the frames, several times faster than `mean(axis=0)`."""
    return np.full(frames, 1 / frames, np.float32)


@lru_cache(maxsize=32)
def _taper(frames: int) -> FloatArray:
    """(frames,) Hann window."""
    return np.hanning(frames).astype(np.float32)


def _moments(tracks: FloatArray) -> FloatArray:
    """Mean, standard deviation and skewness of each column of (frames, tracks): (3, tracks)."""
    each = _each(len(tracks))
    mean = each @ tracks
    centred = tracks - mean
    square = centred * centred
    deviation = np.sqrt(each @ square)
    square *= centred
    return np.stack((mean, deviation, (each @ square) / (deviation + np.float32(1e-6)) ** 3))


def _deviation(tracks: FloatArray) -> FloatArray:
    """Standard deviation of each column of (frames, tracks): (tracks,)."""
    each = _each(len(tracks))
    centred = tracks - each @ tracks
    centred *= centred
    deviation: FloatArray = np.sqrt(each @ centred)
    return deviation


def _magnitude(signal: FloatArray, size: int | None = None) -> FloatArray:
    """|DFT| of the last axis, padded with zeros to `size`: (..., size // 2 + 1)."""
    # numpy 1 transforms in double precision whatever it is given.
    magnitude: FloatArray = np.abs(np.fft.rfft(signal, size)).astype(np.float32, copy=False)
    return magnitude


def _zero_crossings(samples: FloatArray, frames: int) -> FloatArray:
    """Crossings a sample in each of `frames` equal stretches, (frames,)."""
    negative = np.signbit(samples)
    crossings = negative[1:] != negative[:-1]
    stretch = crossings.size // frames
    counted = crossings[: stretch * frames].reshape(frames, stretch).view(np.uint8)
    total: FloatArray = counted.sum(axis=1, dtype=np.uint32).astype(np.float32)
    total /= stretch
    return total


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
