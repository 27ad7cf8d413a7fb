"""export.corpus.codecs: what a telephone line or a low bit rate leaves, in its place."""

import numpy as np
import pytest
from hearing_fakes import noise, time_axis

from device.sound import SAMPLE_RATE, FloatArray
from export.corpus.codecs import CODECS, Codec, through

A, MU = 87.6, 255.0


def low_tone(level: float) -> FloatArray:
    """250 Hz, of which a telephone takes nothing away."""
    tone: FloatArray = (level * np.sin(2 * np.pi * 250 * time_axis(0.5))).astype(np.float32)
    return tone


def delay(sent: FloatArray, received: FloatArray) -> int:
    """By so many samples does the second come after the first: where they correlate best."""
    size = 2 * sent.size
    correlation = np.fft.irfft(np.fft.rfft(received, size) * np.conj(np.fft.rfft(sent, size)))
    at = int(np.argmax(correlation))
    return at if at < sent.size else at - size


def error_db(sent: FloatArray, received: FloatArray) -> float:
    """Power of the difference relative to what was sent."""
    return float(10 * np.log10(np.mean((received - sent) ** 2) / np.mean(sent**2)))


def companded(samples: FloatArray, codec: str) -> np.ndarray:
    """ITU-T G.711: 127 steps to either side of what this gives, written out as in its Appendix."""
    size = np.abs(samples.astype(np.float64))
    if codec == "mu-law":
        curve: np.ndarray = np.log(1 + MU * size) / np.log(1 + MU)
    else:
        below = A * size / (1 + np.log(A))
        above = (1 + np.log(np.maximum(A * size, 1))) / (1 + np.log(A))
        curve = np.where(size < 1 / A, below, above)
    signed: np.ndarray = np.sign(samples) * curve
    return signed


@pytest.mark.parametrize("codec", CODECS)
def test_sound_stays_where_it_was(codec: Codec) -> None:
    """To the sample: the labels are those of what went in."""
    sound = noise(1.0)
    assert delay(sound, through(sound, codec)) == 0


@pytest.mark.parametrize("samples", [1, 100, 16_001])
@pytest.mark.parametrize("codec", CODECS)
def test_length_and_type_stay(codec: Codec, samples: int) -> None:
    """Also of less than one frame of the codec."""
    decoded = through(noise(2.0)[:samples], codec)
    assert decoded.shape == (samples,)
    assert decoded.dtype == np.float32


@pytest.mark.parametrize("codec", CODECS)
def test_silence_stays_silence(codec: Codec) -> None:
    """Nothing hisses that did not."""
    assert np.abs(through(np.zeros(SAMPLE_RATE, np.float32), codec)).max() < 1e-4


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_too_loud_is_clipped(codec: Codec) -> None:
    """It does not turn over: what is above full scale stays above zero. The ends, which fade, left out."""
    sound, decoded = (samples[800:-800] for samples in (low_tone(3.0), through(low_tone(3.0), codec)))
    assert np.abs(decoded).max() < 1.5
    assert np.all(decoded[np.abs(sound) > 1.5] * sound[np.abs(sound) > 1.5] > 0)


@pytest.mark.parametrize("level", [0.9, 0.3, 0.02, 0.001, -0.05, -0.6])
@pytest.mark.parametrize("codec", ["mu-law", "a-law"])
def test_a_telephone_follows_its_curve(codec: Codec, level: float) -> None:
    """A steady level comes out within half of one of 127 steps; the ends, where the resampler rings, left out."""
    steady = np.full(SAMPLE_RATE // 4, level, np.float32)
    error = companded(through(steady, codec), codec) - companded(steady, codec)
    assert np.abs(error[800:-800]).max() <= 0.501 / 127


@pytest.mark.parametrize("codec", ["mu-law", "a-law"])
def test_a_telephone_has_steps(codec: Codec) -> None:
    """An error of 33 to 42 dB below a loud tone, as eight bits of G.711 have it."""
    sound = low_tone(0.5)
    assert -42 < error_db(sound[800:-800], through(sound, codec)[800:-800]) < -33


@pytest.mark.parametrize("codec", ["mu-law", "a-law"])
def test_a_telephone_ends_at_4_khz(codec: Codec) -> None:
    """Above there is nothing left but quantisation's images: 30 dB less."""
    sound = noise(1.0)
    before, after = (np.abs(np.fft.rfft(samples))[4_200:] for samples in (sound, through(sound, codec)))
    assert np.sum(after**2) < 1e-3 * np.sum(before**2)


@pytest.mark.parametrize("codec", ["mp3", "opus", "vorbis"])
def test_a_smaller_file_is_a_worse_one(codec: Codec) -> None:
    """`compression` reaches the encoder, from the largest file to the smallest."""
    sound = noise(1.0)
    assert error_db(sound, through(sound, codec, compression=0.0)) < error_db(
        sound, through(sound, codec, compression=1.0)
    )
