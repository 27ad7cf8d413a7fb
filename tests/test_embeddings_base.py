"""How a sound is cut into patches, for every extractor."""

import numpy as np
import pytest
from hearing_fakes import noise

from device.hearing.front_end.stream import FrontEnd
from export.embeddings.base import in_batches, log_mel_patches, patch_count, whole_patches

PATCH, HOP = 15_600, 15_360


@pytest.mark.parametrize(
    ("samples", "patches"),
    [(0, 1), (1, 1), (PATCH, 1), (PATCH + HOP - 1, 1), (PATCH + HOP, 2), (PATCH + 9 * HOP, 10)],
)
def test_a_patch_is_counted_once_all_of_it_is_there(samples: int, patches: int) -> None:
    """A short sound has one patch; what is left at the end has none."""
    assert patch_count(samples) == patches
    assert log_mel_patches(np.zeros(samples, np.float32)).shape == (patches, 96, 64)


def test_a_patch_is_made_of_its_own_samples() -> None:
    """Patch k covers samples 15,360 k to 15,360 k + 15,600, and nothing else tells in it."""
    sound = noise(3.2)
    patches = log_mel_patches(sound)
    for number, patch in enumerate(patches):
        alone = FrontEnd().feed(sound[HOP * number : HOP * number + PATCH]).log_mel()
        np.testing.assert_allclose(patch, alone, atol=1e-5)


def test_a_short_sound_is_followed_by_silence() -> None:
    """It gives the patch of the same sound with zeros behind it."""
    sound = noise(0.3)
    padded = np.concatenate((sound, np.zeros(PATCH - sound.size, np.float32)))
    np.testing.assert_array_equal(log_mel_patches(sound), log_mel_patches(padded))


def test_a_long_sound_is_fed_in_pieces() -> None:
    """Which changes nothing."""
    sound = noise(62.0)
    whole = FrontEnd().feed(whole_patches(sound)).log_mel().reshape(-1, 96, 64)
    np.testing.assert_allclose(log_mel_patches(sound), whole, atol=1e-6)


def test_the_offset_of_the_logarithm_is_the_networks() -> None:
    """Silence is the logarithm of the offset."""
    silence = np.zeros(PATCH, np.float32)
    np.testing.assert_allclose(log_mel_patches(silence, log_offset=0.01), np.log(0.01), rtol=1e-5)
    np.testing.assert_allclose(log_mel_patches(silence), np.log(0.001), rtol=1e-5)


def test_batches_come_back_in_order() -> None:
    """However many there are; the last one may be shorter."""
    sizes = []

    def doubled(batch: np.ndarray) -> np.ndarray:
        sizes.append(len(batch))
        return 2 * batch

    rows = np.arange(10, dtype=np.float32).reshape(5, 2)
    np.testing.assert_array_equal(in_batches(doubled, rows, size=2), 2 * rows)
    assert sizes == [2, 2, 1]
