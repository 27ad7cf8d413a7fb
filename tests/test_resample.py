"""device.sources.resample and conditioning: any rate and channels to clean 16 kHz mono blocks."""

import numpy as np
import pytest

from device.errors import SourceError
from device.hearing.front_end.compiled import load_kernels
from device.hearing.front_end.decimation import DECIMATED_HZ, Decimator
from device.sound import SAMPLE_RATE, Block, FloatArray
from device.sources.conditioning import Conditioner
from device.sources.mixing import mix_down
from device.sources.resample import Resampler, SoxrStream

RATES = [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000]


def noise(count: int, *, seed: int = 0) -> FloatArray:
    """(count,) of white noise."""
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def tone(frequency_hz: float, rate_hz: int, *, seconds: float = 2) -> FloatArray:
    """(n,) of a sine with amplitude 0.5."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * times)).astype(np.float32)


def resampled(
    samples: FloatArray, rate_hz: int, *, block: int, stream: Resampler | SoxrStream | Decimator | None = None
) -> FloatArray:
    """All of the samples through a resampler that is fed `block` at a time."""
    resampler = stream or Resampler(rate_hz)
    pieces = [resampler.feed(samples[at : at + block]) for at in range(0, len(samples), block)]
    return np.concatenate([*pieces, resampler.flush()])


def level_db(samples: FloatArray) -> float:
    """RMS relative to that of a sine with amplitude 0.5, over the middle, dB."""
    middle = samples[len(samples) // 4 : -len(samples) // 4].astype(np.float64)
    return float(20 * np.log10(np.sqrt(np.mean(middle**2)) / (0.5 / np.sqrt(2)) + 1e-12))


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("block", [37, 1_000, 4_097, 4_410, 65_537])
def test_the_same_bits_whatever_the_block_size(rate_hz: int, block: int) -> None:
    """Where the input was cut leaves no trace in the output."""
    samples = noise(3 * rate_hz + 123)
    assert np.array_equal(
        resampled(samples, rate_hz, block=block), resampled(samples, rate_hz, block=len(samples))
    )


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("extra", [0, 1, 777])
def test_the_length_is_that_of_the_input(rate_hz: int, extra: int) -> None:
    """After flush, n samples have become n * 16000 / rate of them, rounded."""
    count = 2 * rate_hz + extra
    assert abs(len(resampled(noise(count), rate_hz, block=4_000)) - count * SAMPLE_RATE / rate_hz) <= 0.5


@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("frequency_hz", [8_500, 10_000])
def test_what_would_alias_is_down_by_100_db(rate_hz: int, frequency_hz: int) -> None:
    """A tone above 8 kHz does not come back as another one below."""
    assert level_db(resampled(tone(frequency_hz, rate_hz), rate_hz, block=4_000)) < -100


@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("frequency_hz", [100, 1_000, 7_000])
def test_the_mel_bands_pass_unchanged(rate_hz: int, frequency_hz: int) -> None:
    """Up to 7 kHz the level is kept to 0.2 dB."""
    assert level_db(resampled(tone(frequency_hz, rate_hz), rate_hz, block=4_000)) == pytest.approx(0, abs=0.2)


@pytest.fixture(params=DECIMATED_HZ)
def decimator(request: pytest.FixtureRequest) -> tuple[int, Decimator]:
    """A sample rate, and what is compiled for it."""
    kernels = load_kernels()
    if kernels is None:
        pytest.skip("the front end was not compiled (no C compiler when oido was installed), or needs AVX2")
    return request.param, Decimator(kernels.decimate, request.param)


Compiled = tuple[int, Decimator]


def gain_db(stream: Decimator, frequency_hz: float, rate_hz: int) -> float:
    """How loud a tone of half a second comes through; the stream goes on afterwards."""
    sound = np.concatenate([stream.feed(tone(frequency_hz, rate_hz, seconds=0.5)), stream.flush()])
    return level_db(sound)


def test_decimation_lets_nothing_alias(decimator: Compiled) -> None:
    """Tones from 8 kHz up are down by 80 dB, and by 100 dB from 8.5 kHz up, where they reach the mel bands."""
    rate_hz, stream = decimator
    above = [(tone_hz, gain_db(stream, tone_hz, rate_hz)) for tone_hz in range(8_001, rate_hz // 2, 31)]
    assert max(gain for _, gain in above) < -80
    assert max(gain for tone_hz, gain in above if tone_hz >= 8_500) < -100


def test_decimation_keeps_the_mel_bands_as_they_are(decimator: Compiled) -> None:
    """To 0.05 dB up to 7.5 kHz, where soxr as it is used for other rates has lost 0.5 dB."""
    rate_hz, stream = decimator
    gains = [gain_db(stream, tone_hz, rate_hz) for tone_hz in (*range(100, 7_500, 37), 7_500)]
    assert max(map(abs, gains)) < 0.05
    soxr = resampled(tone(7_500, rate_hz), rate_hz, block=4_800, stream=SoxrStream(rate_hz))
    assert abs(level_db(soxr)) > 0.05


def test_decimation_says_what_soxr_says(decimator: Compiled) -> None:
    """Sample for sample, where the sound has nothing between 7 and 9 kHz: no delay, no click at any edge."""
    rate_hz, stream = decimator
    sound = np.mean([tone(hertz, rate_hz) for hertz in (50, 440, 3_000, 6_900, 11_000)], axis=0)
    one = resampled(sound, rate_hz, block=441, stream=stream)
    other = resampled(sound, rate_hz, block=441, stream=SoxrStream(rate_hz))
    assert len(one) == len(other)
    assert np.abs(one - other)[800:-800].max() < 1e-3


@pytest.mark.parametrize("samples", [np.zeros(100), np.zeros(100, np.float32)[::2]])
def test_decimation_reads_no_other_numbers(decimator: Compiled, samples: FloatArray) -> None:
    """What is not laid out as C would read it is refused before C sees it."""
    with pytest.raises(ValueError, match="samples are float"):
        decimator[1].feed(samples)


def test_decimation_leaves_its_input_alone(decimator: Compiled) -> None:
    """Samples that nobody may write are read all the same."""
    rate_hz, stream = decimator
    samples = noise(1_000)
    samples.flags.writeable = False
    found = stream.feed(samples)
    assert np.array_equal(found, resampled(noise(1_000), rate_hz, block=1_000)[: len(found)])


@pytest.mark.parametrize("rate_hz", [32_000, 44_100, 48_000])
def test_a_tone_stays_in_time(rate_hz: int) -> None:
    """The delay is compensated: the output is the tone sampled at 16 kHz, without a click at any edge."""
    output = resampled(tone(440, rate_hz), rate_hz, block=441)
    error = output - tone(440, SAMPLE_RATE)
    assert np.max(np.abs(error[800:-800])) < 1e-4


def test_16_khz_passes_untouched() -> None:
    """At the project's own rate the samples are the same bits."""
    samples = noise(5_000)
    assert np.array_equal(resampled(samples, SAMPLE_RATE, block=333), samples)


