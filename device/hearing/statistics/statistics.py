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

from collections import deque
from dataclasses import dataclass

import numpy as np

from device.hearing.front_end.features import Spectra
from device.hearing.statistics.movement import (
    BANDS,
    FLUX_NAMES,
    MODULATION_NAMES,
    RHYTHM_NAMES,
    flux_statistics,
    modulation,
    rhythm,
)
from device.hearing.statistics.numerics import FLOOR, moments, standard_deviation
from device.hearing.statistics.tones import NAMES as TONALITY_NAMES
from device.hearing.statistics.tones import Tones, ToneTracker, tonality
from device.sound import FloatArray

VERSION = 1
"""Changes whenever the numbers change: a model trained on other statistics is refused."""

WINDOW_PATCHES = 5
"""4.8 s: two bars of slow music, or a dozen syllables."""

_EACH_BAND = np.full(BANDS, 1 / BANDS, np.float32)
"""Multiplying by it is the mean over the bands, several times faster than `mean(axis=1)`."""

_CEPSTRA = 14


@dataclass(frozen=True, slots=True)
class _Patch:
    """What is kept of 0.96 s."""

    bands: FloatArray
    """(96, 32) mel magnitudes."""
    crossings: FloatArray
    """(96,) zero crossings a sample."""
    tones: Tones


class WindowStatistics:
    """Statistics of the latest 4.8 s, patch by patch. Not thread-safe: one per stream."""

    def __init__(self, patches: int = WINDOW_PATCHES) -> None:
        self._patches: deque[_Patch] = deque(maxlen=patches)
        self._tracker = ToneTracker()

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
        relative = bands / level + FLOOR
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
                standard_deviation(spectrum @ _DCT),
                flux_statistics(flux),
                moments(np.stack(tracks, axis=1)).ravel(),
                modulation(bands, level),
                rhythm(flux),
                tonality([patch.tones for patch in patches]),
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


NAMES: tuple[str, ...] = (
    *_CEPSTRA_NAMES,
    *FLUX_NAMES,
    *_SHAPE_NAMES,
    *MODULATION_NAMES,
    *RHYTHM_NAMES,
    *TONALITY_NAMES,
)
"""What each number is, in order."""


def _zero_crossings(samples: FloatArray, frames: int) -> FloatArray:
    """Crossings a sample in each of `frames` equal stretches, (frames,)."""
    negative = np.signbit(samples)
    crossings = negative[1:] != negative[:-1]
    stretch = crossings.size // frames
    counted = crossings[: stretch * frames].reshape(frames, stretch).view(np.uint8)
    total: FloatArray = counted.sum(axis=1, dtype=np.uint32).astype(np.float32)
    total /= stretch
    return total
