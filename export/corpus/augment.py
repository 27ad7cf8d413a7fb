"""A room, a cheap microphone and a level: what happens to sound before a device hears it.

Everything is drawn from a `numpy` generator, so that a seed fixes the result. Both classes are treated alike:
what is done to the sound must never tell which it is.
"""

from dataclasses import dataclass

import numpy as np

from device.sound import SAMPLE_RATE, FloatArray

NOISES = ("pink", "brown", "white", "hum", "fan")


@dataclass(frozen=True, slots=True)
class Room:
    """Ranges that a simulated room is drawn from, uniformly."""

    rt60_s: tuple[float, float] = (0.2, 1.0)
    """Time in which the reverberation falls by 60 dB."""
    direct_to_reverberant_db: tuple[float, float] = (-6.0, 12.0)
    """Far away to near."""
    low_cut_hz: tuple[float, float] = (60.0, 300.0)
    high_cut_hz: tuple[float, float] = (3_500.0, 7_600.0)
    """A small capsule behind a grille."""
    level_dbfs: tuple[float, float] = (-50.0, -6.0)
    """RMS of the sound as recorded."""
    snr_db: tuple[float, float] = (5.0, 30.0)
    """The sound above the room's own noise."""
    clipping_chance: float = 0.05


ROOM = Room()


def impulse_response(
    generator: np.random.Generator, *, rt60_s: float, direct_to_reverberant_db: float
) -> FloatArray:
    """A room's response: the direct sound, sparse early reflections, a decaying diffuse tail.

    The tail is Gaussian noise under an exponential decay (Moorer 1979, "About this reverberation business"),
    darker than the direct sound, as air and walls take high frequencies first.

    Returns:
        (n,) float32, n = rt60_s of samples, unit energy.
    """
    import scipy.signal  # noqa: PLC0415 - an extra

    length = max(int(rt60_s * SAMPLE_RATE), 800)
    time_s = np.arange(length) / SAMPLE_RATE
    tail = generator.standard_normal(length) * np.exp(-6.908 * time_s / rt60_s)
    pre_delay = int(generator.uniform(0.002, 0.02) * SAMPLE_RATE)
    tail[:pre_delay] = 0.0
    cutoff_hz = generator.uniform(2_000, 6_000)
    tail = scipy.signal.sosfilt(scipy.signal.butter(1, cutoff_hz, fs=SAMPLE_RATE, output="sos"), tail)
    for _ in range(generator.integers(3, 9)):
        delay_s = generator.uniform(0.002, 0.05)
        at = int(delay_s * SAMPLE_RATE)
        tail[at] += generator.choice((-1.0, 1.0)) * generator.uniform(0.5, 2.0) * np.exp(-6.908 * delay_s / rt60_s)
    tail *= 10 ** (-direct_to_reverberant_db / 20) / np.sqrt(np.sum(tail**2))
    tail[0] += 1.0
    response: FloatArray = (tail / np.sqrt(np.sum(tail**2))).astype(np.float32)
    return response


def noise(generator: np.random.Generator, kind: str, samples: int) -> FloatArray:
    """(samples,) float32 of synthetic room noise, unit RMS.

    Args:
        generator: fixes the noise.
        kind: one of `NOISES`: pink and brown (1/f and 1/f^2 in power), white, mains hum with harmonics, or a fan
            (pink
            noise that swells and fades, with the tone of the blades).
        samples: length at 16 kHz.
    """
    if kind == "hum":
        result = _hum(generator, samples)
    else:
        slope = {"white": 0.0, "pink": 0.5, "brown": 1.0, "fan": 0.6}[kind]
        spectrum = np.fft.rfft(generator.standard_normal(samples))
        frequency = np.maximum(np.fft.rfftfreq(samples, 1 / SAMPLE_RATE), 20.0)
        result = np.fft.irfft(spectrum / frequency**slope, samples)
        if kind == "fan":
            time_s = np.arange(samples) / SAMPLE_RATE
            blades_hz = generator.uniform(40, 200)
            result /= np.std(result) + 1e-12
            result *= 1 + 0.2 * np.sin(2 * np.pi * generator.uniform(0.3, 3) * time_s)
            result += generator.uniform(0.05, 0.6) * np.sin(2 * np.pi * blades_hz * time_s)
    unit: FloatArray = (result / (np.sqrt(np.mean(result**2)) + 1e-12)).astype(np.float32)
    return unit


def _hum(generator: np.random.Generator, samples: int) -> np.ndarray:
    """50 or 60 Hz and its harmonics over a little hiss."""
    time_s = np.arange(samples) / SAMPLE_RATE
    mains_hz = generator.choice((50.0, 60.0)) * generator.uniform(0.998, 1.002)
    result = 0.05 * generator.standard_normal(samples)
    for harmonic in range(1, 13):
        weight = generator.uniform(0.1, 1.0) / harmonic ** generator.uniform(0.3, 1.5)
        result += weight * np.sin(2 * np.pi * (mains_hz * harmonic * time_s + generator.uniform()))
    return result


def at_level(samples: FloatArray, level_dbfs: float) -> FloatArray:
    """Scale to an RMS level; silence stays silence. Peaks may pass 1: `record` clips them, as a converter does."""
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0
    return samples * np.float32(10 ** (level_dbfs / 20) / rms) if rms > 0 else samples


def record(samples: FloatArray) -> FloatArray:
    """What a 16-bit converter makes of it: clipped and quantised, (n,) float32 in [-1, 1]."""
    return (np.round(np.clip(samples, -1.0, 32767 / 32768) * 32768) / 32768).astype(np.float32)


def in_a_room(samples: FloatArray, generator: np.random.Generator, room: Room = ROOM) -> FloatArray:
    """The sound as a cheap microphone somewhere in a room records it; the generator draws room, noise and level.

    Args:
        samples: (n,) float32, 16 kHz mono.
        generator: fixes all choices.
        room: the ranges to draw from.

    Returns:
        (n,) float32 in [-1, 1], quantised to 16 bit.
    """
    import scipy.signal  # noqa: PLC0415 - an extra

    if not samples.size:
        return samples
    response = impulse_response(
        generator,
        rt60_s=generator.uniform(*room.rt60_s),
        direct_to_reverberant_db=generator.uniform(*room.direct_to_reverberant_db),
    )
    wet = scipy.signal.fftconvolve(samples, response)[: samples.size].astype(np.float32)
    floor = noise(generator, str(generator.choice(NOISES)), samples.size)
    rms = float(np.sqrt(np.mean(wet**2)))
    wet = wet + floor * np.float32(rms * 10 ** (-generator.uniform(*room.snr_db) / 20))
    capsule = scipy.signal.butter(
        2,
        (generator.uniform(*room.low_cut_hz), generator.uniform(*room.high_cut_hz)),
        btype="bandpass",
        fs=SAMPLE_RATE,
        output="sos",
    )
    heard = scipy.signal.sosfilt(capsule, wet).astype(np.float32)
    level_dbfs = generator.uniform(*room.level_dbfs)
    if generator.uniform() < room.clipping_chance:
        level_dbfs = generator.uniform(-6.0, 3.0)
    return record(at_level(heard, level_dbfs))
