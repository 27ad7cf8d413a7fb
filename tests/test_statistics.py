"""device.hearing.statistics.statistics: what the numbers tell apart, and that they are always numbers."""

from collections.abc import Callable

import numpy as np
import pytest
from hearing_fakes import chord, clicks, noise, scene, time_axis

from device.hearing.front_end.stream import FrontEnd
from device.hearing.patch_cutter import PatchCutter
from device.hearing.statistics.statistics import NAMES, WINDOW_PATCHES, WindowStatistics
from device.sound import SAMPLE_RATE, FloatArray

SOUNDS: dict[str, Callable[[float], FloatArray]] = {"noise": noise, "chord": chord, "scene": scene}

IMPULSE = np.zeros(5 * SAMPLE_RATE, np.float32)
IMPULSE[20_000] = 1.0

EXTREMES = {
    "silence": np.zeros(5 * SAMPLE_RATE, np.float32),
    "offset": np.full(5 * SAMPLE_RATE, 0.3, np.float32),
    "full-scale square": np.where(time_axis(5) * 441 % 1 < 0.5, 1, -1).astype(np.float32),
    "impulse": IMPULSE,
    "white noise": noise(5.0, level_dbfs=-12),
    "faintest noise": noise(5.0, level_dbfs=-96),
    "tone": np.sin(2 * np.pi * 1000 * time_axis(5)).astype(np.float32),
}

SCALE_TOLERANCE = 0.02
"""How far the largest change of any statistic goes when loud sound is turned down by 20 dB."""


def vectors(samples: FloatArray, *, patches: int = WINDOW_PATCHES) -> list[FloatArray]:
    """One vector a patch."""
    front_end, window = FrontEnd(), WindowStatistics(patches)
    return [window.push(patch, front_end.feed(patch)) for patch in PatchCutter().feed(samples)]


def value(name: str, samples: FloatArray) -> float:
    """One statistic of the last full window."""
    return float(vectors(samples)[-1][NAMES.index(name)])


def test_every_number_has_a_name_of_its_own() -> None:
    """NAMES and the vector are equally long, and no name stands twice."""
    assert vectors(noise(1.0))[0].shape == (len(NAMES),)
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("kind", EXTREMES)
@pytest.mark.parametrize("patches", [1, WINDOW_PATCHES])
def test_extremes_give_finite_numbers(kind: str, patches: int) -> None:
    """Nothing that a microphone can deliver gives NaN or infinity, in a window of one patch or of five."""
    found = np.array(vectors(EXTREMES[kind], patches=patches))
    assert found.shape == (5, len(NAMES))
    assert np.isfinite(found).all()


def test_one_sample_of_change_in_silence_is_finite() -> None:
    """The smallest step of a 16-bit converter in otherwise digital silence."""
    samples = np.zeros(3 * SAMPLE_RATE, np.float32)
    samples[::7919] = 1 / 32768
    assert np.isfinite(np.array(vectors(samples))).all()


@pytest.mark.parametrize("kind", SOUNDS)
def test_level_is_divided_out(kind: str) -> None:
    """Loud sound turned down by 20 dB changes no statistic by more than SCALE_TOLERANCE."""
    sound = SOUNDS[kind](6.0)
    loud, quiet = (np.array(vectors((sound * gain).astype(np.float32))) for gain in (1.0, 0.1))
    assert np.abs(loud - quiet).max() < SCALE_TOLERANCE


def test_the_window_slides() -> None:
    """After five patches of something else, nothing of the beginning is left."""
    before, after = noise(4.815, seed=1), chord(9.6)
    with_past = vectors(np.concatenate((before, after)))[-1]
    assert np.abs(with_past - vectors(np.concatenate((noise(4.815, seed=9), after)))[-1]).max() < 1e-4


def test_syllables_show_as_modulation_at_4_hz() -> None:
    """Noise whose loudness moves at 4 Hz has a larger share of 3.2 to 6 Hz than steady noise."""
    steady = noise(6.0)
    moving = (steady * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * time_axis(6)))).astype(np.float32)
    band = "modulation_low_3", "modulation_high_3"
    assert all(value(name, moving) > value(name, steady) + 1 for name in band)


def test_a_beat_shows_as_rhythm() -> None:
    """Clicks twice a second repeat themselves; clicks at random do not."""
    generator = np.random.default_rng(5)
    steady = clicks(6.0, np.arange(0.1, 5.9, 0.5))
    random = clicks(6.0, generator.uniform(0, 5.9, 12))
    assert value("rhythm_max", steady) > value("rhythm_max", random) + 0.2


@pytest.mark.parametrize("name", ["chroma_same_1", "chroma_same_8", "peaks_held_1", "peaks_held_4"])
def test_a_held_chord_stands_still(name: str) -> None:
    """Its peaks and its chroma stay where they are; those of noise do not."""
    assert value(name, chord(6.0)) > value(name, noise(6.0)) + 0.1


def test_a_higher_pitch_folds_to_the_same_chroma() -> None:
    """An octave more changes what is above the first tone little: chroma counts pitch classes."""
    low, high = (value("chroma_max", chord(6.0, frequencies_hz=[pitch])) for pitch in (440.0, 880.0))
    assert low == pytest.approx(high, abs=0.1)
