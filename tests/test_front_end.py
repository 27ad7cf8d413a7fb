"""device.hearing.front_end.stream, with each transform, against its definition, worked out by hand."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hearing_fakes import chord, noise, scene

from device.hearing.front_end.features import hertz_to_mel, mel_weights
from device.hearing.front_end.stream import FrontEnd
from device.hearing.front_end.transforms import NumpyTransform, fastest
from device.sound import FloatArray

RATE_HZ, WINDOW, HOP, FFT, BANDS = 16_000, 400, 160, 512, 64
LOW_HZ, HIGH_HZ, OFFSET = 125.0, 7500.0, 0.001

SOUNDS: dict[str, Callable[[float], FloatArray]] = {"noise": noise, "chord": chord, "scene": scene}

NewFrontEnd = Callable[[], FrontEnd]

Float64 = npt.NDArray[np.float64]


def mel(hertz: float) -> float:
    """HTK."""
    return 1127.0 * math.log(1.0 + hertz / 700.0)


def triangles() -> Float64:
    """(257, 64): one triangle a band, each bin of each band written out."""
    step = (mel(HIGH_HZ) - mel(LOW_HZ)) / (BANDS + 1)
    weights = np.zeros((FFT // 2 + 1, BANDS))
    for band in range(BANDS):
        low, centre, high = (mel(LOW_HZ) + step * (band + edge) for edge in (0, 1, 2))
        for number in range(1, FFT // 2 + 1):
            at = mel(number * RATE_HZ / FFT)
            if low < at <= centre:
                weights[number, band] = (at - low) / (centre - low)
            elif centre < at < high:
                weights[number, band] = (high - at) / (high - centre)
    return weights


@pytest.fixture(params=["numpy", "compiled"])
def new(request: pytest.FixtureRequest) -> NewFrontEnd:
    """Makes a front end with one transform or the other."""
    if request.param == "numpy":
        return lambda: FrontEnd(transform=NumpyTransform())
    if fastest().name != "compiled":
        pytest.skip("spectra.c was not compiled (no C compiler when oido was installed), or needs AVX2")
    return FrontEnd


def expected_log_mel(samples: FloatArray) -> Float64:
    """The definition in float64: an explicit Fourier matrix, no FFT."""
    window = np.array([0.5 - 0.5 * math.cos(2 * math.pi * n / WINDOW) for n in range(WINDOW)])
    fourier = np.exp(-2j * np.pi * np.outer(np.arange(WINDOW), np.arange(FFT // 2 + 1)) / FFT)
    starts = range(0, len(samples) - WINDOW + 1, HOP)
    frames = np.array([samples[start : start + WINDOW].astype(np.float64) * window for start in starts])
    result: Float64 = np.log(np.abs(frames @ fourier) @ triangles() + OFFSET)
    return result


@pytest.mark.parametrize("level_dbfs", [-6, -20, -40, -60])
@pytest.mark.parametrize("kind", SOUNDS)
def test_values_are_the_definitions(new: NewFrontEnd, kind: str, level_dbfs: int) -> None:
    """At any level, each log-mel value is within 1e-5 of the definition, between loud tones too."""
    sound = SOUNDS[kind](3.0)
    samples = (sound * (10 ** (level_dbfs / 20) / np.abs(sound).max())).astype(np.float32)
    assert np.abs(new().feed(samples).log_mel() - expected_log_mel(samples)).max() <= 1e-5


def test_silence_is_the_logarithm_of_the_offset(new: NewFrontEnd) -> None:
    """Digital silence gives log(0.001) everywhere, not minus infinity."""
    assert np.allclose(new().feed(np.zeros(16_000, np.float32)).log_mel(), math.log(OFFSET), atol=1e-6)


def test_mel_weights_are_the_triangles() -> None:
    """The matrix agrees with triangles written out bin by bin, and the bin of 0 Hz counts nowhere."""
    assert np.abs(mel_weights() - triangles()).max() < 1e-6
    assert not mel_weights()[0].any()


def test_the_mel_scale_is_htks() -> None:
    """1000 Hz are 1000 mel, near enough, and 0 Hz are none."""
    assert float(hertz_to_mel(1000.0)) == pytest.approx(999.99, abs=0.01)
    assert float(hertz_to_mel(0.0)) == 0.0


def test_the_offset_is_a_choice_of_the_reader() -> None:
    """VGGish's offset of 0.01 is applied to the same magnitudes."""
    spectra = FrontEnd().feed(noise(0.5))
    assert np.allclose(np.exp(spectra.log_mel(0.01)) - np.exp(spectra.log_mel(0.001)), 0.009, atol=1e-3)


@pytest.mark.parametrize("block", [1, 159, 160, 401, 1000, 15_361])
def test_blocks_of_any_size_give_the_same_frames(new: NewFrontEnd, block: int) -> None:
    """A stream cut anyhow gives the values of one call."""
    samples = scene(1.2)
    front_end = new()
    parts = [front_end.feed(samples[at : at + block]).mel for at in range(0, len(samples), block)]
    assert np.allclose(np.concatenate(parts), new().feed(samples).mel, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("samples", "frames"), [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2), (15_600, 96), (30_960, 192)]
)
def test_frame_count(new: NewFrontEnd, samples: int, frames: int) -> None:
    """Frame k needs samples up to 160 k + 400, no more."""
    spectra = new().feed(np.zeros(samples, np.float32))
    assert spectra.mel.shape == (frames, 64)


def test_each_frame_is_computed_once(new: NewFrontEnd) -> None:
    """A stream's blocks yield as many frames in all as the whole does: none twice, none missing."""
    samples = noise(2.0)
    front_end = new()
    counts = [len(front_end.feed(samples[at : at + 777]).mel) for at in range(0, len(samples), 777)]
    assert sum(counts) == (len(samples) - WINDOW) // HOP + 1


def test_the_callers_samples_may_be_reused(new: NewFrontEnd) -> None:
    """What the front end keeps for the next frame is its own copy."""
    samples = noise(0.1)
    buffer = samples[:500].copy()
    front_end = new()
    front_end.feed(buffer)
    buffer[:] = 0
    rest = front_end.feed(samples[500:]).mel
    assert np.allclose(rest, new().feed(samples).mel[1:], rtol=1e-5, atol=1e-6)
