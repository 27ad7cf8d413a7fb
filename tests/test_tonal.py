"""export.corpus.tonal: bells, chimes, horns and sirens, which are no music."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from network_fakes import needs_tflite

from device.sources.base import SAMPLE_RATE, FloatArray
from export.corpus.tonal import Tonal, tonal_sounds
from export.evaluation.replay import Replay

SHORT = tuple(replace(sound, seconds=24.0) for sound in tonal_sounds())
"""Two pieces of each."""


@cache
def heard(sound: Tonal) -> FloatArray:
    """Read once, for all tests that only look."""
    return sound.read()


def flatness(sound: FloatArray) -> float:
    """Geometric over arithmetic mean of the power of frames of 64 ms, in their median: 0.56 for white noise."""
    frames = sound[: sound.size // 1024 * 1024].reshape(-1, 1024) * np.hanning(1024)
    frames = frames[np.sqrt(np.mean(np.square(frames), axis=1)) > 0.01]
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2 + 1e-12
    return float(np.median(np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)))


@pytest.mark.parametrize("sound", SHORT, ids=lambda sound: str(sound.kind))
def test_each_is_reproducible_and_in_range(sound: Tonal) -> None:
    """Float32, finite, within [-1, 1], at -20 dBFS, the same at each reading, no music, train."""
    samples = heard(sound)
    assert samples.dtype == np.float32
    assert samples.size == 24 * SAMPLE_RATE
    assert np.abs(samples).max() <= 1
    assert 20 * np.log10(np.sqrt(np.mean(np.square(samples)))) == pytest.approx(-20, abs=0.5)
    assert np.array_equal(samples, sound.read())
    assert (sound.label, sound.split, sound.package) == ("no_music", "train", f"tonal/{sound.kind}")


@pytest.mark.parametrize("sound", SHORT, ids=lambda sound: str(sound.kind))
def test_each_has_a_pitch(sound: Tonal) -> None:
    """Its spectrum is a few lines, not a noise."""
    assert flatness(heard(sound)) < 0.05


@pytest.mark.parametrize("sound", SHORT, ids=lambda sound: str(sound.kind))
def test_no_two_pieces_are_alike(sound: Tonal) -> None:
    """Each bell is another bell."""
    first, second = np.split(heard(sound), 2)
    assert not np.allclose(first, second, atol=0.01)


def test_a_longer_sound_begins_like_a_shorter_one() -> None:
    """In whole pieces, so many as are needed."""
    assert Tonal("sirens", seconds=1.0).read().size == 12 * SAMPLE_RATE
    longer = Tonal("sirens", seconds=12.5).read()
    assert np.array_equal(longer[: 12 * SAMPLE_RATE], Tonal("sirens", seconds=12.0).read())
    assert longer.size == 24 * SAMPLE_RATE


def test_each_kind_is_there_once() -> None:
    """Five minutes of every kind."""
    kinds = [sound.kind for sound in tonal_sounds()]
    assert len(set(kinds)) == len(kinds)
    assert {sound.seconds for sound in tonal_sounds()} == {300.0}


def test_a_bell_dies_away_between_its_strokes() -> None:
    """It is struck, not blown: what is loudest is early in each stroke."""
    bell = Tonal("door-chimes", seconds=12.0).read()
    envelope = np.sqrt(np.mean(np.square(bell.reshape(-1, SAMPLE_RATE // 50)), axis=1))
    rises, falls = np.diff(envelope).clip(0), (-np.diff(envelope)).clip(0)
    assert (rises > 0.01).sum() < (falls > 0.001).sum() / 4


def church_bell(hz: float, period_s: float) -> FloatArray:
    """(n,) 12 s: eight partials, struck every so often, at -20 dBFS, with a little noise."""
    time_s = np.arange(12 * SAMPLE_RATE) / SAMPLE_RATE
    sound = np.zeros(time_s.size)
    for stroke_s in np.arange(0.5, 12.0, period_s):
        begin = int(stroke_s * SAMPLE_RATE)
        since_s = time_s[: time_s.size - begin]
        for ratio, amplitude in zip(
            (0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0), (0.5, 1.0, 0.8, 0.5, 0.7, 0.3, 0.3, 0.2), strict=True
        ):
            fades = np.exp(-since_s / (2.0 / ratio**0.7))
            sound[begin:] += amplitude * fades * np.sin(2 * np.pi * hz * ratio * since_s)
    sound *= 0.1 / np.sqrt(np.mean(np.square(sound)))
    sound += np.random.default_rng(1).normal(0.0, 1e-3, sound.size)
    return np.clip(sound, -1, 1).astype(np.float32)


@needs_tflite
@pytest.mark.parametrize(("hz", "period_s"), [(300.0, 1.0), (500.0, 1.0), (500.0, 2.0), (600.0, 1.0)])
def test_the_default_model_does_not_take_a_church_bell_for_music(hz: float, period_s: float) -> None:
    """Before it had heard any, it did with each of these."""
    (told,) = Replay("attention", "balanced").hear([[church_bell(hz, period_s)]])
    assert told == []
