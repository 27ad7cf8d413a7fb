"""export.corpus.augment and synthetic: seeded, in range, and the room that was asked for."""

import numpy as np
import pytest
from hearing_fakes import chord, noise

from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.augment import NOISES, Room, at_level, impulse_response, in_a_room, record
from export.corpus.augment import noise as room_noise
from export.corpus.synthetic import Synthetic, synthetic_sounds


def generator(seed: int = 0) -> np.random.Generator:
    """A fresh one."""
    return np.random.default_rng(seed)


def rms_dbfs(samples: FloatArray) -> float:
    """Level."""
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64))))


def measured_rt60_s(response: FloatArray) -> float:
    """From the slope of the backward integral between -5 and -25 dB (Schroeder 1965; ISO 3382's T20)."""
    left = np.cumsum(np.square(response[::-1], dtype=np.float64))[::-1]
    decay_db = 10 * np.log10(left / left[0])
    here = np.flatnonzero((decay_db <= -5) & (decay_db >= -25))
    slope_db, _ = np.polyfit(here / SAMPLE_RATE, decay_db[here], 1)
    return float(-60 / slope_db)


def test_a_room_is_the_same_for_a_seed() -> None:
    """The same bytes, and others for another seed."""
    sound = chord(2.0)
    first, again, other = (in_a_room(sound, generator(seed)).tobytes() for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("seed", range(8))
def test_a_room_keeps_range_length_and_type(seed: int) -> None:
    """Also where it clips: 16 bit, within [-1, 1], as long as before."""
    heard = in_a_room(chord(1.0), generator(seed), Room(clipping_chance=0.5))
    assert heard.dtype == np.float32
    assert heard.shape == (SAMPLE_RATE,)
    assert np.abs(heard).max() <= 1
    assert np.array_equal(heard * 32768, np.round(heard * 32768))


@pytest.mark.parametrize("samples", [0, 1, 100])
def test_a_room_takes_any_length(samples: int) -> None:
    """A stream's last section may be short."""
    assert len(in_a_room(noise(1.0)[:samples], generator())) == samples


def test_a_room_records_at_a_level_in_its_range() -> None:
    """RMS between -30 and -20 dBFS if that is asked for."""
    room = Room(level_dbfs=(-30.0, -20.0), clipping_chance=0.0)
    assert all(-30.5 < rms_dbfs(in_a_room(noise(2.0), generator(seed), room)) < -19.5 for seed in range(5))


@pytest.mark.parametrize("rt60_s", [0.3, 0.6, 1.0])
def test_reverberation_decays_as_asked(rt60_s: float) -> None:
    """Measured from the decay of its energy, the mean of eight rooms, within 10 %; early reflections left out."""
    skip = SAMPLE_RATE // 20
    found = [
        measured_rt60_s(impulse_response(generator(seed), rt60_s=rt60_s, direct_to_reverberant_db=-6)[skip:])
        for seed in range(8)
    ]
    assert np.mean(found) == pytest.approx(rt60_s, rel=0.1)


@pytest.mark.parametrize("ratio_db", [-6.0, 0.0, 12.0])
def test_the_direct_sound_stands_out_as_asked(ratio_db: float) -> None:
    """Energy of the first sample over that of all others; the response's energy is 1."""
    response = impulse_response(generator(), rt60_s=0.5, direct_to_reverberant_db=ratio_db)
    energy = np.square(response, dtype=np.float64)
    assert energy.sum() == pytest.approx(1, rel=1e-5)
    assert 10 * np.log10(energy[0] / energy[1:].sum()) == pytest.approx(ratio_db, abs=0.3)


@pytest.mark.parametrize("kind", NOISES)
def test_noise_has_unit_level_and_is_seeded(kind: str) -> None:
    """Every kind."""
    sound = room_noise(generator(), kind, SAMPLE_RATE)
    assert rms_dbfs(sound) == pytest.approx(0, abs=0.01)
    assert np.array_equal(sound, room_noise(generator(), kind, SAMPLE_RATE))


@pytest.mark.parametrize(("kind", "slope_db"), [("white", 0.0), ("pink", -3.0), ("brown", -6.0)])
def test_noise_falls_by_octaves(kind: str, slope_db: float) -> None:
    """Power density a third of a decade apart: 0, 3 and 6 dB an octave."""
    power = np.abs(np.fft.rfft(room_noise(generator(), kind, 60 * SAMPLE_RATE))) ** 2
    low, high = (power[60 * hertz : 120 * hertz].mean() for hertz in (250, 2000))
    assert 10 * np.log10(high / low) / 3 == pytest.approx(slope_db, abs=0.2)


def test_silence_has_no_level_to_change() -> None:
    """It stays silence."""
    assert not at_level(np.zeros(10, np.float32), -20.0).any()
    assert at_level(np.zeros(0, np.float32), -20.0).size == 0


def test_a_level_is_reached() -> None:
    """RMS, exactly."""
    assert rms_dbfs(at_level(noise(1.0), -33.0)) == pytest.approx(-33, abs=1e-4)


def test_recording_clips_and_rounds() -> None:
    """As a 16-bit converter does, which has one value less above zero."""
    found = record(np.array([2.0, -2.0, 1e-6, 0.5], np.float32))
    assert found.tolist() == [32767 / 32768, -1.0, 0.0, 0.5]


@pytest.mark.parametrize("sound", synthetic_sounds(), ids=lambda sound: str(sound.kind))
def test_synthetic_sounds_are_reproducible_and_in_range(sound: Synthetic) -> None:
    """A minute each, float32, finite, within [-1, 1], the same at each reading, no music, train."""
    samples = sound.read()
    assert samples.dtype == np.float32
    assert len(samples) == 60 * SAMPLE_RATE
    assert np.abs(samples).max() <= 1
    assert np.array_equal(samples, sound.read())
    assert (sound.label, sound.split, sound.package) == ("no_music", "train", f"synthetic/{sound.kind}")


def test_each_synthetic_sound_is_another() -> None:
    """Every kind once."""
    packages = [sound.package for sound in synthetic_sounds()]
    assert len(set(packages)) == len(packages)
