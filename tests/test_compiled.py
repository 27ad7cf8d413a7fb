"""device.hearing.front_end.compiled: the compiled transform beside numpy's; test_front_end.py tests both.

The compiled decimation is tested in test_resample.py, beside soxr.
"""

from pathlib import Path

import numpy as np
import pytest
from hearing_fakes import noise, scene

from device.hearing.front_end.compiled import CompiledTransform, load_kernels
from device.hearing.front_end.features import LOG_MEL, Spectra
from device.hearing.front_end.transforms import NumpyTransform
from device.sound import FloatArray


@pytest.fixture
def compiled() -> CompiledTransform:
    """As it was installed."""
    kernels = load_kernels()
    if kernels is None:
        pytest.skip("the front end was not compiled (no C compiler when oido was installed), or needs AVX2")
    return CompiledTransform(kernels.spectra)


def assert_alike(one: Spectra, other: Spectra) -> None:
    """To float32's rounding of the loudest."""
    assert one.mel.shape == other.mel.shape
    assert np.abs(one.mel - other.mel).max(initial=0.0) <= 1e-6 * other.mel.max(initial=1.0)


@pytest.mark.parametrize("frames", range(10))
def test_any_number_of_frames(compiled: CompiledTransform, frames: int) -> None:
    """Those that fill the vectors' lanes, and those that are left over."""
    signal = scene(1.0)
    assert_alike(compiled(signal, frames), NumpyTransform()(signal, frames))


def test_a_frame_is_the_same_bits_wherever_it_stands(compiled: CompiledTransform) -> None:
    """So that a replay in blocks of another size says the same to the last bit."""
    signal = noise(1.0)
    together = compiled(signal, 20)
    for frame in range(20):
        alone = compiled(signal[160 * frame :], 1)
        assert np.array_equal(alone.mel[0], together.mel[frame])


@pytest.mark.parametrize(
    ("signal", "frames"),
    [
        (np.zeros(559, np.float32), 2),
        (np.zeros(0, np.float32), 1),
        (np.zeros(1000, np.float64), 1),
        (np.zeros(2000, np.float32)[::2], 1),
    ],
)
def test_it_never_reads_beyond_the_signal(signal: FloatArray, frames: int) -> None:
    """A signal too short, or not laid out as C would read it, is refused before C sees it."""

    def kernel(*_: object) -> None:
        pytest.fail("it was called")

    with pytest.raises(ValueError, match=f"{frames} frames are not in a"):
        CompiledTransform(kernel)(signal, frames)


@pytest.mark.parametrize("contents", [None, b"", b"\x7fELF and nothing more"])
def test_a_library_that_cannot_be_loaded_is_none(tmp_path: Path, contents: bytes | None) -> None:
    """Not there, empty, or broken: numpy does the work."""
    library = tmp_path / "_spectra.so"
    if contents is not None:
        library.write_bytes(contents)
    assert load_kernels(library) is None


def test_sound_that_is_no_sound_stays_so(compiled: CompiledTransform) -> None:
    """Not-a-number in a frame is not-a-number in its bands, and in no other's."""
    signal = noise(0.1)
    signal[700] = np.nan  # in the frames that begin at 320, 480 and 640
    assert np.isnan(compiled(signal, 8).mel).all(axis=1).tolist() == [frame in {2, 3, 4} for frame in range(8)]
    assert LOG_MEL.hop_samples == 160
