"""device.hearing.patch_cutter: blocks of any size become the same pieces."""

import numpy as np
import pytest
from hearing_fakes import noise

from device.hearing.patch_cutter import FIRST_PATCH_SAMPLES, PATCH_SAMPLES, PatchCutter
from device.sound import FloatArray


def cut(samples: FloatArray, block: int) -> list[FloatArray]:
    """Every patch of a stream that comes in blocks, its end included."""
    cutter = PatchCutter()
    patches = [patch for at in range(0, len(samples), block) for patch in cutter.feed(samples[at : at + block])]
    return [*patches, *cutter.finish()]


def test_the_first_patch_is_longer() -> None:
    """Its last frame reaches 15 ms further; then every patch is 0.96 s."""
    assert [len(patch) for patch in cut(noise(4.0), 1600)] == [15_600, 15_360, 15_360, 15_360]


@pytest.mark.parametrize("block", [1, 999, 15_360, 15_600, 64_000])
def test_patches_do_not_depend_on_blocks(block: int) -> None:
    """The same samples at the same places."""
    samples = noise(3.0)
    patches = np.concatenate(cut(samples, block))
    assert np.array_equal(patches, samples[: len(patches)])
    assert len(patches) == FIRST_PATCH_SAMPLES + 2 * PATCH_SAMPLES


def test_a_stream_shorter_than_a_patch_is_padded() -> None:
    """It is heard as if silence followed."""
    (patch,) = cut(noise(0.5), 1600)
    assert np.array_equal(patch[:8000], noise(0.5))
    assert not patch[8000:].any()
    assert len(patch) == FIRST_PATCH_SAMPLES


def test_a_rest_after_a_patch_is_dropped() -> None:
    """Padding it would invent silence at the end of every recording."""
    assert len(cut(noise(1.5), 1600)) == 1


def test_nothing_gives_nothing() -> None:
    """No sample, no patch."""
    assert cut(noise(0.0), 1600) == []


def test_heard_counts_samples() -> None:
    """Those in patches and those that wait for one."""
    cutter = PatchCutter()
    list(cutter.feed(noise(1.5)))
    assert cutter.heard == 24_000


def test_a_patch_is_the_receivers() -> None:
    """The next samples do not show in a patch that was given out."""
    cutter = PatchCutter()
    (patch,) = cutter.feed(np.ones(FIRST_PATCH_SAMPLES, np.float32))
    list(cutter.feed(np.zeros(PATCH_SAMPLES, np.float32)))
    assert patch.all()


@pytest.mark.parametrize("block", [1, 160, 7_680, 64_000])
def test_pieces_have_the_sizes_that_are_wanted(block: int) -> None:
    """Asked anew for each, they follow each other without a gap."""
    sizes = [15_600, 7_680, 15_360, 240, 1, 7_680]
    samples, pieces = noise(sum(sizes) / 16_000), list[FloatArray]()
    cutter = PatchCutter(lambda: sizes[min(len(pieces), len(sizes) - 1)])
    for at in range(0, len(samples), block):
        for piece in cutter.feed(samples[at : at + block]):
            pieces.append(piece)
    assert [piece.size for piece in pieces] == sizes
    assert np.array_equal(np.concatenate(pieces), samples)


def test_a_piece_may_grow_while_samples_wait_for_it() -> None:
    """Another model takes over between two blocks: what waited is the beginning of its first piece."""
    wanted = [100]
    cutter = PatchCutter(lambda: wanted[0])
    samples = noise(0.1)
    assert [piece.size for piece in cutter.feed(samples[:160])] == [100]
    wanted[0] = 900
    (piece,) = cutter.feed(samples[160:1_000])
    assert np.array_equal(piece, samples[100:1_000])