@pytest.mark.parametrize("rate_hz", [0, -1, 1, 2**31 - 1])
def test_an_absurd_rate_is_a_source_error(rate_hz: int) -> None:
    """A damaged header does not make soxr allocate without bound."""
    with pytest.raises(SourceError, match="cannot be resampled"):
        Resampler(rate_hz)


def test_channels_are_averaged() -> None:
    """Six channels become their mean."""
    frames = np.stack([noise(100, seed=channel) for channel in range(6)], axis=1)
    mono, _ = mix_down(frames)
    assert mono.dtype == np.float32
    np.testing.assert_allclose(mono, frames.mean(axis=1), atol=1e-7)


def test_what_is_not_a_number_becomes_silence_and_is_counted() -> None:
    """NaN and both infinities are replaced, each value counted once."""
    frames = np.array([[0.5, 0.5], [np.nan, 0.5], [np.inf, -np.inf]], np.float32)
    mono, invalid = mix_down(frames)
    assert mono.tolist() == [0.5, 0.25, 0.0]
    assert invalid == 3


def test_values_beyond_full_scale_are_clipped_before_mixing() -> None:
    """One channel that is off the scale cannot drown the other, nor overflow."""
    frames = np.array([[3e38, 3e38], [-7.0, 1.0]], np.float32)
    assert mix_down(frames)[0].tolist() == [1.0, 0.0]


def test_mixing_leaves_the_input_alone() -> None:
    """A mono block is a copy, because readers use their buffer again."""
    frames = noise(10).reshape(-1, 1)
    mono, _ = mix_down(frames)
    assert not np.shares_memory(mono, frames)


def condition(conditioner: Conditioner, samples: FloatArray, *, piece: int) -> list[Block]:
    """Feed mono samples by pieces; all blocks, the flushed included."""
    blocks: list[Block] = []
    for at in range(0, len(samples), piece):
        blocks += conditioner.feed(samples[at : at + piece].reshape(-1, 1))
    return blocks + conditioner.flush()


def test_blocks_are_equally_long_and_follow_each_other() -> None:
    """Whatever the pieces, blocks have the length asked for, and each starts where the last one ended."""
    blocks = condition(Conditioner(44_100, block_s=0.1), noise(44_100), piece=3_333)
    assert [len(block.samples) for block in blocks] == [1_600] * 10
    assert [block.start for block in blocks] == list(range(0, 16_000, 1_600))


def test_the_last_block_may_be_shorter() -> None:
    """Nothing is padded and nothing is lost at the end."""
    blocks = condition(Conditioner(16_000, block_s=0.1), noise(1_700), piece=1_700)
    assert [len(block.samples) for block in blocks] == [1_600, 100]


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_overshoot_of_the_filter_is_clipped(rate_hz: int) -> None:
    """A full-scale square wave rings beyond full scale in the filter; blocks reach full scale and no further."""
    square = np.sign(tone(900, rate_hz) + 1e-9)
    blocks = condition(Conditioner(rate_hz, block_s=0.1), square, piece=4_410)
    assert max(np.max(np.abs(block.samples)) for block in blocks) == 1


def test_counts_go_with_the_next_block_once() -> None:
    """Overruns and invalid values are told by the block that follows them, and by no other."""
    conditioner = Conditioner(16_000, block_s=0.1)
    bad = np.full((800, 1), np.nan, np.float32)
    assert conditioner.feed(bad, overruns=2) == []
    first, second = conditioner.feed(np.zeros((2_400, 1), np.float32))
    assert (first.overruns, first.invalid) == (2, 800)
    assert (second.overruns, second.invalid) == (0, 0)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_wall_time_is_that_of_the_first_sample(rate_hz: int) -> None:
    """Counted back from the newest frame, whatever the resampler still holds."""
    conditioner = Conditioner(rate_hz, block_s=0.1)
    blocks: list[Block] = []
    for tenth in range(1, 11):
        blocks += conditioner.feed(noise(rate_hz // 10).reshape(-1, 1), captured_at=1_000 + tenth / 10)
    assert len(blocks) >= 9
    for block in blocks:
        assert block.wall_time == pytest.approx(1_000 + block.start / SAMPLE_RATE)
