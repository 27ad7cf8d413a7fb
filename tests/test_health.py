"""device.hearing.health: level, clipping and flat line."""

import math

import numpy as np
import pytest
from hearing_fakes import noise, time_axis

from device.hearing.health import Health, HealthMeter
from device.sound import SAMPLE_RATE, FloatArray


def health_of(*patches: FloatArray) -> Health:
    """The condition after the last patch."""
    meter = HealthMeter()
    for patch in patches:
        meter.update(patch)
    return meter.health


def constant(value: float, seconds: float = 1.0) -> FloatArray:
    """One and the same value."""
    return np.full(round(seconds * SAMPLE_RATE), value, np.float32)


def test_silence_is_minus_infinity() -> None:
    """Digital silence has no level; 0 would be full scale."""
    assert health_of(constant(0.0)).level_dbfs == -math.inf


def test_a_full_scale_square_is_0_dbfs() -> None:
    """The reference of dBFS here is the full-scale square wave."""
    square = np.where(time_axis(1) * 1000 % 1 < 0.5, 1, -1).astype(np.float32)
    assert health_of(square).level_dbfs == pytest.approx(0.0, abs=1e-6)


def test_a_full_scale_sine_is_3_db_less() -> None:
    """RMS, not peak."""
    sine = np.sin(2 * np.pi * 1000 * time_axis(1)).astype(np.float32)
    assert health_of(sine).level_dbfs == pytest.approx(-3.01, abs=0.01)


def test_level_is_the_latest_patchs() -> None:
    """What was loud before no longer counts."""
    assert health_of(constant(1.0), noise(1.0, level_dbfs=-40)).level_dbfs == pytest.approx(-40, abs=0.2)


def test_clipping_is_the_fraction_at_full_scale() -> None:
    """Both ends of the scale count."""
    samples = noise(0.1, level_dbfs=-30)
    samples[:80], samples[80:160] = 1.0, -1.0
    assert health_of(samples).clipping == pytest.approx(0.1)


@pytest.mark.parametrize("value", [0.0, 0.25, -1.0])
def test_a_flat_line_adds_up_over_patches(value: float) -> None:
    """One value for ever is a dead microphone, whether the value is zero or an offset."""
    assert health_of(constant(value), constant(value), constant(value, 0.5)).flat_s == pytest.approx(2.5)


def test_one_different_sample_ends_a_flat_line() -> None:
    """Only what follows the change is counted."""
    last = constant(0.0)
    last[12_000] = 1e-4
    assert health_of(constant(0.0), last).flat_s == pytest.approx(3_999 / SAMPLE_RATE)


def test_another_constant_is_another_flat_line() -> None:
    """A jump between two constants starts the count again."""
    assert health_of(constant(0.0), constant(0.5)).flat_s == pytest.approx(1.0)


def test_sound_is_not_flat() -> None:
    """With sound, no more than the latest sample is flat."""
    assert health_of(noise(1.0)).flat_s <= 1 / SAMPLE_RATE


def test_counts_add_up() -> None:
    """Overruns and invalid samples are totals since the start."""
    meter = HealthMeter()
    meter.count(overruns=1, invalid=2)
    meter.count(overruns=3, invalid=0)
    assert meter.update(noise(0.1)) == meter.health
    assert (meter.health.overruns, meter.health.invalid) == (4, 2)
